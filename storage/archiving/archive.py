"""Month after month leaves the database: exported, proved, dropped.

Each month goes through the same steps, and each step is found again after a kill: the folder counts
once its manifest stands; the row of ``archives`` says that it is exported, and moves with the
starts of the books; what stands before the starts is dropped until nothing is left. Nothing is
dropped that was not read back from the files.

Flows in: a database, a folder and a month. Flows out: sentences, or ArchiveRefused.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, update

from storage.archiving import exporting
from storage.archiving.dropping import drop
from storage.archiving.exporting import Plan
from storage.archiving.files import ArchiveRefused, Month, alone_in, months_in
from storage.archiving.told import check_told
from storage.auditing import WHOLE, Audit, prove
from storage.auditing.reading import Books
from storage.auditing.starts import Start, remember_seals, start_of, write_starts
from storage.books.audit_rows import write_audit_row
from storage.database.engine import Database
from storage.fleet.fleet_totals import carry_over
from storage.item_ids import DIFFERENCE_ITEM, not_closed
from storage.machines.rows import DAY_MS
from storage.tables import (
    archives,
    installation,
    journal,
    reconciliation_differences,
    reconciliation_runs,
    starts,
    trades,
)

HOUR_MS = 3_600_000
OVER_FOR_MS = DAY_MS
"""A month is over a day after its end: what belongs to it has arrived by then."""
ACTS_END_S = 30.0
"""So long after the books begin elsewhere nothing is dropped: an act that has just read what paid
for an old vend is done by then, or refused.
"""
EXPORTED, DROPPED = "EXPORTED", "DROPPED"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted: the months before ``before``, written 2026-03, into ``folder``."""

    folder: Path
    before: str
    now_ms: int
    own_ids: Collection[str] = ()
    acts_end_s: float = ACTS_END_S


@dataclass(frozen=True, slots=True)
class _Known:
    month: str
    state: str
    end_ms: int
    folder: str
    manifest_sha256: str


async def dry_run(db: Database, order: Order) -> list[Plan]:
    """Return what each month would hold as things are now, writing nothing. What is open now may
    be over by the time that it is archived. Raises ArchiveRefused or StoreError.
    """
    before_ms = _checked(order)
    await _check_days(db, before_ms)
    months_in(order.folder)

    def work(connection: Connection) -> list[Plan]:
        books = _books(connection, db, order)
        _, first = _progress(connection)
        return [
            exporting.plan(books, month=month, end_ms=end_ms)
            for month, end_ms in _months(first, before_ms)
        ]

    return await db.read(work)


async def run(db: Database, order: Order, say: Say) -> list[str]:
    """Archive every month before the one that is named, and return those that were. Raises
    ArchiveRefused or StoreError; run again, it goes on where it was.
    """
    before_ms = _checked(order)
    await _check_days(db, before_ms)
    await db.read(lambda connection: check_told(connection, before_ms))
    with alone_in(order.folder):
        return await _run(db, order, before_ms, say)


async def _run(db: Database, order: Order, before_ms: int, say: Say) -> list[str]:
    there = months_in(order.folder)
    known, first = await db.read(_progress)
    _check_folder(order.folder, there, known)
    done = []
    if known and known[-1].state == EXPORTED:
        await asyncio.sleep(order.acts_end_s)  # the run that was killed may not have waited
        await _drop(db, order, known[-1].month, known[-1].end_ms, say)
        done.append(known[-1].month)
    months = list(_months(first, before_ms))
    if months:
        await _prove(db, order, say)
    for month, end_ms in months:
        there = months_in(order.folder)
        if not there or there[-1].manifest.month < month:
            previous = there[-1].sha256 if there else ""
            written = await db.read(
                lambda connection, m=month, e=end_ms, p=previous: exporting.export(  # type: ignore[misc]
                    _books(connection, db, order),
                    order.folder / m,
                    month=m,
                    end_ms=e,
                    previous_sha256=p,
                )
            )
        else:
            written = await db.read(
                lambda connection, found=there[-1]: _adopted(connection, found, db, order)  # type: ignore[misc]
            )
        await _begin_behind(db, written, order)
        say(_exported(written))
        await _drop(db, order, month, end_ms, say)
        done.append(month)
    return done


def month_ms(month: str) -> int:
    """Return the first moment of a month of UTC, written 2026-03; raises ArchiveRefused."""
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise ArchiveRefused(f"{month!r} is no month: write it like 2026-03.") from error
    return int(first.timestamp()) * 1_000


def month_of(at_ms: int) -> str:
    """Return the month of a moment."""
    return f"{datetime.fromtimestamp(at_ms // 1_000, UTC):%Y-%m}"


def _checked(order: Order) -> int:
    before_ms = month_ms(order.before)
    if before_ms + OVER_FOR_MS > order.now_ms:
        raise ArchiveRefused(
            f"The month before {order.before} is not over for a day yet: archive older months."
        )
    return before_ms


async def _check_days(db: Database, before_ms: int) -> None:
    """Raise ArchiveRefused if a day before this moment is not reconciled: of a difference that is
    open, or, where daily files are read at all, without any file that was compared when it was
    over though customers paid.
    """
    day = await db.read(lambda connection: _unreconciled(connection, before_ms))
    if day is not None:
        raise ArchiveRefused(
            f"{day} is not reconciled: read its daily file, or end its open differences, or "
            f"archive the months before {min(day[:7], month_of(before_ms - 1))} only."
        )


def _unreconciled(connection: Connection, before_ms: int) -> str | None:
    last = f"{datetime.fromtimestamp(before_ms // 1_000, UTC):%Y-%m-%d}"
    c = reconciliation_differences.c
    open_day: str | None = connection.scalar(
        select(func.min(c.day)).where(
            c.day <= last, c.status != "RESOLVED", not_closed(DIFFERENCE_ITEM)
        )
    )
    runs = reconciliation_runs.c
    first: str | None = connection.scalar(select(func.min(runs.day)))
    if first is None:
        return open_day
    days = set(connection.scalars(select(runs.day).where(runs.day_was_over).distinct()))
    day_ms = month_ms(first[:7])
    # The last hours of a month are in the file of the next one's first day: Alipay's are of GMT+8.
    while day_ms - DAY_MS // 3 < before_ms:
        day = f"{datetime.fromtimestamp(day_ms // 1_000, UTC):%Y-%m-%d}"
        if day >= first and day not in days and _paid_on(connection, day_ms, before_ms):
            return min(day, open_day or day)
        day_ms += DAY_MS
    return open_day


def _paid_on(connection: Connection, day_ms: int, before_ms: int) -> bool:
    c = trades.c
    # What we heard of within an hour of the day's ends may be another day's at Alipay.
    first_ms = day_ms - DAY_MS // 3 + HOUR_MS
    last_ms = min(day_ms + DAY_MS * 2 // 3 - HOUR_MS, before_ms)
    wanted = select(c.trade_id).where(c.received_at_ms >= first_ms, c.received_at_ms < last_ms)
    return connection.execute(wanted.limit(1)).one_or_none() is not None


def _check_folder(folder: Path, there: list[Month], known: list[_Known]) -> None:
    """Raise ArchiveRefused unless the folder holds the months that the database knows, and at most
    one more, which was written before a kill.
    """
    hashes = [month.sha256 for month in there]
    expected = [one.manifest_sha256 for one in known]
    if hashes[: len(expected)] != expected:
        raise ArchiveRefused(
            f"{folder} does not hold the months that were archived before, as they were: name the "
            f"folder that does ({known[-1].folder})."
        )
    if len(hashes) > len(expected) + 1:
        raise ArchiveRefused(f"{folder} holds months that this database has not archived.")


async def _prove(db: Database, order: Order, say: Say) -> None:
    audit = await prove(db, now_ms=order.now_ms, own_ids=order.own_ids, scope=WHOLE)
    _refuse_findings(audit)
    await remember_seals(db, audit.proved, now_ms=order.now_ms)
    say(f"The books are clean: {len(audit.checks)} checks hold.")


def _refuse_findings(audit: Audit) -> None:
    if not audit.clean:
        broken = [check.name for check in audit.checks if not check.holds]
        raise ArchiveRefused(
            f"The audit does not pass ({', '.join(broken)}): see 'vendgate audit --whole', and "
            "archive nothing before its findings are understood."
        )


def _adopted(connection: Connection, month: Month, db: Database, order: Order) -> Month:
    """Return a month that was written before a kill, once it is proved to follow on these books."""
    made_ms = connection.scalar(select(installation.c.created_at_ms))
    if month.manifest.installation_ms != made_ms:
        raise ArchiveRefused(f"{month.folder} is the archive of another database.")
    exporting.prove_readable(month, _books(connection, db, order).starts)
    return month


async def _begin_behind(db: Database, month: Month, order: Order) -> None:
    """Let the books begin behind the month, in one transaction with its row: it is small, a row
    for each machine.
    """
    new = exporting.starts_of(month)

    def work(connection: Connection) -> None:
        check_told(connection, month.manifest.end_ms, cuts=True)
        connection.execute(
            insert(archives).values(
                month=month.manifest.month,
                state=EXPORTED,
                end_ms=month.manifest.end_ms,
                folder=str(order.folder),
                manifest_sha256=month.sha256,
                exported_at_ms=order.now_ms,
            )
        )
        write_starts(connection, new.values())
        carry_over(connection, month.manifest.month)
        write_audit_row(
            connection,
            at_ms=order.now_ms,
            actor="vendgate archive",
            action="Archive",
            machine_id="",
            detail=_exported(month),
        )

    await db.write(work)
    await asyncio.sleep(order.acts_end_s)


async def _drop(db: Database, order: Order, month: str, end_ms: int, say: Say) -> None:
    begin = await db.read(_starts)
    gone = await drop(db, begin, end_ms=end_ms)
    await db.write(
        lambda connection: connection.execute(
            update(archives)
            .where(archives.c.month == month)
            .values(state=DROPPED, dropped_at_ms=order.now_ms)
        )
    )
    say(
        f"{month}: dropped {gone.lines:,} lines, {gone.transfers:,} transfers and "
        f"{gone.notifications:,} notifications."
    )


def _exported(month: Month) -> str:
    rows = {file.name.partition(".")[0]: file.rows for file in month.manifest.files}
    return (
        f"{month.manifest.month}: {rows['journal']:,} lines, {rows['transfers']:,} transfers and "
        f"{rows['inbox']:,} notifications are in {month.folder}; its manifest has SHA-256 "
        f"{month.sha256}"
    )


def _progress(connection: Connection) -> tuple[list[_Known], str | None]:
    """Return the months that are archived, and the first that is not; None if there is no line."""
    c = archives.c
    wanted = select(c.month, c.state, c.end_ms, c.folder, c.manifest_sha256).order_by(c.month)
    known = [_Known(*row) for row in connection.execute(wanted)]
    if known:
        return known, month_of(known[-1].end_ms)
    oldest = connection.scalar(select(journal.c.at_ms).order_by(journal.c.id).limit(1))
    return known, None if oldest is None else month_of(oldest)


def _months(first: str | None, before_ms: int) -> Iterator[tuple[str, int]]:
    """Yield the months from the first one on that end before a moment, each with its end."""
    while first is not None:
        # From any day of a month 32 days lead into the next one.
        following = month_of(month_ms(first) + 32 * DAY_MS)
        end_ms = month_ms(following)
        if end_ms > before_ms:
            return
        yield first, end_ms
        first = following


def _books(connection: Connection, db: Database, order: Order) -> Books:
    return exporting.within(connection, now_ms=order.now_ms, partition_count=db.partition_count)


def _starts(connection: Connection) -> dict[str, Start]:
    return {row.machine_id: start_of(row) for row in connection.execute(select(starts))}
