"""How a vend ends: its reservation becomes a sale, or goes back to whom it came from.

The machine's result, its journal after a power cut, a deadline or a person leads here. What a
session does after its vend is decided here too.
"""

from actors.machine import alarms, incidents, ledger, offering, paying, refunding, stock
from actors.machine.draft import Draft
from actors.machine.evidence import contradiction
from actors.machine.goods import GoodsKind
from actors.machine.state import (
    AlarmKind,
    EndReason,
    FailureCause,
    Mode,
    RefundCause,
    Vend,
    VendStatus,
)
from actors.machine.values import replace

_SUCCEEDED, _SOLD = VendStatus.SUCCEEDED, GoodsKind.SOLD
_VEND_ENDED, _SELECTION_FIRST = RefundCause.VEND_ENDED, Mode.SELECTION_FIRST
_NOT_BY_CUSTOMER = frozenset({FailureCause.UNSETTLED, FailureCause.REVIEWED})
"""A deadline or a person's decision is not an operation of the customer's."""


def result_again(draft: Draft, settled: Vend, *, delivered: bool, evidence: str) -> None:
    """Take a second result of a settled vend. Goods that came after the money went back are written
    off, once. A result that takes back an earlier one, or cannot be true, moves nothing: a person
    is told.
    """
    sold = settled.status is VendStatus.SUCCEEDED
    wrong = contradiction(evidence, delivered=delivered)
    if (wrong and not sold) or (sold and not delivered):
        said = wrong or "not delivered, after it was said to be delivered"
        alarms.ring(
            draft,
            AlarmKind.VEND_CONTRADICTED,
            f"vend {settled.vend_id} was settled as {settled.status} before; now its machine says: "
            f"{said}" + (f" ({evidence})" if evidence else ""),
            subject=settled.vend_id,
        )
        return
    if not delivered or sold:
        draft.note(f"vend {settled.vend_id} was settled as {settled.status} before")
        return
    if settled.taken_over:
        # Nothing is written off by a word that may be another device's.
        alarms.ring(
            draft,
            AlarmKind.VEND_CONTRADICTED,
            f"vend {settled.vend_id} was settled as {settled.status} after a stream took over that "
            f"could not show whose it is; now it is said to be delivered ({evidence})",
            subject=settled.vend_id,
        )
        return
    draft.note(
        f"vend {settled.vend_id} was delivered after its price had gone back: "
        f"{settled.price_minor} written off"
    )
    draft.move(ledger.write_off(settled.vend_id, settled.price_minor))
    stock.take_one(draft, settled.column, GoodsKind.VEND_WRITTEN_OFF, settled)
    draft.settled(
        replace(
            settled,
            status=VendStatus.SUCCEEDED,
            reason="WRITTEN_OFF",
            evidence=evidence,
            ended_at_ms=draft.now_ms,
        )
    )


def succeeded(draft: Draft, vend: Vend, evidence: str) -> None:
    """Delivered: the reservation becomes a sale."""
    for part in vend.reserved:
        trade = draft.trade(part.trade_id)
        left_minor = trade.reserved_minor - part.amount_minor
        draft.put_trade(
            replace(
                trade, reserved_minor=left_minor, sold_minor=trade.sold_minor + part.amount_minor
            )
        )
    draft.move(*ledger.settle(vend.vend_id, vend.reserved))
    stock.works(draft, vend.column)
    incidents.sold(draft, vend.column)
    stock.take_one(draft, vend.column, _SOLD, vend)
    done = replace(vend, status=_SUCCEEDED, evidence=evidence, ended_at_ms=draft.now_ms)
    if let_go(draft, done):
        go_on(draft, _VEND_ENDED)


def failed(draft: Draft, vend: Vend, cause: FailureCause, evidence: str) -> None:
    """Not delivered: the reservation goes back to the customer's funds, and from there to the
    customer if the session is over.
    """
    for part in vend.reserved:
        trade = draft.trade(part.trade_id)
        draft.put_trade(
            replace(
                trade,
                reserved_minor=trade.reserved_minor - part.amount_minor,
                funds_minor=trade.funds_minor + part.amount_minor,
            )
        )
    draft.move(*ledger.give_back(vend.vend_id, vend.reserved))
    offering.not_delivered(draft, vend)
    if cause is FailureCause.EMPTY:
        stock.found_empty(draft, vend.column, vend.product)
    stock.failed(draft, vend.column, cause)
    void = cause in {FailureCause.UNSETTLED, FailureCause.INDETERMINATE, FailureCause.REVIEWED}
    done = replace(
        vend,
        status=VendStatus.VOIDED if void else VendStatus.FAILED,
        reason=cause,
        evidence=evidence,
        ended_at_ms=draft.now_ms,
    )
    if let_go(draft, done):
        go_on(draft, RefundCause.VEND_FAILED)
        return
    for part in vend.reserved:
        refunding.make(
            draft, draft.trade(part.trade_id), part.amount_minor, RefundCause.VEND_FAILED
        )


def let_go(draft: Draft, done: Vend) -> bool:
    """Settle the vend; return True if its session goes on."""
    draft.settled(done)
    session = draft.state.session
    if session is not None and session.vend is not None and session.vend.vend_id == done.vend_id:
        at_ms = session.last_operation_at_ms if done.reason in _NOT_BY_CUSTOMER else draft.now_ms
        money_at_ms = at_ms if done.status is _SUCCEEDED else session.money_at_ms
        draft.put_session(
            replace(session, vend=None, last_operation_at_ms=at_ms, money_at_ms=money_at_ms)
        )
        return True
    draft.update(doubts=tuple(vend for vend in draft.state.doubts if vend.vend_id != done.vend_id))
    return False


def go_on(draft: Draft, cause: RefundCause) -> None:
    """Go on after a vend: a purchase-first session ends; a pay-first one ends if nothing is
    left.
    """
    if draft.session.mode is _SELECTION_FIRST:
        paying.end_session(draft, EndReason.VEND_ENDED, cause)
    elif paying.funds(draft.state) == 0:
        paying.end_session(draft, EndReason.SPENT)
    else:
        paying.tell_funds(draft)
