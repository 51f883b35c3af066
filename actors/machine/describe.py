"""One line of text for an event, an order, a movement of money, a state: the same words in logs, in
the timeline and in the transcripts.

Holds no payer: a transcript may be shown to anybody.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from msgspec import Struct

from actors.machine import deadlines, events
from actors.machine.effects import Effect
from actors.machine.goods import GoodsMove
from actors.machine.ledger import Transfer
from actors.machine.policy import Policy
from actors.machine.state import MachineState, phase

HIDDEN = frozenset(
    {"payer_id", "offers", "remarks", "token", "returned_token", "resume_token", "keeps_token"}
)
"""Fields that are told to nobody, or to nobody but the machine."""


def _value(value: Any) -> str:
    match value:
        case StrEnum():
            return str(value)
        case bool():
            return "yes" if value else "no"
        case tuple():
            return str(len(value))
        case str() if " " in value or value == "":
            return f"'{value}'"
        case Struct():
            return f"({_words(value)})"
        case _:
            return str(value)


def _words(value: Struct) -> str:
    return _pairs((name, getattr(value, name)) for name in value.__struct_fields__)


def _pairs(pairs: Iterable[tuple[str, Any]]) -> str:
    return " ".join(
        f"{name.removesuffix('_minor')}={_value(item)}"
        for name, item in pairs
        if name not in HIDDEN and item not in {None, ""}
    )


def event(fact: events.Event) -> str:
    """Return the event in one line, for example ``TopUpPaid trade_id=t7 amount=500
    currency=HKD``.
    """
    if isinstance(fact, events.FrameReceived):
        return f"#{fact.seq} {type(fact.fact).__name__} {_words(fact.fact)}".rstrip()
    return f"{type(fact).__name__} {_words(fact)}".rstrip()


def effect(order: Effect) -> str:
    """Return the order in one line."""
    return f"{type(order).__name__} {_words(order)}".rstrip()


def order(kind: str, fields: Iterable[tuple[str, Any]]) -> str:
    """Return the same of an order's kind and its fields, of which a list is told by its length."""
    return f"{kind} {_pairs(fields)}".rstrip()


def transfer(movement: Transfer, currency: str) -> str:
    """Return the movement in one line, for example ``TOP_UP 500 HKD RECEIVABLE to CUSTOMER_FUNDS
    t7``.
    """
    debit = f"{movement.debit_account} {movement.debit_reference}".rstrip()
    credit = f"{movement.credit_account} {movement.credit_reference}".rstrip()
    return f"{movement.kind} {movement.amount_minor} {currency} {debit} to {credit}"


def goods(move: GoodsMove) -> str:
    """Return the move in one line, for example ``SOLD 1 cola COLUMN:VM-1/A1 to SOLD``."""
    return f"{move.kind} {move.quantity} {move.product} {move.from_place} to {move.to_place}"


def state(now: MachineState) -> str:
    """Return phase, session and money in one line, for example ``SESSION_IDLE VM-1-s3 funds=500
    refunds_due=0``.
    """
    words = [str(phase(now))]
    if now.session is not None:
        words.append(now.session.session_id)
    words.append(f"funds={sum(trade.funds_minor for trade in now.trades)}")
    for name, amount in (
        ("reserved", sum(trade.reserved_minor for trade in now.trades)),
        ("refunds_due", sum(refund.amount_minor for refund in now.refunds)),
    ):
        if amount:
            words.append(f"{name}={amount}")
    if now.doubts:
        words.append(f"doubts={len(now.doubts)}")
    return " ".join(words)


def deadline(now: MachineState, policy: Policy, now_ms: int) -> str:
    """Return when the core wants to be woken, relative to ``now_ms``, for example ``+300s``; empty
    if never.
    """
    at_ms = deadlines.next_deadline(now, policy)
    return "" if at_ms is None else f"+{(at_ms - now_ms) / 1000:g}s"
