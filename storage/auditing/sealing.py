"""The chains of digests: walked from their beginnings, they name the first row that was changed,
removed or put in.

Whoever can rewrite every row can make all digests again; only a seal that was kept elsewhere tells
of that (``storage.auditing.seals``).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

from sqlalchemy import Row, select, tuple_

from storage.auditing.findings import Finding
from storage.auditing.reading import ROWS_AT_ONCE, Books, Span
from storage.books import chain
from storage.tables import audit, installation, journal, machine_states, transfers

Key = tuple[str, int]
Transfers = dict[Key, list[tuple[Any, ...]]]
WRITTEN_TYPES = {int, str, NoneType}
"""What we write. SQLite keeps bytes and fractions anywhere, and they could look like something else
in JSON.
"""

_LINES = select(*journal.c[*chain.LINE_COLUMNS, "digest"]).order_by(
    journal.c.machine_id, journal.c.version
)
_TRANSFERS = select(*transfers.c[chain.TRANSFER_COLUMNS])


@dataclass(slots=True)
class _Walk:
    """How far the walk along one machine's lines has come."""

    machine_id: str
    version: int = 0
    digest: str = ""
    broken: bool = False
    """The first finding of a machine is told; what comes behind it follows from it."""


def journals_are_as_written(books: Books) -> Iterator[int | Finding]:
    """Each line of a machine's journal, with its transfers, is as it was written behind the line
    before it, up to the last one.
    """
    for span in books.spans:
        heads = {row.machine_id: row for row in books.connection.execute(_heads(span))}
        walk: _Walk | None = None
        for lines, moved in _pages(books, span):
            yield len(lines)
            for line in lines:
                if walk is None or walk.machine_id != line.machine_id:
                    yield from _end(walk, heads)
                    walk = _begun(books, line.machine_id)
                if not walk.broken and (
                    wrong := _wrong(walk, line, moved.get((line.machine_id, line.version), []))
                ):
                    walk.broken = True
                    yield Finding(sentence=wrong, machine_id=line.machine_id)
                walk.version, walk.digest = line.version, line.digest
        yield from _end(walk, heads)
        for head in heads.values():
            begun = _begun(books, head.machine_id)
            if head.digest != begun.digest:
                span_of = f"lines {begun.version + 1} to {head.version}"
                yield Finding(
                    sentence=(
                        f"{span_of} of machine {head.machine_id} were removed: its state holds the "
                        "digest of the last"
                    ),
                    machine_id=head.machine_id,
                )


def _begun(books: Books, machine_id: str) -> _Walk:
    """Return the walk before a machine's first line in these books."""
    start = books.starts.get(machine_id)
    if start is None:
        return _Walk(machine_id)
    return _Walk(machine_id, version=start.version, digest=start.digest)


def _heads(span: Span) -> Any:
    return select(*machine_states.c["machine_id", "version", "digest"]).where(
        span.holds(machine_states.c.machine_id)
    )


def _pages(books: Books, span: Span) -> Iterator[tuple[Sequence[Row[Any]], Transfers]]:
    """Return the lines of a span's machines in order, page by page, each page with the transfers
    of its lines.
    """
    line, transfer = (
        tuple_(journal.c.machine_id, journal.c.version),
        tuple_(transfers.c.machine_id, transfers.c.version),
    )
    within = span.holds(journal.c.machine_id)
    while page := books.connection.execute(_LINES.where(within).limit(ROWS_AT_ONCE)).all():
        first, last = _key(page[0]), _key(page[-1])
        moved: Transfers = defaultdict(list)
        ours = _TRANSFERS.where(transfer >= tuple_(*first), transfer <= tuple_(*last))
        for row in books.connection.execute(
            ours.order_by(*transfers.c["machine_id", "version", "line"])
        ).all():
            moved[_key(row)].append(tuple(row))
        yield page, moved
        within = (line > tuple_(*last)) & Span(None, span.upto).holds(journal.c.machine_id)


def _key(row: Row[Any]) -> Key:
    return row.machine_id, row.version


def _wrong(walk: _Walk, line: Row[Any], moved: list[tuple[Any, ...]]) -> str:
    """Return what is wrong with the line that the walk comes to, '' if nothing is."""
    name = f"line {line.version} of machine {line.machine_id}"
    expected = walk.version + 1
    if line.version > expected:
        return (
            f"line {expected} of machine {line.machine_id} was removed: behind line {walk.version} "
            f"comes line {line.version}"
        )
    if line.version < expected:
        return f"{name} was put in: lines count from 1"
    if not line.digest:
        return (
            (
                f"{name} ({line.kind}) has no digest, and the line before it has one: it was put "
                "in or changed"
            )
            if walk.digest
            else ""
        )
    if line.digest != _digest(walk.digest, tuple(line)[:-1], moved):
        return (
            f"{name} ({line.kind}) or one of its {len(moved)} transfers was changed, "
            "removed or put in"
        )
    return ""


def _digest(before: str, line: tuple[Any, ...], moved: list[tuple[Any, ...]]) -> str | None:
    """Return the digest that the line should have, None if it holds what is never written."""
    if not all(map(_as_written, (line, *moved))):
        return None
    try:
        return chain.digest(before, chain.line_content(line, moved))
    except ValueError:
        return None


def _end(walk: _Walk | None, heads: dict[str, Row[Any]]) -> Iterator[Finding]:
    """Hold the last line of a machine against what its state says."""
    if walk is None:
        return
    head = heads.pop(walk.machine_id, None)
    digest, version = ("", 0) if head is None else (head.digest, head.version)
    if walk.broken or walk.digest == digest:
        return
    if walk.version < version:
        what = (
            f"lines {walk.version + 1} to {version} of machine {walk.machine_id} were removed: its "
            "state holds the digest of the last"
        )
    else:
        what = (
            f"line {walk.version} of machine {walk.machine_id} has another digest than its state, "
            f"of version {version}, holds"
        )
    yield Finding(sentence=what, machine_id=walk.machine_id)


def audit_rows_are_as_written(books: Books) -> Iterator[int | Finding]:
    """Each row of audit, of an administrator's act or a host's claim, is as it was written behind
    the row before it, up to the last one.
    """
    start = books.starts.get("")
    number, digest, broken = (
        (0, "", False) if start is None else (start.version, start.digest, False)
    )
    for row in books.odd_ones(select(audit.c.id).where(audit.c.id < 1)):
        yield Finding(sentence=f"row {row.id} of audit was put in: rows count from 1")
    for page in books.pages(select(*audit.c["id", *chain.AUDIT_COLUMNS, "digest"]), audit.c.id):
        yield len(page)
        for row in page:
            if (
                not broken
                and (row.digest or digest)
                and row.digest != _audit_digest(digest, tuple(row)[1:-1])
            ):
                broken = True
                behind = (
                    f"does not follow on row {number}"
                    if number
                    else "is not the first that was written"
                )
                yield Finding(
                    sentence=f"row {row.id} of audit ({row.action!r} by {row.actor}) "
                    f"{behind}: it was "
                    "changed or put in,"
                    " or a row before it was removed",
                    machine_id=row.machine_id,
                )
            number, digest = row.id, row.digest
    if not broken and digest != books.connection.scalar(select(installation.c.audit_digest)):
        yield Finding(
            sentence=(
                f"rows of audit behind row {number} were removed: the installation holds the "
                "digest of the last"
            )
        )


def _audit_digest(before: str, values: tuple[Any, ...]) -> str | None:
    return chain.digest(before, chain.audit_content(values)) if _as_written(values) else None


def _as_written(values: tuple[Any, ...]) -> bool:
    return WRITTEN_TYPES.issuperset(map(type, values))
