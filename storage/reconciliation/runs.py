"""The runs of the daily comparison with Alipay's files, and the differences that they found.

What a comparison found is written in one transaction, and read back. A run is named by its file's
content, a difference by its day, kind and subject: whoever reads the same file again adds no row. A
difference that is found no more is marked as resolved. Nothing of a machine's own is written here:
what its owner must hear goes through the inbox. A person may close
an open one (``storage.fleet.closings``); that holds for the money that it was about, and one that
comes back with other money is open again.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from storage.database import dialects
from storage.database.engine import Database
from storage.item_ids import DIFFERENCE_ITEM
from storage.machines.loading import IN_ONE_STATEMENT
from storage.tables import reconciliation_differences, reconciliation_runs, work_item_closings

_MONEY = ("trade_id", "refund_id", "currency", "alipay_minor", "ours_minor")
"""What a difference is about: with any of these another, it is another edition, and a closing of
the one before says nothing of it.
"""


class DifferenceStatus(StrEnum):
    """OPEN: a person's work. PASSED_ON: saved for the machine's owner, who acts by itself.
    RESOLVED: found no more.

    CLOSED is shown for OPEN where a person has closed it, and is never stored: the closing is.
    """

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    PASSED_ON = "PASSED_ON"
    RESOLVED = "RESOLVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one side misses or has differently. Amounts are minor units of ``currency``, None where
    a side knows none.

    ``subject`` names it within its day and kind. ``said`` is what differs, ``cause`` a guess at
    why, ``advice`` what to do. ``closed_*``: who closed it as it stands, and why.
    """

    kind: str
    subject: str
    status: DifferenceStatus
    trade_id: str
    refund_id: str
    machine_id: str
    currency: str
    alipay_minor: int | None
    ours_minor: int | None
    said: str
    cause: str
    advice: str
    resolved_at_ms: int | None = None
    closed_by: str = ""
    closed_reason: str = ""
    closed_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The money of one currency, as each side has it. ``back`` is what returned to customers."""

    currency: str
    alipay_paid_minor: int = 0
    ours_paid_minor: int = 0
    alipay_back_minor: int = 0
    ours_back_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A file that was compared. ``day`` is written 2026-01-15, ``day_was_over`` when that began.
    ``restored``: a restore of the database lost sales of it.
    """

    day: str
    file_sha256: str
    file_name: str
    row_count: int
    totals: tuple[Total, ...]
    day_was_over: bool
    restored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run and the differences of its day as they stand now, open ones first. ``latest``: no newer
    file of the day has been read.
    """

    run_id: int
    day: str
    file_sha256: str
    file_name: str
    row_count: int
    read_at_ms: int
    totals: tuple[Total, ...]
    latest: bool
    differences: tuple[Difference, ...]


class Reconciliation:
    """The runs of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run_of(self, file_sha256: str) -> RunView | None:
        """Return the run of a file with this content, or None."""
        return await self._db.read(lambda connection: _view(connection, file_sha256))

    async def was_restored(self, day: str) -> bool:
        """Return whether any run of this day said that a restore of the database lost sales of
        it.
        """
        c = reconciliation_runs.c
        wanted = select(c.id).where(c.day == day, c.restored).limit(1)
        return await self._db.read(lambda connection: connection.scalar(wanted) is not None)

    async def say_restored(self, run_id: int) -> None:
        """Remember that a restore of the database lost sales of the day of this run."""
        c = reconciliation_runs.c
        said = update(reconciliation_runs).where(c.id == run_id).values(restored=True)
        await self._db.write(lambda connection: connection.execute(said))

    async def record(
        self, run: NewRun, differences: Sequence[Difference], *, now_ms: int
    ) -> RunView:
        """Save what the comparison found. A file that is not the day's newest any more changes
        nothing.
        """

        def work(connection: Connection) -> RunView:
            row = _run(connection, run, now_ms)
            if _is_latest(connection, row):
                _refresh(connection, row, run)
                _write(connection, row, differences, now_ms)
            view = _view(connection, run.file_sha256)
            assert view is not None
            return view

        return await self._db.write(work)


def _run(connection: Connection, run: NewRun, now_ms: int) -> Row[Any]:
    """Return the row of the run, which is made if the file is new."""
    connection.execute(
        dialects.insert_or_ignore(
            connection.dialect.name, reconciliation_runs, ("file_sha256",)
        ).values(
            day=run.day,
            file_sha256=run.file_sha256,
            file_name=run.file_name,
            row_count=run.row_count,
            read_at_ms=now_ms,
            totals=_encode(run.totals),
            day_was_over=run.day_was_over,
            restored=run.restored,
        )
    )
    return connection.execute(
        select(reconciliation_runs).where(reconciliation_runs.c.file_sha256 == run.file_sha256)
    ).one()


def _refresh(connection: Connection, row: Row[Any], run: NewRun) -> None:
    """Our side of an old file's totals may have grown, and its day may be over by now."""
    was_over = row.day_was_over or run.day_was_over
    restored = row.restored or run.restored
    now = (_encode(run.totals), was_over, restored)
    if (row.totals, row.day_was_over, row.restored) != now:
        connection.execute(
            update(reconciliation_runs)
            .where(reconciliation_runs.c.id == row.id)
            .values(totals=_encode(run.totals), day_was_over=was_over, restored=restored)
        )


def _is_latest(connection: Connection, row: Row[Any]) -> bool:
    c = reconciliation_runs.c
    return connection.scalar(select(c.id).where(c.day == row.day, c.id > row.id).limit(1)) is None


def _write(
    connection: Connection, run: Row[Any], differences: Sequence[Difference], now_ms: int
) -> None:
    table = reconciliation_differences
    there = {
        (row.kind, row.subject): row
        for row in connection.execute(select(table).where(table.c.day == run.day).with_for_update())
    }
    new = []
    for difference in differences:
        row = there.pop((difference.kind, difference.subject), None)
        values: dict[str, Any] = {
            name: value for name, value in asdict(difference).items() if name in table.c
        }
        values |= {"status": difference.status.value, "run_id": run.id}
        if row is None:
            new.append({**values, "day": run.day, "found_at_ms": now_ms, "edition": 1})
        elif any(getattr(row, name) != value for name, value in values.items()):
            if any(getattr(row, name) != values[name] for name in _MONEY):
                values["edition"] = row.edition + 1
            connection.execute(update(table).where(table.c.id == row.id).values(values))
    if new:
        connection.execute(insert(table), new)
    gone = [row.id for row in there.values() if row.status != DifferenceStatus.RESOLVED.value]
    resolved = {
        "status": DifferenceStatus.RESOLVED.value,
        "resolved_at_ms": now_ms,
        "run_id": run.id,
    }
    for start in range(0, len(gone), IN_ONE_STATEMENT):
        connection.execute(
            update(table)
            .where(table.c.id.in_(gone[start : start + IN_ONE_STATEMENT]))
            .values(resolved)
        )


def _view(connection: Connection, file_sha256: str) -> RunView | None:
    run = connection.execute(
        select(reconciliation_runs).where(reconciliation_runs.c.file_sha256 == file_sha256)
    ).one_or_none()
    if run is None:
        return None
    table = reconciliation_differences
    closing = work_item_closings.c
    wanted = (
        select(
            table,
            closing.actor.label("closed_by"),
            closing.reason.label("closed_reason"),
            closing.closed_at_ms,
        )
        .select_from(table.outerjoin(work_item_closings, closing.item_id == DIFFERENCE_ITEM))
        .where(table.c.day == run.day)
        .order_by(table.c.id)
    )
    rows = connection.execute(wanted).all()
    order = list(DifferenceStatus)
    return RunView(
        run_id=run.id,
        day=run.day,
        file_sha256=run.file_sha256,
        file_name=run.file_name,
        row_count=run.row_count,
        read_at_ms=run.read_at_ms,
        totals=msgspec.json.decode(run.totals, type=tuple[Total, ...]),
        latest=_is_latest(connection, run),
        differences=tuple(
            sorted(map(_difference, rows), key=lambda difference: order.index(difference.status))
        ),
    )


def _difference(row: Row[Any]) -> Difference:
    status = DifferenceStatus(row.status)
    closed = status is DifferenceStatus.OPEN and row.closed_at_ms is not None
    return Difference(
        kind=row.kind,
        subject=row.subject,
        status=DifferenceStatus.CLOSED if closed else status,
        trade_id=row.trade_id,
        refund_id=row.refund_id,
        machine_id=row.machine_id,
        currency=row.currency,
        alipay_minor=row.alipay_minor,
        ours_minor=row.ours_minor,
        said=row.said,
        cause=row.cause,
        advice=row.advice,
        resolved_at_ms=row.resolved_at_ms,
        closed_by=row.closed_by if closed else "",
        closed_reason=row.closed_reason if closed else "",
        closed_at_ms=row.closed_at_ms if closed else None,
    )


def _encode(totals: tuple[Total, ...]) -> str:
    return msgspec.json.encode(totals).decode()
