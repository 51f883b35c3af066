"""One month of the books, written to files and proved to be readable again.

Flows in: a moment of the database and where its books begin. Flows out: the month's folder and
where the books will begin behind it. Whatever was exported is read back from the files, and each
machine's chain of digests is made again from them, over the border of the month.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from storage import codec
from storage.archiving.dropping import is_over, newest, notifications
from storage.archiving.files import ArchiveRefused, Month, MonthWriter, rows_of
from storage.archiving.plan import Prefix, causes_that_go_on, prefixes
from storage.auditing.journal import Link, follow, link_text
from storage.auditing.reading import ROWS_AT_ONCE, Books
from storage.auditing.starts import Start, first_day, start_of, sums_up_to
from storage.auditing.units import pieces
from storage.books import chain
from storage.tables import inbox, installation, journal, machines, starts, transfers

_LINES = journal.c[*chain.LINE_COLUMNS, "digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much would go of the database once a month is archived, with all months before it.
    ``held``: of which machines less than the month is over, and why.
    """

    month: str
    end_ms: int
    prefixes: tuple[Prefix, ...]
    lines: int
    transfers: int
    notifications: int

    @property
    def held(self) -> dict[str, str]:
        """Machine and reason."""
        return {one.machine_id: one.held for one in self.prefixes if one.held}


def plan(books: Books, *, month: str, end_ms: int) -> Plan:
    """Return what of a month is over, and count what of it would not stay."""
    found = tuple(_prefixes(books, end_ms))
    after = _planned(books, found)
    newest_line, newest_told = newest(books.connection)
    kept: dict[str, set[str]] = {}
    lines = moved = 0
    c = transfers.c
    for start in after.values():
        kept[start.machine_id] = causes_that_go_on(books.connection, start)
        ours = (c.machine_id == start.machine_id, c.version <= start.version)
        moved += books.count(transfers, *ours)
        for some in pieces(kept[start.machine_id]):
            moved -= books.count(transfers, *ours, c.cause.in_(some))
        lines += books.count(
            journal,
            journal.c.machine_id == start.machine_id,
            journal.c.version <= start.version,
            journal.c.id < newest_line,
        )
    told = _notifications(books, after, end_ms, kept)
    return Plan(
        month=month,
        end_ms=end_ms,
        prefixes=found,
        lines=lines,
        transfers=moved,
        notifications=sum(row[0] < newest_told for row in told),
    )


def export(books: Books, folder: Path, *, month: str, end_ms: int, previous_sha256: str) -> Month:
    """Write a month's folder, and prove what stands in it. Raises ArchiveRefused."""
    found = tuple(_prefixes(books, end_ms))
    writer = MonthWriter(folder)
    links: dict[str, Link] = {}
    writer.write(journal, _lines(books, found, links))
    writer.write(transfers, _transfers(books, found))
    new = {
        one.machine_id: _start(books, one, links[one.machine_id])
        for one in found
        if one.upto > one.after
    }
    writer.write(inbox, _notifications(books, {**books.starts, **new}, end_ms))
    writer.write(starts, (tuple(start.values().values()) for start in new.values()))
    made_ms = books.connection.scalar(select(installation.c.created_at_ms))
    assert made_ms is not None, "the upgrade writes it"
    written = writer.finish(
        installation_ms=made_ms,
        month=month,
        end_ms=end_ms,
        now_ms=books.now_ms,
        previous_sha256=previous_sha256,
    )
    prove_readable(written, books.starts)
    return written


def starts_of(month: Month) -> dict[str, Start]:
    """Return where the books begin behind a month; raises ArchiveRefused."""
    found = (_Row(starts.columns.keys(), row) for row in rows_of(month, starts))
    return {start.machine_id: start for start in map(start_of, found)}  # type: ignore[arg-type]


def prove_readable(month: Month, before: Mapping[str, Start]) -> None:
    """Read a month's files, and make each machine's chain again from where its books began before.
    Raises ArchiveRefused.
    """
    after = starts_of(month)
    ends = {
        machine_id: (start.version, start.digest)
        for machine_id, start in before.items()
        if machine_id
    }
    moved = groupby(rows_of(month, transfers), key=lambda row: (row[0], row[1]))
    waiting: tuple[Any, list[Any]] | None = None
    names = journal.columns.keys()
    for row in rows_of(month, journal):
        line = dict(zip(names, row, strict=True))
        key = (line["machine_id"], line["version"])
        if waiting is None:
            waiting = _next(moved)
        own: list[Any] = []
        if waiting is not None and waiting[0] == key:
            own, waiting = waiting[1], None
        version, digest = ends.get(key[0], (0, ""))
        values = [line[name] for name in chain.LINE_COLUMNS]
        made = chain.digest(digest, chain.line_content(values, own))
        if version + 1 != key[1] or ((line["digest"] or digest) and made != line["digest"]):
            raise ArchiveRefused(
                f"{month.folder}: line {key[1]} of machine {key[0]} does not follow on line "
                f"{version}: what was written is not what is read. Nothing was dropped."
            )
        ends[key[0]] = (key[1], line["digest"])
    if waiting is not None or _next(moved) is not None:
        raise ArchiveRefused(f"{month.folder} holds transfers that stand on none of its lines.")
    for machine_id, start in after.items():
        if ends.get(machine_id) != (start.version, start.digest):
            raise ArchiveRefused(
                f"{month.folder}: the lines of machine {machine_id} do not end at line "
                f"{start.version}."
            )
    for _ in rows_of(month, inbox):
        pass


def _next(moved: Iterator[tuple[Any, Iterator[tuple[Any, ...]]]]) -> tuple[Any, list[Any]] | None:
    found = next(moved, None)
    return None if found is None else (found[0], list(found[1]))


class _Row:
    """A row of a file, read like one of a table."""

    def __init__(self, names: Any, values: tuple[Any, ...]) -> None:
        self.__dict__.update(zip(names, values, strict=True))


def _prefixes(books: Books, end_ms: int) -> Iterator[Prefix]:
    for span in books.spans:
        ids = books.connection.scalars(
            select(machines.c.machine_id)
            .where(span.holds(machines.c.machine_id))
            .order_by(machines.c.machine_id)
        ).all()
        yield from prefixes(books.connection, books.starts, ids, end_ms=end_ms)


def _lines(
    books: Books, found: tuple[Prefix, ...], links: dict[str, Link]
) -> Iterator[tuple[Any, ...]]:
    """Yield the lines of the prefixes, and follow each machine's stream along them."""
    c = journal.c
    for one in found:
        start = books.starts.get(one.machine_id)
        link = Link() if start is None else msgspec.json.decode(start.link, type=Link)
        version = one.after
        while version < one.upto:
            page = books.connection.execute(
                select(journal)
                .where(c.machine_id == one.machine_id, c.version > version, c.version <= one.upto)
                .order_by(c.version)
                .limit(ROWS_AT_ONCE)
            ).all()
            if not page:
                raise ArchiveRefused(
                    f"lines behind {version} of machine {one.machine_id} are gone: run "
                    "'vendgate audit --whole'."
                )
            for row in page:
                event = codec.decode_body(row.kind, row.body)
                link = follow(link, event, codec.decode_orders(row.effects))
                yield tuple(row)
            version = page[-1].version
        links[one.machine_id] = link


def _transfers(books: Books, found: tuple[Prefix, ...]) -> Iterator[tuple[Any, ...]]:
    c = transfers.c
    for one in found:
        after = (one.after, 1 << 30)
        while True:
            behind = (c.version > after[0]) | ((c.version == after[0]) & (c.line > after[1]))
            page = books.connection.execute(
                select(transfers)
                .where(
                    c.machine_id == one.machine_id,
                    c.version >= after[0],
                    c.version <= one.upto,
                    behind,
                )
                .order_by(c.version, c.line)
                .limit(ROWS_AT_ONCE)
            ).all()
            yield from map(tuple, page)
            if len(page) < ROWS_AT_ONCE:
                break
            after = (page[-1].version, page[-1].line)


def _notifications(
    books: Books,
    after: Mapping[str, Start],
    end_ms: int,
    kept: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Iterator[tuple[Any, ...]]:
    """Yield the notifications of the lines before these starts, but for those of payments that are
    ``kept``, by machine. In each month's file all of them stand until they go: by then what keeps
    them may be over.
    """
    last = 0
    while True:
        page = books.connection.execute(notifications(after=last).limit(ROWS_AT_ONCE)).all()
        for row in page:
            if row.received_at_ms >= end_ms:
                return
            if is_over(row, after, needed=row.trade_id in kept.get(row.machine_id, ())):
                yield tuple(row)[: len(inbox.columns)]
        if len(page) < ROWS_AT_ONCE:
            return
        last = page[-1].id


def _planned(books: Books, found: tuple[Prefix, ...]) -> dict[str, Start]:
    """Return where the books of machines would begin, as far as it matters for what goes."""
    new = {
        one.machine_id: Start(
            machine_id=one.machine_id,
            version=one.upto,
            digest=one.digest,
            at_ms=one.at_ms,
            from_day=0,
            balances={},
            link="{}",
        )
        for one in found
        if one.upto > one.after
    }
    return {**books.starts, **new}


def _start(books: Books, prefix: Prefix, link: Link) -> Start:
    from_day = first_day(prefix.at_ms)
    return Start(
        machine_id=prefix.machine_id,
        version=prefix.upto,
        digest=prefix.digest,
        at_ms=prefix.at_ms,
        from_day=from_day,
        balances=sums_up_to(
            books.connection,
            prefix.machine_id,
            prefix.upto,
            from_day,
            books.starts.get(prefix.machine_id),
        ),
        link=link_text(link),
    )


def within(connection: Connection, *, now_ms: int, partition_count: int) -> Books:
    """Return the books of a read transaction."""
    return Books(connection, now_ms=now_ms, partition_count=partition_count)
