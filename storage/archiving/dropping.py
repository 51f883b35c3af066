"""Archived rows leave the database, a few at a time: machines sell meanwhile, and wait for no piece
longer than for another machine's commit.

Flows in: where the books of the machines begin by now. What is before goes, but for the transfers
of what goes on (``plan.causes_that_go_on``) and the notifications that people or such transfers
still need. Each piece is a transaction of its own, found by what is there: a run that was killed
goes on where it was.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select

from actors.machine.ledger import TransferKind
from storage.archiving.plan import causes_that_go_on
from storage.auditing.starts import Start
from storage.database.engine import Database
from storage.tables import inbox, journal, kept_transfers, transfers

ROWS_AT_ONCE = 200
PAYMENT = "payment:"
PUT_ASIDE = "refused:"
FOR_PEOPLE = ("conflict:", PUT_ASIDE)
"""Notifications that were put aside stay for good: a person's work is named after their rows. So do
the payments that ended such work.
"""


@dataclass(slots=True)
class Dropped:
    """How many rows have gone."""

    lines: int = 0
    transfers: int = 0
    notifications: int = 0


async def drop(db: Database, starts: Mapping[str, Start], *, end_ms: int) -> Dropped:
    """Let go of all that stands before the starts, and of notifications from before ``end_ms`` that
    were decided upon there or that there was nothing to decide about. Raises StoreError.
    """
    gone = Dropped()
    newest_line, newest_told = await db.read(newest)
    for start in starts.values():
        if start.machine_id:
            await _machine(db, start, gone, newest_line)
    after = 0
    while True:
        page = await db.read(partial(_told, after=after, end_ms=end_ms))
        if not page:
            return gone
        after = page[-1].id
        ids = [
            row.id
            for row in page
            if row.id < newest_told and is_over(row, starts, needed=row.credited is not None)
        ]
        if ids:
            gone.notifications += await _in_turn(db, partial(_forget, ids=ids))


def newest(connection: Connection) -> tuple[int, int]:
    """Return the newest positions. Their rows stay: SQLite would give the numbers out again, and
    who follows the journal would take what is new for what they have seen.
    """
    line, told = (
        connection.scalar(select(func.max(table.c.id))) or 0 for table in (journal, inbox)
    )
    return line, told


async def _machine(db: Database, start: Start, gone: Dropped, newest: int) -> None:
    kept = await db.read(lambda connection: causes_that_go_on(connection, start))
    after = (-1, -1)
    while keys := await db.read(partial(_transfers, start=start, after=after)):
        after = (keys[-1].version, keys[-1].line)
        some = [row for row in keys if row.cause not in kept]
        if some:
            gone.transfers += await _in_turn(db, partial(_let_go, rows=some))
    while True:
        first = await db.read(partial(_first_line, start=start, newest=newest))
        if first is None:
            return
        upto = min(start.version, first + ROWS_AT_ONCE - 1)
        gone.lines += await _in_turn(db, partial(_lines, start=start, upto=upto, newest=newest))


async def _in_turn(db: Database, work: Callable[[Connection], int]) -> int:
    """Run a piece, and leave the database to others for as long as it took."""
    begun = time.monotonic()
    count = await db.write(work)
    await asyncio.sleep(time.monotonic() - begun)
    return count


def _transfers(connection: Connection, *, start: Start, after: tuple[int, int]) -> list[Row[Any]]:
    c = transfers.c
    version, line = after
    behind = (c.version > version) | ((c.version == version) & (c.line > line))
    wanted = (
        select(c.machine_id, c.version, c.line, c.cause)
        .where(
            c.machine_id == start.machine_id,
            c.version >= version,
            c.version <= start.version,
            behind,
        )
        .order_by(c.version, c.line)
        .limit(ROWS_AT_ONCE)
    )
    return list(connection.execute(wanted))


def _let_go(connection: Connection, *, rows: list[Row[Any]]) -> int:
    c = kept_transfers.c
    one = (
        c.machine_id == bindparam("of"),
        c.version == bindparam("at"),
        c.line == bindparam("number"),
    )
    connection.execute(
        delete(kept_transfers).where(*one),
        [{"of": row.machine_id, "at": row.version, "number": row.line} for row in rows],
    )
    return len(rows)


def _first_line(connection: Connection, *, start: Start, newest: int) -> int | None:
    c = journal.c
    first: int | None = connection.scalar(
        select(func.min(c.version)).where(
            c.machine_id == start.machine_id, c.version <= start.version, c.id < newest
        )
    )
    return first


def _lines(connection: Connection, *, start: Start, upto: int, newest: int) -> int:
    c = journal.c
    return connection.execute(
        delete(journal).where(c.machine_id == start.machine_id, c.version <= upto, c.id < newest)
    ).rowcount


def _told(connection: Connection, *, after: int, end_ms: int) -> list[Row[Any]]:
    """Return the next notifications, each with whether a transfer stands on it, up to the first one
    that is not before ``end_ms``.
    """
    page = connection.execute(notifications(after=after).limit(ROWS_AT_ONCE)).all()
    late = next((n for n, row in enumerate(page) if row.received_at_ms >= end_ms), len(page))
    return list(page[:late])


def notifications(*, after: int) -> Select[Any]:
    """Return the query for notifications behind an id, each with whether its payment's transfer is
    here, and whether another telling of its trade was put aside.
    """
    credited = (
        select(transfers.c.version)
        .where(transfers.c.kind == TransferKind.TOP_UP.value, transfers.c.cause == inbox.c.trade_id)
        .correlate(inbox)
        .scalar_subquery()
    )
    aside = inbox.alias("aside")
    put_aside = (
        select(aside.c.id)
        .where(aside.c.trade_id == inbox.c.trade_id, aside.c.cause.startswith(PUT_ASIDE))
        .correlate(inbox)
        .exists()
    )
    wanted = select(inbox, put_aside.label("put_aside"), credited.label("credited"))
    return wanted.where(inbox.c.id > after).order_by(inbox.c.id)


def is_over(row: Row[Any], starts: Mapping[str, Start], *, needed: bool) -> bool:
    """Whether a notification stands before where the books of its machine begin, and no transfer
    that stays stands on it: ``needed`` says so of a payment.
    """
    if row.taken_at_ms is None or row.cause.startswith(FOR_PEOPLE):
        return False
    start = starts.get(row.machine_id)
    if row.taken_version and (start is None or row.taken_version > start.version):
        return False
    return not (row.cause.startswith(PAYMENT) and (needed or row.put_aside))


def _forget(connection: Connection, *, ids: list[int]) -> int:
    return connection.execute(delete(inbox).where(inbox.c.id.in_(ids))).rowcount
