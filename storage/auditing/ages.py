"""What is allowed and takes too long: warnings, not findings."""

from collections.abc import Iterator

from sqlalchemy import select

from actors.machine import MachineState
from actors.machine.state import Vend, VendStatus
from storage.auditing.findings import Finding
from storage.auditing.reading import Books
from storage.fleet.halted_money import OPEN_REFUNDS
from storage.tables import inbox, machine_halts, refunds
from storage.tables.records import in_status

REFUND_OPEN_MS = 24 * 3_600_000
INBOX_UNTAKEN_MS = 60_000
DOUBT_OVERDUE_MS = 60_000


def warnings(books: Books) -> Iterator[Finding]:
    """Return everything that has been under way for longer than it should, oldest first of each
    kind.
    """
    yield from _refunds(books)
    yield from _inbox(books)
    yield from _doubts(books)
    yield from _halts(books)


def _refunds(books: Books) -> Iterator[Finding]:
    wanted = (
        select(refunds)
        .where(
            in_status(refunds, OPEN_REFUNDS), refunds.c.due_at_ms < books.now_ms - REFUND_OPEN_MS
        )
        .order_by(refunds.c.due_at_ms, refunds.c.refund_id)
    )
    for row in books.odd_ones(wanted):
        yield Finding(
            sentence=f"refund {row.refund_id} of {row.amount_minor} {row.currency} has "
            "been open for "
            f"{_hours(books, row.due_at_ms)} hours:"
            f" {row.status} {row.error}".rstrip()
            + f" (machine {row.machine_id})",
            machine_id=row.machine_id,
            trade_id=row.trade_id,
            refund_id=row.refund_id,
            currency=row.currency,
            amounts={"amount_minor": row.amount_minor},
        )


def _inbox(books: Books) -> Iterator[Finding]:
    wanted = (
        select(*inbox.c["cause", "machine_id", "trade_id", "received_at_ms"])
        .where(
            inbox.c.taken_at_ms.is_(None), inbox.c.received_at_ms < books.now_ms - INBOX_UNTAKEN_MS
        )
        .order_by(inbox.c.received_at_ms, inbox.c.id)
    )
    for row in books.odd_ones(wanted):
        yield Finding(
            sentence=f"notification {row.cause} of machine {row.machine_id} has waited for "
            f"{_seconds(books, row.received_at_ms)} seconds"
            " and nobody has taken it",
            machine_id=row.machine_id,
            trade_id=row.trade_id,
        )


def _doubts(books: Books) -> Iterator[Finding]:
    for span in books.spans:
        for row, state in books.states(span):
            for vend in () if state is None else _in_doubt(state):
                if vend.deadline_at_ms < books.now_ms - DOUBT_OVERDUE_MS:
                    yield Finding(
                        sentence=f"vend {vend.vend_id} of {vend.price_minor} {row.currency} is in "
                        "doubt, and its deadline was"
                        f" {_seconds(books, vend.deadline_at_ms)} seconds ago (machine "
                        f"{row.machine_id})",
                        machine_id=row.machine_id,
                        session_id=vend.session_id,
                        vend_id=vend.vend_id,
                        currency=row.currency,
                        amounts={"price_minor": vend.price_minor},
                    )


def _halts(books: Books) -> Iterator[Finding]:
    """A machine that is halted should not be so for any time."""
    for row in books.odd_ones(
        select(machine_halts).order_by(machine_halts.c.halted_at_ms, machine_halts.c.machine_id)
    ):
        yield Finding(
            sentence=(
                f"machine {row.machine_id} has been halted for {_seconds(books, row.halted_at_ms)} "
                "seconds and decides nothing: "
            )
            + ": ".join(part for part in (row.fact, row.error) if part),
            machine_id=row.machine_id,
        )


def _in_doubt(state: MachineState) -> Iterator[Vend]:
    session = state.session
    for vend in (
        *state.doubts,
        *(() if session is None or session.vend is None else (session.vend,)),
    ):
        if vend.status is VendStatus.IN_DOUBT:
            yield vend


def _seconds(books: Books, since_ms: int) -> int:
    return (books.now_ms - since_ms) // 1_000


def _hours(books: Books, since_ms: int) -> int:
    return (books.now_ms - since_ms) // 3_600_000
