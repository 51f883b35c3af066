"""Money that comes in, and the session that it feeds or does not feed.

One trade is credited once. It feeds the session of the customer who pays; everything else (a second
customer, late money, money without a selection where one is needed) goes back by itself, at once
and in full.
"""

from dataclasses import replace

from actors.machine import ledger, refunding, stock
from actors.machine.effects import BeginSession, EndSession, UpdateFunds
from actors.machine.events import TopUpPaid
from actors.machine.ids import session_id
from actors.machine.state import (
    EndReason,
    MachineState,
    Mode,
    RefundCause,
    Session,
    Trade,
    VendStatus,
)
from actors.machine.turn import Turn

REFUND_CAUSE = {
    EndReason.COMPLETE: RefundCause.COMPLETE,
    EndReason.IDLE: RefundCause.IDLE,
    EndReason.UNAVAILABLE: RefundCause.UNAVAILABLE,
    EndReason.NOT_PAID: RefundCause.NOT_PAID,
    EndReason.VEND_ENDED: RefundCause.VEND_ENDED,
}
"""Why the rest goes back when a session ends; SPENT leaves none."""


def session_trades(state: MachineState) -> tuple[Trade, ...]:
    """Return the trades that feed the open session, oldest first."""
    if state.session is None:
        return ()
    return tuple(trade for trade in state.trades if trade.session_id == state.session.session_id)


def funds(state: MachineState) -> int:
    """Return what the customer of the open session can spend, in minor units; 0 without one."""
    return sum(trade.funds_minor for trade in session_trades(state))


def deadline_at_ms(session: Session, idle_refund_ms: int, unavailable_grace_ms: int) -> int:
    """Return when the rest of an idle session goes back."""
    idle = session.last_operation_at_ms + idle_refund_ms
    if session.unavailable_since_ms is None:
        return idle
    return min(idle, session.unavailable_since_ms + unavailable_grace_ms)


def expires_in_ms(turn: Turn) -> int:
    """Return how long the customer may still do nothing."""
    at_ms = deadline_at_ms(
        turn.session, turn.policy.idle_refund_ms, turn.policy.unavailable_grace_ms
    )
    return max(0, at_ms - turn.now_ms)


def take(turn: Turn, event: TopUpPaid) -> bool:
    """Credit a payment once. Return True if it feeds the open session, so that a waiting selection
    may be approved.
    """
    state = turn.state
    if event.trade_id in state.closed_trades or any(
        trade.trade_id == event.trade_id for trade in state.trades
    ):
        turn.note(f"trade {event.trade_id} was credited before")
        return False
    if event.currency != state.currency or event.amount_minor <= 0:
        turn.note(
            f"trade {event.trade_id} of {event.amount_minor} {event.currency} cannot be "
            f"credited to a {state.currency} machine"
        )
        return False
    trade = Trade(
        trade_id=event.trade_id,
        partner_trans_id=event.partner_trans_id,
        payer=event.payer,
        paid_minor=event.amount_minor,
        funds_minor=event.amount_minor,
        received_at_ms=turn.now_ms,
    )
    turn.put_trade(trade)
    turn.move(ledger.top_up(trade.trade_id, trade.paid_minor))
    unwanted = _why_unwanted(turn, event)
    if unwanted is not None:
        refunding.make(turn, trade, trade.funds_minor, unwanted)
        return False
    _feed(turn, trade)
    return True


def _why_unwanted(turn: Turn, event: TopUpPaid) -> RefundCause | None:
    """Return why the money must not feed a session; None if it may."""
    session, mode = turn.state.session, turn.state.configuration.mode
    if turn.now_ms - event.paid_at_ms > turn.policy.payment_age_max_ms:
        return RefundCause.LATE_PAYMENT
    if len(turn.state.trades) > turn.policy.trades_max:
        return RefundCause.OVERLOADED
    if session is not None:
        # A payer whom Alipay does not name cannot be proved to be the one who is there.
        same = session.paid_minor == 0 or (session.payer != "" and session.payer == event.payer)
        return _why_before_the_choice(turn, event, session) if same else RefundCause.SECOND_CUSTOMER
    if turn.now_ms < turn.state.late_watch_until_ms:
        return RefundCause.LATE_PAYMENT
    return RefundCause.NO_SELECTION if mode is Mode.SELECTION_FIRST else None


def _why_before_the_choice(turn: Turn, event: TopUpPaid, session: Session) -> RefundCause | None:
    """Return why the first money of a selection must not pay for it: it was paid before, for the
    last selection or for none.
    """
    if (
        session.paid_minor
        or event.paid_at_ms + turn.policy.clock_tolerance_ms >= session.started_at_ms
    ):
        return None
    if session.started_at_ms < turn.state.late_watch_until_ms:
        return RefundCause.LATE_PAYMENT
    # Where one may pay first, who paid and then chose before we heard of it gets the choice.
    return (
        RefundCause.NO_SELECTION if turn.state.configuration.mode is Mode.SELECTION_FIRST else None
    )


def _feed(turn: Turn, trade: Trade) -> None:
    if turn.state.session is None:
        open_session(turn, Mode.AUTHORIZATION_FIRST)
    session = turn.session
    turn.put_session(
        replace(
            session,
            payer=trade.payer,
            paid_minor=session.paid_minor + trade.paid_minor,
            last_operation_at_ms=turn.now_ms,
        )
    )
    turn.put_trade(replace(trade, session_id=session.session_id))
    if session.announced and (
        session.vend is None or session.vend.status is not VendStatus.AWAITING_PAYMENT
    ):
        tell_funds(turn)


def open_session(turn: Turn, mode: Mode) -> None:
    """Begin a customer's stay."""
    number = turn.state.sessions_made + 1
    turn.update(sessions_made=number)
    turn.put_session(
        Session(
            session_id=session_id(turn.state.machine_id, number),
            mode=mode,
            started_at_ms=turn.now_ms,
            last_operation_at_ms=turn.now_ms,
        )
    )


def touch(turn: Turn) -> None:
    """The customer did something: the idle time starts anew."""
    turn.put_session(replace(turn.session, last_operation_at_ms=turn.now_ms))


def tell_funds(turn: Turn) -> None:
    """Tell the machine what the customer can spend."""
    turn.tell(
        UpdateFunds(
            session_id=turn.session.session_id,
            funds_minor=funds(turn.state),
            expires_in_ms=expires_in_ms(turn),
        )
    )


def announce(turn: Turn) -> None:
    """Tell the machine that a customer has funds."""
    turn.put_session(replace(turn.session, announced=True))
    turn.tell(
        BeginSession(
            session_id=turn.session.session_id,
            funds_minor=funds(turn.state),
            expires_in_ms=expires_in_ms(turn),
        )
    )


def end_session(turn: Turn, reason: EndReason, cause: RefundCause | None = None) -> None:
    """End the stay: all free funds go back, a vend in doubt stays behind with its money
    reserved.
    """
    session = turn.session
    rest = funds(turn.state)
    for trade in session_trades(turn.state):
        if trade.funds_minor:
            refunding.make(turn, trade, trade.funds_minor, cause or REFUND_CAUSE[reason])
    if session.vend is not None:
        assert session.vend.status is VendStatus.IN_DOUBT
        turn.update(doubts=(*turn.state.doubts, session.vend))
    # What the session saw is written once more with its end; the vend in doubt lives on by itself.
    turn.put_session(replace(session, vend=None, ended_at_ms=turn.now_ms, end_reason=reason))
    turn.tell(EndSession(session_id=session.session_id, reason=reason, refund_minor=rest))


def end_if_over(turn: Turn) -> None:
    """End a session whose time has come."""
    session = turn.state.session
    if session is None or (
        session.vend is not None and session.vend.status is not VendStatus.IN_DOUBT
    ):
        return
    if (
        deadline_at_ms(session, turn.policy.idle_refund_ms, turn.policy.unavailable_grace_ms)
        > turn.now_ms
    ):
        return
    idle = session.last_operation_at_ms + turn.policy.idle_refund_ms <= turn.now_ms
    end_session(turn, EndReason.IDLE if idle else EndReason.UNAVAILABLE)


def note_availability(turn: Turn) -> bool:
    """Note since when the machine cannot serve its customer. Return True if it can, and no vend
    stands in the way.
    """
    session = turn.state.session
    if session is None or (
        session.vend is not None and session.vend.status is not VendStatus.IN_DOUBT
    ):
        return False
    able = stock.can_sell(turn.state)
    if able and session.unavailable_since_ms is not None:
        turn.put_session(replace(session, unavailable_since_ms=None))
    elif not able and session.unavailable_since_ms is None:
        turn.put_session(replace(session, unavailable_since_ms=turn.now_ms))
    return able


def settle_availability(turn: Turn) -> None:
    """At the end of a turn: note whether the machine can serve its customer, and tell it of a
    customer it can serve.
    """
    if note_availability(turn) and not turn.session.announced:
        announce(turn)
