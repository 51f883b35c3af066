"""Bugs that are planted on purpose, each by replacing one function of the product: the proof that the world can find such a thing.

Flows in: a name. Flows out: a context in which the product has the bug. The product's own assertions are off meanwhile, so that it is the
world's books that must find it. ``hunt`` runs seeds until one of them fails.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from actors import loading, performer, runner, sweeps, turns
from actors.link import ToMachine
from actors.machine import connecting, events, ledger, paying, refunding, vending
from actors.machine.effects import ProviderCall, SendRefund
from actors.machine.ids import RefundId, TradeId
from actors.machine.state import FailureCause, VendStatus
from alipay_client import notify as client_notify
from alipay_client.messages import RefundState
from alipay_client.notify import Notification, NotificationKind
from gateway.notify import NotifyIngress
from storage import store
from tests.simulation.world import Outcome, World, live

Bug = Callable[[], contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One bug. ``start``: from where the hunt begins, a little before a seed that found it; ``within``: so many seeds are enough."""

    name: str
    sentence: str
    bug: Bug
    start: int = 0
    within: int = 60
    core: Callable[[], runner.Core] = lambda: runner.Core(check=lambda *_: None)


def hunt(planted: Planted) -> Outcome | None:
    """Return the first world that finds the bug, or None."""

    def blind(world: World) -> None:
        world.core = planted.core()

    with planted.bug():
        for seed in range(planted.start, planted.start + planted.within):
            outcome = live(seed, prepare=blind)
            if outcome.failure is not None:
                return outcome
    return None


# --- refunds -------------------------------------------------------------------------------------------------------------------------


def _new_id_on_retry() -> Any:
    order_of = refunding.order_of

    def bug(refund: Any, currency: Any) -> ProviderCall:
        order = order_of(refund, currency)
        if isinstance(order, SendRefund) and refund.attempts > 1:
            return replace(order, refund_id=RefundId(f"{order.refund_id}x{refund.attempts}"))
        return order

    return patch.object(refunding, "order_of", bug)


def _unknown_is_refused() -> Any:
    def bug(call: Any, detail: str) -> Any:
        return events.RefundRefused(refund_id=call.refund_id, detail=detail) if hasattr(call, "refund_id") else _no_code(detail)

    return patch.object(performer, "_unknown", bug)


def _no_code(detail: str) -> events.CodeFailed:
    return events.CodeFailed(final=False, detail=detail)


def _unknown_is_another_refund() -> Any:
    answered = refunding.answered

    def bug(turn: Any, event: Any) -> None:
        answered(turn, event)
        if isinstance(event, events.RefundUnknown) and (refund := turn.refund(event.refund_id)) is not None:
            renamed = replace(refund, refund_id=RefundId(f"{refund.refund_id}n"))
            turn.update(refunds=tuple(renamed if other is refund else other for other in turn.state.refunds))

    return patch.object(refunding, "answered", bug)


def _unknown_is_done() -> Any:
    def bug(call: Any, detail: str) -> Any:
        return events.RefundSucceeded(refund_id=call.refund_id) if hasattr(call, "refund_id") else _no_code(detail)

    return patch.object(performer, "_unknown", bug)


def _accepted_is_done() -> Any:
    query_answered = performer._query_answered

    def bug(refund_id: RefundId, answer: Any) -> Any:
        if answer.state is RefundState.ACCEPTED:
            return events.RefundSucceeded(refund_id=refund_id, source="query")
        return query_answered(refund_id, answer)

    return _both(
        patch.object(performer, "_query_answered", bug),
        patch.object(performer, "_refund_answered", lambda refund_id, _: events.RefundSucceeded(refund_id=refund_id)),
    )


def _whole_payment_goes_back() -> Any:
    make = refunding.make

    def bug(turn: Any, trade: Any, amount_minor: int, cause: Any) -> None:
        del amount_minor
        make(turn, trade, trade.paid_minor, cause)

    return patch.object(refunding, "make", bug)


def _refund_never_tried_again() -> Any:
    return patch.object(refunding, "send_due", lambda _turn: None)


# --- saving and acting ---------------------------------------------------------------------------------------------------------------


def _ack_before_commit() -> Any:
    saved = turns.TurnLoop._saved

    async def bug(self: turns.TurnLoop, batch: Any, changes: Any) -> bool:
        for each, letters in batch:
            for letter in letters:
                door = each.doors.get(letter.event.stream_id) if isinstance(letter.event, events.FrameReceived) else None
                if door is not None and each.state is not None and each.state.link.stream_id == letter.event.stream_id:
                    ack = each.state.link.last_seq
                    told = ToMachine(machine_id=each.machine_id, stream_id=letter.event.stream_id, ack=ack)
                    self._reception.send(door.attachment, told)
        self._reception.announce()
        return await saved(self, batch, changes)

    return patch.object(turns.TurnLoop, "_saved", bug)


def _effects_before_commit() -> Any:
    decide = turns.TurnLoop._decide

    def bug(self: turns.TurnLoop, batch: Any, now_ms: int) -> Any:
        made = decide(self, batch, now_ms)
        for turn in made:
            for effect in turn.decision.effects:
                if isinstance(effect, SendRefund):
                    assert turn.runner.place is not None
                    self.calls.start(turn.runner.machine_id, effect, turn.runner.place, turn.decision.state.currency)
        return made

    return patch.object(turns.TurnLoop, "_decide", bug)


def _approval_before_commit() -> Any:
    decide = turns.TurnLoop._decide

    def bug(self: turns.TurnLoop, batch: Any, now_ms: int) -> Any:
        made = decide(self, batch, now_ms)
        self._dispatch.release(made)
        self._reception.announce()
        return made

    return patch.object(turns.TurnLoop, "_decide", bug)


def _no_epoch_check() -> Any:
    return patch.object(store, "_prove", lambda *_: None)


def _no_version_check() -> Any:
    return _both(
        patch.object(store, "_check_versions", lambda *_: None),
        patch.object(turns.TurnLoop, "_undo", _undo_without_forgetting),
    )


def _undo_without_forgetting(self: turns.TurnLoop, batch: Any, *, in_doubt: bool) -> None:
    """Decide upon a state of which nobody knows whether it was saved."""
    del in_doubt
    for each, letters in batch:
        self._mailroom.put_back(each, list(letters))


def _success_without_row() -> Any:
    handle = NotifyIngress.handle

    async def bug(self: NotifyIngress, request: Request) -> Response:
        response = await handle(self, request)
        return PlainTextResponse("success") if response.status_code == 503 else response

    return patch.object(NotifyIngress, "handle", bug)


def _inbox_not_swept() -> Any:
    async def bug(_self: sweeps.Sweeps, *, older_than_ms: int) -> None:
        del older_than_ms

    return patch.object(sweeps.Sweeps, "inbox", bug)


def _nothing_owed() -> Any:
    return contextlib.nullcontext()


def _open_machines_not_loaded() -> Any:
    async def bug(_self: store.SqlMachineStore, _ownership: Any) -> list[Any]:
        return []

    return patch.object(store.SqlMachineStore, "load_active", bug)


def _lost_commit_not_told_again() -> Any:
    adopt = loading.Loader.adopt

    def bug(self: loading.Loader, each: Any, loaded: Any) -> None:
        each.in_doubt = False
        each.doors.clear()
        adopt(self, each, loaded)

    return patch.object(loading.Loader, "adopt", bug)


# --- money that comes in -------------------------------------------------------------------------------------------------------------


def _echo_is_credit() -> Any:
    event_of = NotifyIngress._event

    async def bug(self: NotifyIngress, notification: Notification) -> Any:
        if notification.kind is NotificationKind.REFUNDED and notification.refund_minor:
            return events.TopUpPaid(
                trade_id=TradeId(notification.refund_id),
                partner_trans_id=notification.partner_trans_id,
                amount_minor=notification.refund_minor,
                currency=notification.currency,  # type: ignore[arg-type]  # a bug is a bug
                paid_at_ms=self.clock.now_ms(),
            )
        return await event_of(self, notification)

    return patch.object(NotifyIngress, "_event", bug)


def _paid_twice() -> Any:
    def bug(turn: Any, event: Any) -> bool:
        forgetful = replace(turn.state, closed_trades=(), trades=tuple(t for t in turn.state.trades if t.trade_id != event.trade_id))
        turn.state = forgetful
        return take(turn, event)

    take = paying.take
    return patch.object(paying, "take", bug)


def _late_money_pays_for_the_next() -> Any:
    return patch.object(paying, "_why_before_the_choice", lambda *_: None)


def _second_customer_is_the_first() -> Any:
    why = paying._why_unwanted

    def bug(turn: Any, event: Any) -> Any:
        session = turn.state.session
        return why(turn, event if session is None else replace(event, payer=session.payer or event.payer))

    return patch.object(paying, "_why_unwanted", bug)


def _signature_not_checked() -> Any:
    return patch.object(client_notify.signing, "verify", lambda *_: True)


def _buyer_kept() -> Any:
    return patch.object(NotifyIngress, "_kept", lambda _self, fields: fields)


# --- vends ---------------------------------------------------------------------------------------------------------------------------


def _reservation_kept_on_failure() -> Any:
    def bug(turn: Any, vend: Any, cause: Any, evidence: str) -> None:
        done = replace(vend, status=VendStatus.FAILED, reason=cause, evidence=evidence, ended_at_ms=turn.now_ms)
        vending._let_go(turn, done)

    return patch.object(vending, "failed", bug)


def _doubt_is_success() -> Any:
    failed = vending.failed

    def bug(turn: Any, vend: Any, cause: Any, evidence: str) -> None:
        if cause in {FailureCause.INDETERMINATE, FailureCause.UNSETTLED, FailureCause.NOT_STARTED}:
            vending.succeeded(turn, vend, evidence)
        else:
            failed(turn, vend, cause, evidence)

    return patch.object(vending, "failed", bug)


def _doubt_is_failure_at_once() -> Any:
    """A lost stream means that nothing was delivered."""

    def bug(turn: Any) -> None:
        vend = turn.session.vend
        vending.failed(turn, vend, FailureCause.NOT_STARTED, "")

    return patch.object(vending, "doubt", bug)


def _stock_taken_twice() -> Any:
    take_one = vending.stock.take_one

    def bug(turn: Any, name: str) -> None:
        take_one(turn, name)
        take_one(turn, name)

    return patch.object(vending.stock, "take_one", bug)


def _settled_twice() -> Any:
    result_again = vending.result_again

    def bug(turn: Any, settled: Any, *, delivered: bool, evidence: str) -> None:
        if delivered and settled.status is VendStatus.SUCCEEDED:
            turn.move(ledger.write_off(settled.vend_id, settled.price_minor))
        else:
            result_again(turn, settled, delivered=delivered, evidence=evidence)

    return patch.object(vending, "result_again", bug)


def _approved_unpaid() -> Any:
    funds = paying.funds
    return patch.object(paying, "funds", lambda state: funds(state) + (100 if state.session is not None else 0))


def _repeated_frame_applied() -> Any:
    accept = connecting.accept

    def bug(turn: Any, event: Any) -> bool:
        link = turn.state.link
        if link.online and event.stream_id == link.stream_id and event.seq == link.last_seq:
            return True
        return accept(turn, event)

    return patch.object(connecting, "accept", bug)


def _gap_accepted() -> Any:
    accept = connecting.accept

    def bug(turn: Any, event: Any) -> bool:
        link = turn.state.link
        if link.online and event.stream_id == link.stream_id and event.seq > link.last_seq:
            turn.update(link=replace(link, last_seq=event.seq))
            return True
        return accept(turn, event)

    return patch.object(connecting, "accept", bug)


@contextlib.contextmanager
def _both(*patches: Any) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


def _owes_nothing() -> runner.Core:
    return runner.Core(check=lambda *_: None, owed=lambda _: ())


PLANTED = (
    Planted(name="new-id-on-retry", sentence="A refund is asked for again under a new id.", bug=_new_id_on_retry),
    Planted(name="unknown-is-refused", sentence="A time-out counts as a refusal: the refund is dropped.", bug=_unknown_is_refused),
    Planted(name="unknown-is-another", sentence="A time-out makes another refund, under another id.", bug=_unknown_is_another_refund),
    Planted(name="unknown-is-done", sentence="A time-out counts as success.", bug=_unknown_is_done),
    Planted(name="accepted-is-done", sentence="A refund that Alipay accepted counts as done.", bug=_accepted_is_done),
    Planted(name="whole-payment-back", sentence="The whole payment goes back, not what is left of it.", bug=_whole_payment_goes_back),
    Planted(name="never-tried-again", sentence="A refund that failed is never tried again.", bug=_refund_never_tried_again),
    Planted(name="ack-before-commit", sentence="Frames are acknowledged before the COMMIT.", bug=_ack_before_commit),
    Planted(name="refund-before-commit", sentence="Refunds are sent before the COMMIT.", bug=_effects_before_commit),
    Planted(name="approval-before-commit", sentence="Approvals leave before the COMMIT.", bug=_approval_before_commit),
    Planted(name="no-epoch-check", sentence="A commit does not prove its epoch.", bug=_no_epoch_check),
    Planted(name="no-version-check", sentence="A state that may not be saved is decided upon, and no version is compared.", bug=_no_version_check),
    Planted(name="success-without-row", sentence="A notification that could not be saved is answered success.", bug=_success_without_row),
    Planted(name="inbox-not-swept", sentence="Notifications whose wake-up was lost are never taken.", bug=_inbox_not_swept),
    Planted(name="owed-forgotten", sentence="Calls that were ordered and not answered are forgotten at a restart.", bug=_nothing_owed, core=_owes_nothing),
    Planted(name="open-not-loaded", sentence="A new owner does not load what is open.", bug=_open_machines_not_loaded),
    Planted(name="echo-is-credit", sentence="The echo of a refund is credited as a payment.", bug=_echo_is_credit),
    Planted(name="paid-twice", sentence="A payment that is told twice is credited twice.", bug=_paid_twice),
    Planted(name="late-pays-for-next", sentence="A late payment pays for the next customer's choice.", bug=_late_money_pays_for_the_next),
    Planted(name="second-is-first", sentence="A second customer's money goes into the first one's session.", bug=_second_customer_is_the_first),
    Planted(name="signature-unchecked", sentence="The signature of a notification is not checked.", bug=_signature_not_checked),
    Planted(name="buyer-kept", sentence="A notification's buyer is saved as he came.", bug=_buyer_kept),
    Planted(name="reservation-kept", sentence="The money of a vend that failed stays reserved.", bug=_reservation_kept_on_failure),
    Planted(name="doubt-is-success", sentence="A vend in doubt is sold.", bug=_doubt_is_success),
    Planted(name="lost-stream-is-failure", sentence="A vend whose stream is lost counts as failed at once.", bug=_doubt_is_failure_at_once),
    Planted(name="stock-taken-twice", sentence="A vend takes two items out of the stock.", bug=_stock_taken_twice),
    Planted(name="settled-twice", sentence="A result that is repeated is settled again.", bug=_settled_twice),
    Planted(name="approved-unpaid", sentence="A vend is approved for less than its price.", bug=_approved_unpaid),
    Planted(name="frame-applied-twice", sentence="A repeated frame is applied again.", bug=_repeated_frame_applied),
    Planted(name="gap-accepted", sentence="A frame that leaves one out is applied.", bug=_gap_accepted),
)  # fmt: skip
