"""Trades and refunds against the ledger: what was paid, where it is now, and what goes back."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, literal, or_, select, tuple_

from actors.machine.ids import TradeId, refund_id
from actors.machine.ledger import Account, TransferKind
from actors.machine.state import RefundStatus
from storage.auditing.findings import Finding
from storage.auditing.reading import (
    ROWS_AT_ONCE,
    Books,
    Span,
    credited,
    made_once,
    reference,
    total,
    touches,
)
from storage.fleet.halted_money import OPEN_REFUNDS
from storage.tables import refunds, trades, transfers

transfer = transfers.c
PARTS = ("paid_minor", "held_minor", "sold_minor", "refunded_minor", "written_off_minor")


def trades_equal_the_ledger(books: Books) -> Iterator[int | Finding]:
    """Every trade is the sum of its parts, none below zero: paid = held + sold + refunded + written
    off; the ledger says so too.
    """
    for span in books.spans:
        yield books.count(trades, span.holds(trades.c.machine_id))
        wrong, strangers = _wrong_trades(span)
        for row in books.odd_ones(wrong):
            yield _trade_finding(row)
        for row in books.odd_ones(strangers):
            yield Finding(
                sentence=(
                    f"the ledger moves money of trade {row.trade_id} (paid {row.paid_minor}), "
                    f"which machine {row.machine_id} has not"
                ),
                machine_id=row.machine_id,
                trade_id=row.trade_id,
                amounts={"ledger_paid_minor": row.paid_minor},
            )


@made_once
def _wrong_trades(span: Span) -> tuple[Select[Any], Select[Any]]:
    """Return what finds trades that are not what the ledger says, and what it says of none."""
    moved = _moved(span.holds(transfer.machine_id)).subquery()
    same = and_(moved.c.trade_id == trades.c.trade_id, moved.c.machine_id == trades.c.machine_id)
    said = {name: trades.c[name] for name in PARTS}
    entered = {name: func.coalesce(moved.c[name], 0) for name in PARTS}
    parts: ColumnElement[int] = literal(0)
    for name in PARTS[1:]:
        parts = parts + said[name]
    wrong = or_(
        said["paid_minor"] != parts,
        *(said[name] < 0 for name in PARTS),
        *(said[name] != entered[name] for name in PARTS),
    )
    columns = [value.label(f"ledger_{name}") for name, value in entered.items()]
    return (
        select(trades, *columns)
        .select_from(trades.outerjoin(moved, same))
        .where(span.holds(trades.c.machine_id), wrong),
        select(moved.c.trade_id, moved.c.machine_id, moved.c.paid_minor)
        .select_from(moved.outerjoin(trades, same))
        .where(trades.c.trade_id.is_(None)),
    )


def _moved(ours: ColumnElement[bool]) -> Select[Any]:
    """Return what the ledger says of each trade, in the words of its row."""
    top_up = transfer.kind == TransferKind.TOP_UP.value
    receivable = credited(Account.RECEIVABLE)
    return (
        select(
            transfer.trade_id,
            transfer.machine_id,
            total(case((top_up, -receivable), else_=0)).label("paid_minor"),
            total(credited(Account.CUSTOMER_FUNDS, Account.RESERVED)).label("held_minor"),
            total(credited(Account.SALES)).label("sold_minor"),
            # What is due back and what went back.
            total(credited(Account.REFUND_DUE) + case((top_up, 0), else_=receivable)).label(
                "refunded_minor"
            ),
            total(credited(Account.REFUNDS_WRITTEN_OFF)).label("written_off_minor"),
        )
        .where(ours, transfer.trade_id != "")
        .group_by(transfer.trade_id, transfer.machine_id)
    )


def _trade_finding(row: Row[Any]) -> Finding:
    names = {name: name.removesuffix("_minor").replace("_", " ") for name in PARTS}
    said = ", ".join(f"{word} {getattr(row, name)}" for name, word in names.items())
    entered = ", ".join(f"{word} {getattr(row, f'ledger_{name}')}" for name, word in names.items())
    return Finding(
        sentence=(
            f"trade {row.trade_id} of machine {row.machine_id} says {said}; the ledger says "
            f"{entered} ({row.currency})"
        ),
        machine_id=row.machine_id,
        trade_id=row.trade_id,
        currency=row.currency,
        amounts={
            name: getattr(row, name) for name in (*PARTS, *(f"ledger_{name}" for name in PARTS))
        },
    )


def refunds_equal_the_ledger(books: Books) -> Iterator[int | Finding]:
    """Every refund was asked for with its amount, once; the ledger owes it while it is open, and
    nothing any more when it is over. What moves under it names its own trade.
    """
    yield from _under_another_trade(books)
    for span in books.spans:
        yield books.count(refunds, span.holds(refunds.c.machine_id))
        wrong, strangers = _wrong_refunds(span)
        for row in books.odd_ones(wrong):
            yield Finding(
                sentence=f"refund {row.refund_id} of trade {row.trade_id} is {row.status} with "
                f"{row.amount_minor} {row.currency};"
                f" the ledger asked for {row.asked} and owes {row.due} (machine {row.machine_id})",
                machine_id=row.machine_id,
                trade_id=row.trade_id,
                refund_id=row.refund_id,
                currency=row.currency,
                amounts={
                    "amount_minor": row.amount_minor,
                    "ledger_asked_minor": row.asked,
                    "ledger_due_minor": row.due,
                },
            )
        for row in books.odd_ones(strangers):
            yield Finding(
                sentence=(
                    f"the ledger asked for {row.asked} under refund {row.refund_id}, which machine "
                    f"{row.machine_id} has not"
                ),
                machine_id=row.machine_id,
                refund_id=row.refund_id,
                amounts={"ledger_asked_minor": row.asked, "ledger_due_minor": row.due},
            )


@made_once
def _wrong_refunds(span: Span) -> tuple[Select[Any], Select[Any]]:
    """Return what finds refunds that are not what the ledger says, and what it says of none."""
    refund_id = reference(Account.REFUND_DUE)
    asked_for = transfer.kind == TransferKind.REFUND_ASKED.value
    due_minor = credited(Account.REFUND_DUE)
    due = (
        select(
            refund_id.label("refund_id"),
            transfer.machine_id,
            total(case((asked_for, due_minor), else_=0)).label("asked"),
            total(due_minor).label("due"),
        )
        .where(span.holds(transfer.machine_id), touches(Account.REFUND_DUE))
        .group_by(refund_id, transfer.machine_id)
    ).subquery()
    same = and_(due.c.refund_id == refunds.c.refund_id, due.c.machine_id == refunds.c.machine_id)
    asked, owed = func.coalesce(due.c.asked, 0), func.coalesce(due.c.due, 0)
    expected = case((refunds.c.status.in_(OPEN_REFUNDS), refunds.c.amount_minor), else_=0)
    wrong = or_(refunds.c.amount_minor <= 0, asked != refunds.c.amount_minor, owed != expected)
    return (
        select(refunds, asked.label("asked"), owed.label("due"))
        .select_from(refunds.outerjoin(due, same))
        .where(span.holds(refunds.c.machine_id), wrong),
        select(due).select_from(due.outerjoin(refunds, same)).where(refunds.c.refund_id.is_(None)),
    )


@made_once
def _moved_under_another_trade() -> Select[Any]:
    return (
        select(
            *transfers.c["machine_id", "kind", "trade_id", "amount_minor", "currency"],
            refunds.c.refund_id,
            refunds.c.trade_id.label("own_trade_id"),
        )
        .select_from(transfers.join(refunds, refunds.c.refund_id == reference(Account.REFUND_DUE)))
        .where(touches(Account.REFUND_DUE), transfer.trade_id != refunds.c.trade_id)
    )


def _under_another_trade(books: Books) -> Iterator[Finding]:
    for row in books.odd_ones(_moved_under_another_trade()):
        yield Finding(
            sentence=(
                f"{row.kind} of {row.amount_minor} under refund {row.refund_id} names trade "
                f"{row.trade_id}, and the refund is of trade {row.own_trade_id}"
            ),
            machine_id=row.machine_id,
            trade_id=row.trade_id,
            refund_id=row.refund_id,
            currency=row.currency,
            amounts={"amount_minor": row.amount_minor},
        )


def refunds_follow_from_their_trades(books: Books) -> Iterator[int | Finding]:
    """A trade's refunds are numbered 1, 2 and so on by their ids, and together they are what it
    gives back, never more than was paid.
    """
    last = ("", "")
    rest: list[Row[Any]] = []
    while page := _refunds_behind(books, last):
        last = (page[-1].trade_id, page[-1].refund_id)
        yield len(page)
        *whole, rest = [
            list(group) for _, group in groupby([*rest, *page], key=lambda row: row.trade_id)
        ]
        for group in whole:
            yield from _of_one_trade(group)
    yield from _of_one_trade(rest)


def _refunds_behind(books: Books, last: tuple[str, str]) -> list[Row[Any]]:
    trade_id, last_refund_id = last
    key = tuple_(refunds.c.trade_id, refunds.c.refund_id)
    wanted = (
        select(
            *refunds.c[
                "refund_id",
                "trade_id",
                "machine_id",
                "partner_trans_id",
                "status",
                "amount_minor",
                "currency",
            ],
            trades.c.paid_minor,
            trades.c.refunded_minor,
            trades.c.written_off_minor,
            trades.c.machine_id.label("trade_machine_id"),
            trades.c.partner_trans_id.label("trade_partner_trans_id"),
        )
        .select_from(refunds.outerjoin(trades, trades.c.trade_id == refunds.c.trade_id))
        # The first bound is for SQLite, which finds the place in the index by it.
        .where(
            refunds.c.trade_id >= trade_id, key > tuple_(literal(trade_id), literal(last_refund_id))
        )
        .order_by(refunds.c.trade_id, refunds.c.refund_id)
        .limit(ROWS_AT_ONCE)
    )
    return list(books.connection.execute(wanted))


def _of_one_trade(group: list[Row[Any]]) -> Iterator[Finding]:
    if not group:
        return
    first = group[0]
    off_minor = sum(
        row.amount_minor for row in group if row.status == RefundStatus.WRITTEN_OFF.value
    )
    back_minor = sum(row.amount_minor for row in group) - off_minor
    about = {"machine_id": first.machine_id, "trade_id": first.trade_id, "currency": first.currency}
    if first.paid_minor is None:
        yield Finding(
            sentence=(
                f"{len(group)} refunds of {back_minor} in all name trade {first.trade_id}, which "
                "there is not"
            ),
            **about,
        )
        return
    numbers = range(1, len(group) + 1)
    for row in group:
        derived = {
            refund_id(TradeId(first.trade_id), number, row.amount_minor) for number in numbers
        }
        same = (row.trade_machine_id, row.trade_partner_trans_id) == (
            row.machine_id,
            row.partner_trans_id,
        )
        if row.refund_id not in derived or not same:
            yield Finding(
                sentence=f"refund {row.refund_id} of {row.amount_minor} does not follow from trade "
                f"{row.trade_id}, which has {len(group)}"
                f" refunds: its id, machine or transaction is another",
                refund_id=row.refund_id,
                amounts={"amount_minor": row.amount_minor},
                **about,
            )
    said = (first.refunded_minor, first.written_off_minor)
    if (back_minor, off_minor) != said or back_minor + off_minor > first.paid_minor:
        yield Finding(
            sentence=f"trade {first.trade_id} of {first.paid_minor} says that "
            f"{said[0]} goes back and "
            f"{said[1]} was given up; its refunds"
            f" say {back_minor} and {off_minor}",
            amounts={
                "paid_minor": first.paid_minor,
                "refunded_minor": said[0],
                "written_off_minor": said[1],
                "refunds_minor": back_minor,
                "given_up_minor": off_minor,
            },
            **about,
        )
