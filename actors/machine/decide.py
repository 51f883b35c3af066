"""The core: a fact, the state and the time go in; the new state and everything that must be done
come out.

First all deadlines that have come are acted on, in their order of meaning, so that a payment that
arrives one millisecond after the wait is late whoever was quicker, the timer or the notification.
Then the event. Then the standing rules at the end of each turn.
"""

from typing import assert_never

from actors.machine import (
    configuring,
    connecting,
    events,
    goodwill,
    paying,
    refunding,
    stock,
    vending,
)
from actors.machine.deadlines import next_deadline
from actors.machine.decision import Decision
from actors.machine.policy import Policy
from actors.machine.state import EndReason, MachineState, VendStatus
from actors.machine.turn import Turn

PASSES_MAX = 8
"""Deadlines may lead to deadlines (a voided vend ends its session); more rounds than this would be
a defect.
"""


def decide(state: MachineState, event: events.Event, now_ms: int, policy: Policy) -> Decision:
    """Return what comes of ``event`` at ``now_ms``. Total: every event in every state has an
    answer, and nothing the world does raises.
    """
    turn = Turn(state, now_ms, policy)
    _let_time_pass(turn)
    _apply(turn, event)
    paying.settle_availability(turn)
    configuring.drive_code(turn)
    turn.close_trades()
    return turn.decision()


def _let_time_pass(turn: Turn) -> None:
    for _ in range(PASSES_MAX):
        deadline = next_deadline(turn.state, turn.policy)
        if deadline is None or deadline > turn.now_ms:
            return
        vending.end_if_over(turn)
        paying.end_if_over(turn)
        refunding.send_due(turn)
        configuring.drive_code(turn)
    raise AssertionError(f"deadlines of {turn.state.machine_id} do not come to rest")


def _apply(turn: Turn, event: events.Event) -> None:
    match event:
        case events.Connected():
            connecting.connect(turn, event)
        case events.Disconnected():
            connecting.disconnect(turn, event)
        case events.FrameReceived():
            if connecting.accept(turn, event):
                _apply_frame(turn, event.seq, event.fact)
        case events.TopUpPaid():
            if paying.take(turn, event):
                vending.paid(turn)
        case events.TradeFinished():
            turn.note(f"Alipay closed trade {event.trade_id}: {event.status}")
        case events.RefundSucceeded():
            refunding.succeeded(turn, event)
        case (
            events.RefundAccepted()
            | events.RefundUnknown()
            | events.RefundNotFound()
            | events.RefundShortOfFunds()
            | events.RefundRefused()
        ):
            refunding.answered(turn, event)
        case events.RefundRetryAsked():
            refunding.retry(turn, event)
        case events.RefundWrittenOff():
            refunding.give_up(turn, event)
        case events.VendSettled():
            vending.settle_by_person(turn, event)
        case events.VendRefundAsked():
            goodwill.refund_vend(turn, event)
        case events.CodeCreated():
            configuring.code_created(turn, event)
        case events.CodeStatusChanged():
            configuring.code_changed(turn, event)
        case events.CodeFailed():
            configuring.code_failed(turn, event)
        case events.ConfigurationChanged():
            configuring.change(turn, event)
        case events.StockCounted():
            stock.set_stock(turn, event.column, event.stock)
        case events.TimePassed():
            pass
        case _:
            assert_never(event)


def _apply_frame(turn: Turn, seq: int, fact: events.MachineFact) -> None:
    match fact:
        case events.ReaderEnabled():
            connecting.reader(turn, enabled=True, reason="")
        case events.ReaderDisabled():
            connecting.reader(turn, enabled=False, reason=fact.reason)
            vending.out_of_service(turn)
        case events.VendRequested():
            vending.request(turn, seq, fact)
        case events.VendTurnedAway():
            vending.turned_away(turn, fact)
        case events.VendCancelled():
            vending.cancel(turn, fact)
        case events.VendSucceeded() | events.VendFailed():
            vending.result(turn, seq, fact)
        case events.SessionCompleted():
            _complete(turn, seq, fact)
        case events.CashSold():
            stock.take_one(turn, fact.column)
        case events.FaultReported():
            connecting.fault(turn, fact)
        case _:
            assert_never(fact)


def _complete(turn: Turn, seq: int, fact: events.SessionCompleted) -> None:
    """The customer is finished. With a vend still open the machine must say first how it ended."""
    session = turn.state.session
    if session is None or session.session_id != fact.session_id:
        turn.note(f"session {fact.session_id} is over already")
    elif session.vend is not None and session.vend.status is not VendStatus.IN_DOUBT:
        vending.reject(
            turn,
            seq,
            f"the result of vend {session.vend.vend_id}, or VendCancel, before SessionComplete",
        )
    else:
        paying.end_session(turn, EndReason.COMPLETE)
