"""Money that comes in, and the session that it feeds or does not feed.

One trade is credited once. It feeds the session of the customer who pays; any other money (a second
customer's, late money, money without a selection where one is needed) goes back at once, in full.
Nobody keeps the machine for ever: what is left goes back some time after the last payment or sale,
whatever is chosen meanwhile, and a next customer who pays for what it does not cover may come in.
"""

from actors.machine import ledger, offering, refunding, stock
from actors.machine.draft import Draft
from actors.machine.effects import BeginSession, EndSession, UpdateFunds
from actors.machine.events import TopUpPaid, TradeFinished
from actors.machine.ids import mark_of, session_id
from actors.machine.state import (
    EndReason,
    MachineState,
    Mode,
    RefundCause,
    Session,
    Trade,
    VendStatus,
    newest_token,
)
from actors.machine.values import replace

_IN_DOUBT = VendStatus.IN_DOUBT

REFUND_CAUSE = {
    EndReason.COMPLETE: RefundCause.COMPLETE,
    EndReason.IDLE: RefundCause.IDLE,
    EndReason.UNAVAILABLE: RefundCause.UNAVAILABLE,
    EndReason.NOT_PAID: RefundCause.NOT_PAID,
    EndReason.VEND_ENDED: RefundCause.VEND_ENDED,
    EndReason.NEXT_CUSTOMER: RefundCause.NEXT_CUSTOMER,
}
"""Why the rest goes back when a session ends; SPENT leaves none."""


def session_trades(state: MachineState) -> tuple[Trade, ...]:
    """Return the trades that feed the open session, oldest first."""
    if state.session is None:
        return ()
    session_id = state.session.session_id
    return tuple([trade for trade in state.trades if trade.session_id == session_id])


def funds(state: MachineState) -> int:
    """Return what the customer of the open session can spend, in minor units; 0 without one."""
    if state.session is None:
        return 0
    session_id, funds_minor = state.session.session_id, 0
    for trade in state.trades:
        if trade.session_id == session_id:
            funds_minor += trade.funds_minor
    return funds_minor


def idle_at_ms(session: Session, idle_refund_ms: int) -> int:
    """Return when the customer has done nothing for too long.

    Operations that bring no money and no goods, such as choices that are denied, begin the idle
    time again, but all together they prolong the stay by one idle time at most. Otherwise whoever
    wants to buy and cannot would keep the machine closed with another's leftover.
    """
    money_at_ms = max(session.started_at_ms, session.money_at_ms)
    return min(session.last_operation_at_ms + idle_refund_ms, money_at_ms + 2 * idle_refund_ms)


def deadline_at_ms(session: Session, idle_refund_ms: int, unavailable_grace_ms: int) -> int:
    """Return when the rest of an idle session goes back."""
    idle = idle_at_ms(session, idle_refund_ms)
    if session.unavailable_since_ms is None:
        return idle
    return min(idle, session.unavailable_since_ms + unavailable_grace_ms)


def expires_in_ms(draft: Draft) -> int:
    """Return how long the customer may still do nothing."""
    at_ms = deadline_at_ms(
        draft.session, draft.policy.idle_refund_ms, draft.policy.unavailable_grace_ms
    )
    return max(0, at_ms - draft.now_ms)


def take(draft: Draft, event: TopUpPaid) -> bool:
    """Credit a payment once. Return True if it feeds the open session, so that a waiting selection
    may be approved.
    """
    state = draft.state
    if event.trade_id in state.closed_trades or any(
        trade.trade_id == event.trade_id for trade in state.trades
    ):
        draft.note(f"trade {event.trade_id} was credited before")
        return False
    if event.currency != state.currency or event.amount_minor <= 0:
        draft.note(
            f"trade {event.trade_id} of {event.amount_minor} {event.currency} cannot be "
            f"credited to a {state.currency} machine"
        )
        return False
    trade = Trade(
        trade_id=event.trade_id,
        partner_trans_id=event.partner_trans_id,
        payer_id=event.payer_id,
        paid_minor=event.amount_minor,
        funds_minor=event.amount_minor,
        received_at_ms=draft.now_ms,
    )
    draft.put_trade(trade)
    draft.move(ledger.top_up(trade.trade_id, trade.paid_minor))
    unwanted = why_unwanted(draft, event)
    if unwanted is RefundCause.SECOND_CUSTOMER and is_next_customer(draft, event):
        draft.note(
            f"trade {trade.trade_id} pays for the choice that session "
            f"{draft.session.session_id} did not cover: the next customer"
        )
        end_session(draft, EndReason.NEXT_CUSTOMER)
        unwanted = None
    if unwanted is not None:
        refunding.make(draft, trade, trade.funds_minor, unwanted)
        return False
    _feed(draft, trade, event)
    return True


def over_at_alipay(draft: Draft, event: TradeFinished) -> None:
    """Note that Alipay closed a trade. Of one that is over here too it is no news, a year later
    least of all: that it was told stands in the inbox.
    """
    if any(trade.trade_id == event.trade_id for trade in draft.state.trades):
        draft.note(f"Alipay closed trade {event.trade_id}: {event.status}")


def why_unwanted(draft: Draft, event: TopUpPaid) -> RefundCause | None:
    """Return why the money must not feed a session; None if it may.

    Money of an unknown time may be hours old. It feeds the session of the payer who has paid there
    already, unless they may have paid for the selection before it; any other session might be
    somebody else's, so it goes back.
    """
    session, mode = draft.state.session, draft.state.configuration.mode
    if (
        event.paid_at_ours_ms is not None
        and draft.now_ms - event.paid_at_ours_ms > draft.policy.payment_age_max_ms
    ):
        return RefundCause.LATE_PAYMENT
    if len(draft.state.trades) > draft.policy.trades_max:
        return RefundCause.OVERLOADED
    if is_before_a_stranger(draft, event):
        return RefundCause.UNAVAILABLE
    if is_of_the_session_before(draft, event):
        return RefundCause.LATE_PAYMENT
    if session is not None:
        # A payer whom Alipay does not name cannot be proved to be the one who is there.
        same = session.paid_minor == 0 or (
            session.payer_id != "" and session.payer_id == event.payer_id
        )
        return why_before_the_choice(draft, event, session) if same else RefundCause.SECOND_CUSTOMER
    if draft.now_ms < draft.state.late_watch_until_ms:
        return RefundCause.LATE_PAYMENT
    if mode is Mode.SELECTION_FIRST:
        return RefundCause.NO_SELECTION
    return RefundCause.TIME_UNKNOWN if event.paid_at_ms is None else None


def is_before_a_stranger(draft: Draft, event: TopUpPaid) -> bool:
    """Tell whether the money was paid before a stream took over that could not show whose it is:
    in front of the other device, whose customer's money goes back rather than on. What two clocks
    may differ by counts as before.
    """
    strangers_at_ms = draft.state.link.strangers_at_ms
    if not strangers_at_ms or event.paid_at_ours_ms is None:
        return False
    return event.paid_at_ours_ms <= strangers_at_ms[-1] + draft.policy.clock_tolerance_ms


def is_of_the_session_before(draft: Draft, event: TopUpPaid) -> bool:
    """Tell whether the money was paid while the last session was still open. Whoever pays twice for
    one choice, or tops up and leaves, is gone when we hear of it late: it must not wait in front of
    the next customer.
    """
    if event.paid_at_ours_ms is None:
        return False
    return event.paid_at_ours_ms + draft.policy.clock_tolerance_ms < draft.state.session_ended_at_ms


def why_before_the_choice(draft: Draft, event: TopUpPaid, session: Session) -> RefundCause | None:
    """Return why money must not pay for a selection: it was paid before that selection, for the
    last one or for none. None if it may.

    More money of the same payer is asked the same: what they paid in two pieces for the last
    selection, and the newer piece alone may be theirs who chose since.
    """
    if session.mode is not Mode.SELECTION_FIRST:
        return None
    after_another = session.started_at_ms < draft.state.late_watch_until_ms
    if event.paid_at_ours_ms is None:
        safe = session.paid_minor and not after_another
        return None if safe else RefundCause.TIME_UNKNOWN
    if event.paid_at_ours_ms + draft.policy.clock_tolerance_ms >= session.started_at_ms:
        return None
    if after_another:
        return RefundCause.LATE_PAYMENT
    # Where one may pay first, who paid, and chose before we heard of it, gets the choice.
    return (
        RefundCause.NO_SELECTION if draft.state.configuration.mode is Mode.SELECTION_FIRST else None
    )


def is_next_customer(draft: Draft, event: TopUpPaid) -> bool:
    """Tell whether another's payment is the next customer's, for whom a leftover makes way: it pays
    the whole price of the last choice, which the leftover did not cover, and was made when one pays
    for a choice. The machine must be able to sell to them.
    """
    session, policy = draft.session, draft.policy
    if session.vend is not None or not 0 < session.uncovered_minor <= event.amount_minor:
        return False
    if event.paid_at_ours_ms is None:
        return False  # it may have been made hours ago, for anything
    early_ms = session.uncovered_at_ms - policy.clock_tolerance_ms
    late_ms = session.uncovered_at_ms + policy.payment_wait_ms + policy.clock_tolerance_ms
    return (
        early_ms <= event.paid_at_ours_ms <= late_ms
        and draft.now_ms >= draft.state.late_watch_until_ms
        and draft.state.configuration.mode is not Mode.SELECTION_FIRST
        and stock.can_sell(draft.state, draft.policy)
    )


def _feed(draft: Draft, trade: Trade, event: TopUpPaid) -> None:
    if draft.state.session is None:
        open_session(draft, Mode.AUTHORIZATION_FIRST, trade.trade_id)
    session = draft.session
    draft.put_session(
        replace(
            session,
            payer_id=trade.payer_id,
            paid_minor=session.paid_minor + trade.paid_minor,
            last_operation_at_ms=draft.now_ms,
            money_at_ms=draft.now_ms,
            uncovered_minor=0,
            offers=offering.brought(session, trade.payer_id, event.offers),
        )
    )
    draft.put_trade(replace(trade, session_id=session.session_id))
    if session.announced and (
        session.vend is None or session.vend.status is not VendStatus.AWAITING_PAYMENT
    ):
        tell_funds(draft)


def open_session(draft: Draft, mode: Mode, cause: str) -> None:
    """Begin a customer's stay. ``cause`` is the trade or the request that begins it."""
    number = draft.state.sessions_made + 1
    draft.update(sessions_made=number)
    draft.put_session(
        Session(
            session_id=session_id(
                draft.state.machine_id, number, mark_of(newest_token(draft.state), cause)
            ),
            mode=mode,
            started_at_ms=draft.now_ms,
            last_operation_at_ms=draft.now_ms,
        )
    )


def touch(draft: Draft, *, uncovered_minor: int = 0) -> None:
    """The customer did something: the idle time starts again. ``uncovered_minor`` is the price of
    what they chose, if their funds did not cover it.
    """
    session = replace(draft.session, last_operation_at_ms=draft.now_ms)
    if uncovered_minor:
        session = replace(session, uncovered_minor=uncovered_minor, uncovered_at_ms=draft.now_ms)
    draft.put_session(session)


def tell_funds(draft: Draft) -> None:
    """Tell the machine what the customer can spend."""
    draft.tell(
        UpdateFunds(
            session_id=draft.session.session_id,
            funds_minor=funds(draft.state),
            expires_in_ms=expires_in_ms(draft),
        )
    )


def announce(draft: Draft) -> None:
    """Tell the machine that a customer has funds."""
    draft.put_session(replace(draft.session, announced=True))
    draft.tell(
        BeginSession(
            session_id=draft.session.session_id,
            funds_minor=funds(draft.state),
            expires_in_ms=expires_in_ms(draft),
        )
    )


def end_session(draft: Draft, reason: EndReason, cause: RefundCause | None = None) -> None:
    """End the stay: all free funds go back; a vend in doubt stays, with its money reserved."""
    session = draft.session
    rest = funds(draft.state)
    for trade in session_trades(draft.state):
        if trade.funds_minor:
            refunding.make(draft, trade, trade.funds_minor, cause or REFUND_CAUSE[reason])
    if session.vend is not None:
        assert session.vend.status is VendStatus.IN_DOUBT
        draft.update(doubts=(*draft.state.doubts, session.vend))
    # The session's row is written once more with its end; the vend in doubt lives on by itself.
    draft.put_session(replace(session, vend=None, ended_at_ms=draft.now_ms, end_reason=reason))
    if reason is not EndReason.NEXT_CUSTOMER:
        # Not if the next customer ended it by paying in it: what else they paid there is theirs.
        draft.update(session_ended_at_ms=draft.now_ms)
    draft.tell(EndSession(session_id=session.session_id, reason=reason, refund_minor=rest))


def end_if_over(draft: Draft) -> None:
    """End a session whose time has come."""
    session = draft.state.session
    if session is None or (
        session.vend is not None and session.vend.status is not VendStatus.IN_DOUBT
    ):
        return
    if (
        deadline_at_ms(session, draft.policy.idle_refund_ms, draft.policy.unavailable_grace_ms)
        > draft.now_ms
    ):
        return
    idle = idle_at_ms(session, draft.policy.idle_refund_ms) <= draft.now_ms
    end_session(draft, EndReason.IDLE if idle else EndReason.UNAVAILABLE)


def note_availability(draft: Draft) -> bool:
    """Note since when the machine cannot serve its customer. Return True if it can and no vend is
    open.
    """
    session = draft.state.session
    if session is None or (session.vend is not None and session.vend.status is not _IN_DOUBT):
        return False
    able = stock.can_sell(draft.state, draft.policy)
    if able and session.unavailable_since_ms is not None:
        draft.put_session(replace(session, unavailable_since_ms=None))
    elif not able and session.unavailable_since_ms is None:
        draft.put_session(replace(session, unavailable_since_ms=draft.now_ms))
    return able


def settle_availability(draft: Draft) -> None:
    """At the end of a draft: note whether the machine can serve its customer, and announce a
    customer whom it can serve.
    """
    if note_availability(draft) and not draft.session.announced:
        announce(draft)
