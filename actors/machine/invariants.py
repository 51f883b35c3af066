"""What is always true of a state and of a decision. Checked after every decision, in production
too.

A broken invariant is a defect of ours: the host halts the machine, keeps its last saved state, and
a person looks at it.
"""

from collections import Counter
from collections.abc import Iterable

from actors.machine.decision import Decision
from actors.machine.ids import TradeId
from actors.machine.ledger import SIDES, Account
from actors.machine.refunding import under_way
from actors.machine.state import (
    WITH_A_PERSON,
    MachineState,
    RefundStatus,
    Trade,
    Vend,
    VendStatus,
)

RESERVING = {VendStatus.APPROVED, VendStatus.IN_DOUBT, VendStatus.IN_REVIEW}


class InvariantBroken(Exception):
    """The message is the truth that does not hold."""


def _hold(truth: bool, sentence: str) -> None:
    if not truth:
        raise InvariantBroken(sentence)


def check(state: MachineState) -> None:
    """Raise InvariantBroken if the state contradicts itself."""
    _check_vends(state)
    _check_trades(state)
    _check_refunds(state)
    for column in state.columns:
        _hold(
            0 <= column.stock <= column.capacity,
            f"column {column.column} holds {column.stock} of {column.capacity}",
        )
        _hold(column.price_minor > 0, f"column {column.column} has a price")


def check_decision(before: MachineState, decision: Decision) -> None:
    """Raise InvariantBroken if the decision's state, its ledger transfers and its records do not
    tell the same story.
    """
    check(decision.state)
    if not decision.changed:
        _hold(decision.state == before, "a decision without change keeps the state")
        return
    _hold(decision.state.version == before.version + 1, "each decision is one version")
    for transfer in decision.transfers:
        _hold(
            transfer.amount_minor > 0, f"transfer {transfer.kind} {transfer.cause} moves something"
        )
        _hold(
            (transfer.debit_account, transfer.credit_account) == SIDES[transfer.kind],
            f"transfer {transfer.kind} {transfer.cause} has the accounts of its kind",
        )
    _check_ledger(before, decision)


def _open_vends(state: MachineState) -> tuple[Vend, ...]:
    vend = None if state.session is None else state.session.vend
    return (*state.doubts, *(() if vend is None else (vend,)))


def _check_vends(state: MachineState) -> None:
    for vend in _open_vends(state):
        reserved = sum(part.amount_minor for part in vend.reserved)
        if vend.status is VendStatus.AWAITING_PAYMENT:
            _hold(reserved == 0, f"vend {vend.vend_id} waits for its payment and reserves nothing")
        else:
            _hold(vend.status in RESERVING, f"vend {vend.vend_id} is open, not {vend.status}")
            _hold(
                reserved == vend.price_minor,
                f"vend {vend.vend_id} reserves {reserved} of its price {vend.price_minor}",
            )
        _hold(
            all(part.amount_minor > 0 for part in vend.reserved),
            f"vend {vend.vend_id} reserves nothing below one unit",
        )
    outliving = {VendStatus.IN_DOUBT, VendStatus.IN_REVIEW}
    _hold(
        all(vend.status in outliving for vend in state.doubts),
        "only vends in doubt or in review outlive their session",
    )


def _check_trades(state: MachineState) -> None:
    reserved: Counter[TradeId] = Counter()
    for vend in _open_vends(state):
        for part in vend.reserved:
            reserved[part.trade_id] += part.amount_minor
    _hold(
        reserved.keys() <= {trade.trade_id for trade in state.trades},
        "reservations stand on open trades",
    )
    _hold(
        len({trade.trade_id for trade in state.trades}) == len(state.trades), "a trade is kept once"
    )
    _hold(
        not {trade.trade_id for trade in state.trades} & set(state.closed_trades),
        "a trade is open or closed, not both",
    )
    session_id = None if state.session is None else state.session.session_id
    for trade in state.trades:
        parts = (
            trade.funds_minor,
            trade.reserved_minor,
            trade.sold_minor,
            trade.refunded_minor,
            trade.written_off_minor,
        )
        _hold(min(parts) >= 0, f"trade {trade.trade_id} owes nobody: {parts}")
        _hold(
            sum(parts) == trade.paid_minor,
            f"trade {trade.trade_id} of {trade.paid_minor} is the sum of its parts {parts}",
        )
        _hold(
            reserved[trade.trade_id] == trade.reserved_minor,
            f"trade {trade.trade_id} knows its reservations",
        )
        _hold(
            trade.funds_minor == 0 or trade.session_id == session_id is not None,
            f"trade {trade.trade_id} has free funds only in its own open session",
        )


def _check_refunds(state: MachineState) -> None:
    trades: dict[TradeId, Trade] = {trade.trade_id: trade for trade in state.trades}
    due: Counter[TradeId] = Counter()
    _hold(
        len({refund.refund_id for refund in state.refunds}) == len(state.refunds),
        "a refund is kept once",
    )
    for refund in state.refunds:
        _hold(refund.amount_minor > 0, f"refund {refund.refund_id} gives something back")
        _hold(refund.trade_id in trades, f"refund {refund.refund_id} belongs to an open trade")
        _hold(refund.status is not RefundStatus.SUCCEEDED, f"refund {refund.refund_id} is not done")
        persons = refund.status in WITH_A_PERSON
        _hold(
            refund.proposal is None or persons,
            f"refund {refund.refund_id} may be written off only if it is a person's",
        )
        _hold(
            persons or not refund.asked_by_person,
            f"refund {refund.refund_id} is asked after for a person only while it is theirs",
        )
        waits = refund.next_attempt_at_ms is not None or persons
        _hold(
            waits or under_way(refund),
            f"refund {refund.refund_id} waits, is under way, or is a person's",
        )
        due[refund.trade_id] += refund.amount_minor
    for trade_id, amount_minor in due.items():
        _hold(
            amount_minor <= trades[trade_id].refunded_minor, f"trade {trade_id} knows its refunds"
        )


def _funds(trades: Iterable[Trade]) -> dict[str, int]:
    return {trade.trade_id: trade.funds_minor for trade in trades}


def _check_ledger(before: MachineState, decision: Decision) -> None:
    """The ledger's movement of each trade's funds equals the state's."""
    moved: Counter[str] = Counter()
    for transfer in decision.transfers:
        if transfer.debit_account is Account.CUSTOMER_FUNDS:
            moved[transfer.debit_reference] -= transfer.amount_minor
        if transfer.credit_account is Account.CUSTOMER_FUNDS:
            moved[transfer.credit_reference] += transfer.amount_minor
    old, new = _funds(before.trades), _funds(decision.state.trades)
    for trade_id in old.keys() | new.keys() | moved.keys():
        change = new.get(trade_id, 0) - old.get(trade_id, 0)
        _hold(
            change == moved[trade_id],
            f"the ledger moves {moved[trade_id]} of trade {trade_id}, the state {change}",
        )
