"""The core: a fact, the state and the time go in; the new state and everything that must be done
come out.

First the core acts on all deadlines that have come, so that a payment that arrives one millisecond
after the wait is late, whether the timer or the notification was quicker. Then it applies the
event. Then come the standing rules at the end of each draft.

What tells how a vend ended is another matter (``hearing``): it counts before that vend's own
deadline, however late it is heard. Only what it did not settle after all is then left to time.
"""

from typing import assert_never

from actors.machine import (
    codes,
    configuring,
    connecting,
    events,
    goodwill,
    hearing,
    incidents,
    offering,
    ordering,
    paying,
    refunding,
    resuming,
    stock,
    vending,
)
from actors.machine.command import CommandAnswered, CommandCancelled, CommandOrdered
from actors.machine.deadlines import next_deadline
from actors.machine.decision import Decision
from actors.machine.draft import Draft
from actors.machine.goods import GoodsKind
from actors.machine.incident import FaultReported, FaultsCounted, IncidentClosed
from actors.machine.offer import OfferRefused
from actors.machine.policy import Policy
from actors.machine.state import EndReason, MachineState, VendStatus

PASSES_MAX = 8
"""Deadlines may lead to deadlines (a voided vend ends its session); more rounds than this would be
a defect.
"""


def decide(
    state: MachineState,
    event: events.Event,
    now_ms: int,
    policy: Policy,
    heard: frozenset[str] = hearing.NOTHING,
) -> Decision:
    """Return what comes of ``event`` at ``now_ms``. Total: every event in every state has an
    answer, and nothing the world does raises.

    ``heard``: vends and commands of which somebody has told how they ended, in an event that comes
    after this one; their own deadlines wait for it.
    """
    draft = Draft(state, now_ms, policy)
    if isinstance(event, events.Resumed):
        resuming.resume(draft)
    told = hearing.settles(state, event)
    _let_time_pass(draft, heard | told)
    if not isinstance(event, events.ConfigurationChanged):
        # A newer planogram takes the place of one that waits. Who connects is told behind Welcome.
        configuring.put_in_force(draft, tell=not isinstance(event, events.Connected))
    _apply(draft, event)
    if told:
        _let_time_pass(draft, heard)
    configuring.put_in_force(draft)
    paying.settle_availability(draft)
    draft.close_trades()
    codes.drive(draft)
    ordering.send(draft)
    connecting.end_if_retired(draft)
    connecting.end_if_disabled(draft)
    return draft.decision()


def _let_time_pass(draft: Draft, heard: frozenset[str]) -> None:
    for _ in range(PASSES_MAX):
        deadline = next_deadline(draft.state, draft.policy, heard)
        if deadline is None or deadline > draft.now_ms:
            return
        vending.end_if_over(draft, heard)
        paying.end_if_over(draft)
        refunding.send_due(draft)
        codes.drive(draft)
        ordering.expire(draft, heard)
    raise AssertionError(f"deadlines of {draft.state.machine_id} do not come to rest")


def _apply(draft: Draft, event: events.Event) -> None:
    match event:
        case events.FrameReceived():  # nearly every event
            if connecting.accept(draft, event):
                _apply_frame(draft, event.seq, event.fact)
        case events.Connected():
            connecting.connect(draft, event)
        case events.Disconnected():
            connecting.disconnect(draft, event)
        case events.PlanogramAcknowledged():
            connecting.planogram_acknowledged(draft, event)
        case events.TopUpPaid() | events.TradeFinished() | OfferRefused():
            _apply_of_payer(draft, event)
        case events.RefundSucceeded():
            refunding.succeeded(draft, event)
        case (
            events.RefundAccepted()
            | events.RefundUnknown()
            | events.RefundNotFound()
            | events.RefundShortOfFunds()
            | events.RefundRefused()
        ):
            refunding.answered(draft, event)
        case events.RefundRetryAsked() | events.RefundQueryAsked() | events.RefundWrittenOff():
            refunding.by_person(draft, event)
        case events.VendSettled():
            vending.settle_by_person(draft, event)
        case events.VendRefundAsked():
            goodwill.refund_vend(draft, event)
        case (
            events.CodeCreated()
            | events.CodeStatusChanged()
            | events.CodeStopOrdered()
            | events.CodeFailed()
            | events.CodeWished()
            | events.CodeModified()
            | events.CodeDeleted()
        ):
            codes.happened(draft, event)
        case events.ConfigurationChanged():
            configuring.change(draft, event)
        case events.StockCounted() | events.GoodsMoved() | events.GoodsCounted():
            stock.by_person(draft, event)
        case IncidentClosed():
            incidents.closed(draft, event)
        case CommandOrdered() | CommandCancelled():
            ordering.by_person(draft, event)
        case events.TimePassed() | events.Resumed():
            pass
        case _:
            assert_never(event)


def _apply_of_payer(
    draft: Draft, event: events.TopUpPaid | events.TradeFinished | OfferRefused
) -> None:
    match event:
        case events.TopUpPaid():
            if paying.take(draft, event):
                vending.paid(draft)
        case events.TradeFinished():
            paying.over_at_alipay(draft, event)
        case OfferRefused():
            offering.refused(draft, event)


def _apply_frame(draft: Draft, seq: int, fact: events.MachineFact) -> None:
    match fact:
        case events.VendRequested():
            vending.request(draft, seq, fact)
        case events.VendSucceeded() | events.VendFailed():
            vending.result(draft, seq, fact)
        case events.ReaderEnabled():
            connecting.reader(draft, enabled=True, reason="")
        case events.ReaderDisabled():
            connecting.reader(draft, enabled=False, reason=fact.reason)
            vending.out_of_service(draft)
        case events.VendTurnedAway():
            vending.turned_away(draft, fact)
        case events.VendCancelled():
            vending.cancel(draft, fact)
        case events.SessionCompleted():
            _complete(draft, seq, fact)
        case events.CashSold():
            stock.sold_for_cash(draft, fact.column)
            incidents.sold(draft, fact.column)
            stock.take_one(draft, fact.column, GoodsKind.CASH_SOLD)
        case FaultReported():
            incidents.told(draft, fact)
        case FaultsCounted():
            incidents.counted(draft, fact)
        case CommandAnswered():
            ordering.answered(draft, seq, fact)
        case events.FrameNotRead():
            connecting.not_read(draft, seq, fact)
        case _:
            assert_never(fact)


def _complete(draft: Draft, seq: int, fact: events.SessionCompleted) -> None:
    """The customer is finished. With a vend still open the machine must say first how it ended."""
    session = draft.state.session
    if session is None or session.session_id != fact.session_id:
        draft.note(f"session {fact.session_id} is over already")
    elif session.vend is not None and session.vend.status is not VendStatus.IN_DOUBT:
        vending.reject(
            draft,
            seq,
            f"the result of vend {session.vend.vend_id}, or VendCancel, before SessionComplete",
        )
    else:
        paying.end_session(draft, EndReason.COMPLETE)
