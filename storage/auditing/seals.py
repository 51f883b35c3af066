"""Seals: the newest digests of all chains at one moment, to be kept where whoever can rewrite the
database cannot.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import select, tuple_

from storage.auditing.findings import Finding, Look, Seal
from storage.auditing.reading import Books
from storage.machines.loading import IN_ONE_STATEMENT
from storage.tables import audit, journal, machine_states


def newest_seals(books: Books) -> Iterator[Seal]:
    """Return a seal for each machine that has a digest, and one for ``audit``."""
    state = machine_states.c
    for span in books.spans:
        wanted = select(*state["machine_id", "version", "digest"]).where(
            span.holds(state.machine_id), state.digest != ""
        )
        for row in books.connection.execute(wanted.order_by(state.machine_id)).all():
            yield Seal(machine_id=row.machine_id, version=row.version, digest=row.digest)
    last = books.connection.execute(
        select(*audit.c["id", "digest"]).order_by(audit.c.id.desc()).limit(1)
    ).one_or_none()
    if last is not None and last.digest:
        yield Seal(machine_id="", version=last.id, digest=last.digest)


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
                    now = "is gone" if there is None else f"has digest {there or 'none'} now"
                    yield Finding(
                        sentence=(
                            f"{seal.subject} was sealed with digest {seal.digest} and {now}: its "
                            "chain was written again"
                        ),
                        machine_id=seal.machine_id,
                    )

    return sealed_digests_stand


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
