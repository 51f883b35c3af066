"""One reading of a daily file: parse, compare, hand over what machines' owners must hear, save the
result.

Flows in: the bytes of a file and an open database. Flows out: rows, and what they say. What is
handed over is saved in the inbox under the cause that a notification of the same fact has, before
the result is: whoever comes first, the owner takes it once, and a run that is cut off is repeated
without harm.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date

from actors.machine.events import RefundSucceeded
from actors.machine.ids import MachineId
from alipay_client.files import RowType, parse_transactions
from alipay_client.notify import NotificationKind
from gateway.alipay.reconciliation import words
from gateway.alipay.reconciliation.compare import SOURCE, Found, Terms, compare
from gateway.alipay.reconciliation.words import Words
from storage.database.engine import Database
from storage.machines.inbox import Inbox, Received
from storage.machines.rows import DAY_MS
from storage.reconciliation.our_books import read_our_books
from storage.reconciliation.runs import (
    Difference,
    DifferenceStatus,
    NewRun,
    Reconciliation,
    RunView,
)

_CHINA_MS = 8 * 3_600_000
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyFile:
    """A file as it came. ``name`` is for people."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        """What names the file."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Who we are at Alipay: partner id, registered name, and the largest payment that is
    believed.
    """

    partner: str
    merchant_name: str
    payment_minor_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The run as saved. ``day_is_over``: what is missing at Alipay was looked for."""

    run: RunView
    day_is_over: bool

    @property
    def open_count(self) -> int:
        """How many differences of the day wait for a person."""
        return sum(
            difference.status is DifferenceStatus.OPEN for difference in self.run.differences
        )


async def reconcile(
    db: Database, daily: DailyFile, ours: Ours, *, now_ms: int, restored: bool = False
) -> Outcome:
    """Compare the file with our books and save what differs. Raises FileRefused or StoreError;
    again with the same file does no harm. ``restored``: our books may have forgotten payments of
    this day and what they bought, so no payment that they do not know is passed on. What was said
    of a day once holds for whatever is read of it later.

    A file whose day has a newer one changes nothing else: its run is returned with the day's
    differences as they stand.
    """
    file = parse_transactions(daily.content, partner=ours.partner)
    from_ms = starts_ms(file.day)
    day_is_over = now_ms >= from_ms + DAY_MS
    reconciliation = Reconciliation(db)
    before = await reconciliation.run_of(daily.sha256)
    if before is not None and not before.latest:
        if restored:
            await reconciliation.say_restored(before.run_id)
        return Outcome(run=before, day_is_over=day_is_over)
    restored = restored or await reconciliation.was_restored(file.day.isoformat())
    books = await read_our_books(
        db,
        from_ms=from_ms,
        to_ms=from_ms + DAY_MS,
        trade_ids={row.trade_id for row in file.rows},
        refund_ids={row.partner_id for row in file.rows if row.row_type is RowType.REFUND},
        names={
            row.operator_name
            for row in file.rows
            if row.operator_name and row.operator_name.isprintable()
        },
    )
    terms = Terms(
        merchant_name=ours.merchant_name,
        payment_minor_max=ours.payment_minor_max,
        day_is_over=day_is_over,
        restored=restored,
    )
    comparison = compare(file, books, terms)
    inbox = Inbox(db)
    differences = [await _passed_on(inbox, found, daily, now_ms) for found in comparison.found]
    run = NewRun(
        day=file.day.isoformat(),
        file_sha256=daily.sha256,
        file_name=daily.name,
        row_count=len(file.rows),
        totals=comparison.totals,
        day_was_over=day_is_over,
        restored=restored,
    )
    return Outcome(
        run=await reconciliation.record(run, differences, now_ms=now_ms), day_is_over=day_is_over
    )


def starts_ms(day: date) -> int:
    """Return when a day of GMT+8 begins, in milliseconds since 1970 UTC."""
    return (day.toordinal() - _EPOCH) * DAY_MS - _CHINA_MS


async def _passed_on(inbox: Inbox, found: Found, daily: DailyFile, now_ms: int) -> Difference:
    """Save the event for its machine, if there is one; the host's sweep brings it to the owner."""
    difference = found.difference
    if found.event is None:
        return difference
    refunded = isinstance(found.event, RefundSucceeded)
    stored = await inbox.put(
        Received(
            cause=f"refund:{difference.refund_id}"
            if refunded
            else f"payment:{difference.trade_id}",
            kind=(NotificationKind.REFUNDED if refunded else NotificationKind.PAID).value,
            machine_id=MachineId(difference.machine_id),
            trade_id=difference.trade_id,
            event=found.event,
            fields={
                "source": SOURCE,
                "file": daily.name,
                "trade_no": difference.trade_id,
                "said": difference.said,
            },
            told_sha256=daily.sha256,
            received_at_ms=now_ms,
        )
    )
    if stored.verdict != "CONFLICT":
        return difference
    told = words.contradicted(
        Words(said=difference.said, cause=difference.cause, advice=difference.advice)
    )
    return replace(difference, status=DifferenceStatus.OPEN, cause=told.cause, advice=told.advice)
