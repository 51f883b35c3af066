"""Seals: the newest digests of all chains at one moment, to be kept where whoever can rewrite the
database cannot.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, func, select, tuple_

from storage.auditing.findings import Finding, Look, Seal
from storage.auditing.reading import Books, Span
from storage.auditing.starts import Start, Sums, changed_seals, first_day
from storage.machines.loading import IN_ONE_STATEMENT
from storage.tables import audit, balances, journal, machine_states
from storage.tables import seals as sealed

_LAST_OF_AUDIT = select(*audit.c["id", "digest"]).order_by(audit.c.id.desc()).limit(1)


def _heads(span: Span) -> Select[Any]:
    state = machine_states.c
    wanted = select(*state["machine_id", "version", "digest"]).where(
        span.holds(state.machine_id), state.digest != ""
    )
    return wanted.order_by(state.machine_id)


def newest_seals(books: Books) -> Iterator[Seal]:
    """Return a seal for each machine that has a digest, and one for ``audit``."""
    for span in books.spans:
        for row in books.connection.execute(_heads(span)).all():
            yield Seal(machine_id=row.machine_id, version=row.version, digest=row.digest)
    last = books.connection.execute(_LAST_OF_AUDIT).one_or_none()
    if last is not None and last.digest:
        yield Seal(machine_id="", version=last.id, digest=last.digest)


def proved_up_to(live: Books, books: Books) -> Iterator[Start]:
    """Return where a later audit may begin: at the newest line of each machine that has a digest,
    and of ``audit``. ``books`` were looked at, ``live`` are all there is.
    """
    for span in live.spans:
        newest = {
            row.machine_id: row.at_ms
            for row in books.connection.execute(
                select(journal.c.machine_id, func.max(journal.c.at_ms).label("at_ms"))
                .where(span.holds(journal.c.machine_id))
                .group_by(journal.c.machine_id)
            )
        }
        heads = [
            (row, _newest_ms(books, row.machine_id, newest))
            for row in live.connection.execute(_heads(span))
        ]
        sums = _sums(live, span, min((first_day(at_ms) for _, at_ms in heads), default=0))
        for row, at_ms in heads:
            from_day = first_day(at_ms)
            days = sums.get(row.machine_id, {})
            yield Start(
                machine_id=row.machine_id,
                version=row.version,
                digest=row.digest,
                at_ms=at_ms,
                from_day=from_day,
                balances={day: of for day, of in days.items() if int(day) >= from_day},
                link=books.links.get(row.machine_id, "{}"),
            )
    last = live.connection.execute(_LAST_OF_AUDIT).one_or_none()
    if last is not None and last.digest:
        yield Start(
            machine_id="",
            version=last.id,
            digest=last.digest,
            at_ms=live.now_ms,
            from_day=0,
            balances={},
            link="{}",
        )


def _newest_ms(books: Books, machine_id: str, newest: dict[str, int]) -> int:
    start = books.starts.get(machine_id)
    return max(newest.get(machine_id, 0), 0 if start is None else start.at_ms)


def _sums(live: Books, span: Span, from_day: int) -> dict[str, Sums]:
    c = balances.c
    found: dict[str, Sums] = {}
    wanted = select(balances).where(span.holds(c.machine_id), c.day >= from_day)
    for row in live.connection.execute(wanted):
        of_day = found.setdefault(row.machine_id, {}).setdefault(str(row.day), {})
        of_day[row.account] = (row.debit_minor, row.credit_minor)
    return found


def seals_are_as_written(books: Books) -> Iterator[int | Finding]:
    """Each seal in the database is as the audit wrote it that took it."""
    yield books.count(sealed)
    for row in changed_seals(books.connection):
        seal = Seal(machine_id=row.machine_id, version=row.version, digest=row.digest)
        yield Finding(
            sentence=(
                f"the seal that the database keeps of {seal.subject} was changed: this audit looks "
                "at all there is. If it finds nothing else, take new ones by --whole with "
                "--write-seals"
            ),
            machine_id=row.machine_id,
        )


def sealed_digests_stand(seals: Sequence[Seal]) -> Look:
    """Return the check that these seals, taken earlier, still hold."""

    def sealed_digests_stand(books: Books) -> Iterator[int | Finding]:
        """Every digest that was sealed is still in its chain, where it was."""
        for start in range(0, len(seals), IN_ONE_STATEMENT):
            some = seals[start : start + IN_ONE_STATEMENT]
            yield len(some)
            found = _found(books, some)
            for seal in some:
                there = found.get((seal.machine_id, seal.version))
                if there != seal.digest:
                    what = "is gone" if there is None else f"has digest {there or 'none'} now"
                    now = f"{what}: its chain was written again"
                    if there is None and _is_archived(books, seal):
                        now = "stands in the archive: name its folder with --archive"
                    yield Finding(
                        sentence=(f"{seal.subject} was sealed with digest {seal.digest} and {now}"),
                        machine_id=seal.machine_id,
                    )

    return sealed_digests_stand


def _is_archived(books: Books, seal: Seal) -> bool:
    start = books.starts.get(seal.machine_id)
    return start is not None and seal.version <= start.version


def _found(books: Books, seals: Sequence[Seal]) -> dict[tuple[str, int], str]:
    line = journal.c
    keys = [(seal.machine_id, seal.version) for seal in seals if seal.machine_id]
    ids = [seal.version for seal in seals if not seal.machine_id]
    lines = select(*line["machine_id", "version", "digest"]).where(
        tuple_(line.machine_id, line.version).in_(keys)
    )
    rows = select(*audit.c["id", "digest"]).where(audit.c.id.in_(ids))
    return {
        **{(row.machine_id, row.version): row.digest for row in books.connection.execute(lines)},
        **{("", row.id): row.digest for row in books.connection.execute(rows)},
    }
