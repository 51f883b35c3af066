"""The bugs themselves: each function returns a context in which one part of the product is wrong,
because one function of it is replaced. ``planted`` tells in a sentence what each of them means.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from actors.host import loop, mailboxes, runner, saving, sweeps
from actors.link import ToMachine
from actors.machine import (
    configuring,
    connecting,
    doubles,
    events,
    frames,
    ledger,
    paying,
    settling,
    stock,
    vending,
)
from actors.machine.effects import SendRefund
from actors.machine.ids import TradeId
from actors.machine.state import FailureCause, RefundCause, VendStatus
from actors.machine.values import replace
from alipay_client import signing
from alipay_client.notify import Notification, NotificationKind
from gateway.alipay import notify
from gateway.alipay.notify import NotifyIngress
from storage.machines import inbox, payers, store


def ids_are_counted() -> Any:
    return patch.object(vending, "mark_of", lambda _token, _cause: "")


# --- saving and acting ---


def ack_before_commit() -> Any:
    commit = loop.TurnLoop.commit

    async def bug(self: loop.TurnLoop, batch: Any, made: Any) -> bool:
        for each, letters in batch:
            for letter in letters:
                route = (
                    each.routes.get(letter.event.stream_id)
                    if isinstance(letter.event, events.FrameReceived)
                    else None
                )
                if (
                    route is not None
                    and each.state is not None
                    and each.state.link.stream_id == letter.event.stream_id
                ):
                    ack = each.state.link.last_seq
                    told = ToMachine(
                        machine_id=each.machine_id, stream_id=letter.event.stream_id, ack=ack
                    )
                    self.gateways.send(route.attachment, told)
        self.gateways.announce()
        return await commit(self, batch, made)

    return patch.object(loop.TurnLoop, "commit", bug)


def effects_before_commit() -> Any:
    decide = loop.TurnLoop.decide

    def bug(self: loop.TurnLoop, batch: Any, now_ms: int) -> Any:
        made = decide(self, batch, now_ms)
        for turn in made:
            for effect in turn.decision.effects:
                if isinstance(effect, SendRefund):
                    assert turn.runner.place is not None
                    self.calls.start(
                        turn.runner.machine_id,
                        effect,
                        turn.runner.place,
                        turn.decision.state.currency,
                    )
        return made

    return patch.object(loop.TurnLoop, "decide", bug)


def approval_before_commit() -> Any:
    decide = loop.TurnLoop.decide

    def bug(self: loop.TurnLoop, batch: Any, now_ms: int) -> Any:
        made = decide(self, batch, now_ms)
        self.outgoing.release(made)
        self.gateways.announce()
        return made

    return patch.object(loop.TurnLoop, "decide", bug)


def no_epoch_check() -> Any:
    return patch.object(store, "_prove", lambda *_: None)


def no_version_check() -> Any:
    return both(
        patch.object(store, "_check_versions", lambda *_: None),
        patch.object(saving.Saving, "undo", _undo_without_forgetting),
    )


def _undo_without_forgetting(self: saving.Saving, batch: Any, *, in_doubt: bool) -> None:
    """Decide on a state of which nobody knows whether it was saved."""
    del in_doubt
    for each, letters in batch:
        each.is_saved()
        self.mailboxes.put_back(each, list(letters))


def success_without_row() -> Any:
    handle = NotifyIngress.handle

    async def bug(self: NotifyIngress, request: Request) -> Response:
        response = await handle(self, request)
        return PlainTextResponse("success") if response.status_code == 503 else response

    return patch.object(NotifyIngress, "handle", bug)


def inbox_not_swept() -> Any:
    return patch.object(sweeps.Sweeps, "_post", lambda _self, _items: None)


def nothing_owed() -> Any:
    return contextlib.nullcontext()


def open_machines_not_loaded() -> Any:
    async def bug(_self: store.SqlMachineStore, _ownership: Any) -> list[Any]:
        return []

    return patch.object(store.SqlMachineStore, "load_active", bug)


def due_work_forgotten() -> Any:
    """A bug that the world found: the timer of a machine whose commit failed was dropped, and
    nobody loaded the machine again.
    """

    def bug(self: saving.Saving, batch: Any, *, in_doubt: bool) -> None:
        for each, letters in batch:
            each.undo(in_doubt=in_doubt)
            self.timers.arm(each.machine_id, None)
            self.mailboxes.put_back(
                each,
                [letter for letter in letters if not isinstance(letter.event, events.TimePassed)],
            )

    return patch.object(saving.Saving, "undo", bug)


def machine_is_read_twice() -> Any:
    """A machine that is being read gets a place in line all the same."""
    return patch.object(
        mailboxes,
        "needs_place",
        lambda each: bool(each.mailbox) and not each.in_line and not each.halted,
    )


def review_ends_by_silence() -> Any:
    """A bug that the world found: a vend that a machine might forget counted as never begun, while
    a person was still to decide.
    """
    settle = connecting.settle_by_journal

    def bug(turn: Any, vend: Any, entry: Any, *, same_boot: bool, lost: bool) -> None:
        if vend.status is VendStatus.IN_REVIEW and entry is None and not lost:
            settling.failed(turn, vend, FailureCause.NOT_STARTED, "not in the machine's journal")
        else:
            settle(turn, vend, entry, same_boot=same_boot, lost=lost)

    return patch.object(connecting, "settle_by_journal", bug)


def price_changes_at_once() -> Any:
    """A planogram is in force in the moment in which it comes, whoever is buying."""
    put_in_force = configuring.put_in_force

    def bug(turn: Any, **how: Any) -> None:
        session = turn.state.session
        turn.update(session=None)
        put_in_force(turn, **how)
        turn.update(session=session)

    return patch.object(configuring, "put_in_force", bug)


def any_price_is_fine() -> Any:
    """The price and the version that a request names are not looked at: what counts is ours."""
    why_not = vending._why_not

    def bug(turn: Any, fact: Any, column: Any) -> Any:
        if column is not None:
            fact = replace(
                fact,
                price_minor=column.price_minor,
                planogram_version=turn.state.configuration.planogram_version,
            )
        return why_not(turn, fact, column)

    return patch.object(vending, "_why_not", bug)


# --- money that comes in ---


def echo_is_credit() -> Any:
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


def paid_twice() -> Any:
    def bug(turn: Any, event: Any) -> bool:
        forgetful = replace(
            turn.state,
            closed_trades=(),
            trades=tuple(t for t in turn.state.trades if t.trade_id != event.trade_id),
        )
        turn.state = forgetful
        return take(turn, event)

    take = paying.take
    return patch.object(paying, "take", bug)


def late_money_pays_for_the_next() -> Any:
    # What was paid before the end of the last session would go back for that alone.
    return patch.multiple(
        paying,
        why_before_the_choice=lambda *_: None,
        is_of_the_session_before=lambda draft, event: False,
    )


def older_piece_pays_too() -> Any:
    why = paying.why_before_the_choice

    def bug(draft: Any, event: Any, session: Any) -> Any:
        return None if session.paid_minor else why(draft, event, session)

    return patch.multiple(
        paying, why_before_the_choice=bug, is_of_the_session_before=lambda draft, event: False
    )


def money_of_the_session_before_opens_another() -> Any:
    return patch.object(paying, "is_of_the_session_before", lambda draft, event: False)


def second_customer_is_the_first() -> Any:
    why = paying.why_unwanted

    def bug(turn: Any, event: Any) -> Any:
        session = turn.state.session
        return why(
            turn,
            event
            if session is None
            else replace(event, payer_id=session.payer_id or event.payer_id),
        )

    return patch.object(paying, "why_unwanted", bug)


def denied_choice_renews() -> Any:
    return patch.object(
        paying,
        "idle_at_ms",
        lambda session, idle_refund_ms: session.last_operation_at_ms + idle_refund_ms,
    )


def next_customer_pays_for_the_last() -> Any:
    """A bug of letting the next customer in: the last one's session stays, and takes the money."""
    return patch.object(
        paying,
        "why_unwanted",
        lambda turn, event, why=paying.why_unwanted: (
            None
            if turn.state.session is not None
            and why(turn, event) is RefundCause.SECOND_CUSTOMER
            and paying.is_next_customer(turn, event)
            else why(turn, event)
        ),
    )


def signature_not_checked() -> Any:
    return patch.object(signing, "verify", lambda *_: True)


def odd_notification_dropped() -> Any:
    """What Alipay signed and does not fit is refused and forgotten."""

    async def bug(*_: Any) -> None:
        return

    return patch.object(NotifyIngress, "_put_aside", bug)


def buyer_kept() -> Any:
    return patch.object(notify, "kept", dict)


def payer_is_not_erased() -> Any:
    return patch.object(payers, "forget", lambda *_: True)


def payer_is_the_hash() -> Any:
    return patch.object(inbox, "known_payer_id", lambda _, buyer, now_ms: buyer.buyer_hash)


# --- vends ---


def reservation_kept_on_failure() -> Any:
    def bug(turn: Any, vend: Any, cause: Any, evidence: str) -> None:
        done = replace(
            vend, status=VendStatus.FAILED, reason=cause, evidence=evidence, ended_at_ms=turn.now_ms
        )
        settling.let_go(turn, done)

    return patch.object(settling, "failed", bug)


def doubt_is_success() -> Any:
    failed = settling.failed

    def bug(turn: Any, vend: Any, cause: Any, evidence: str) -> None:
        if cause in {FailureCause.INDETERMINATE, FailureCause.UNSETTLED, FailureCause.NOT_STARTED}:
            settling.succeeded(turn, vend, evidence)
        else:
            failed(turn, vend, cause, evidence)

    return patch.object(settling, "failed", bug)


def doubt_is_failure_at_once() -> Any:
    """A lost stream means that nothing was delivered."""

    def bug(turn: Any) -> None:
        vend = turn.session.vend
        settling.failed(turn, vend, FailureCause.NOT_STARTED, "")

    return patch.object(vending, "doubt", bug)


def stock_taken_twice() -> Any:
    take_one = stock.take_one

    def bug(*about: Any) -> None:
        take_one(*about)
        take_one(*about)

    return patch.object(stock, "take_one", bug)


def sold_without_its_item() -> Any:
    def bug(turn: Any, *_: Any) -> None:
        turn.note("an item fell, and nobody says where it is")

    return patch.object(stock, "take_one", bug)


def settled_twice() -> Any:
    result_again = settling.result_again

    def bug(turn: Any, settled: Any, *, delivered: bool, evidence: str) -> None:
        if delivered and settled.status is VendStatus.SUCCEEDED:
            turn.move(ledger.write_off(settled.vend_id, settled.price_minor))
        else:
            result_again(turn, settled, delivered=delivered, evidence=evidence)

    return patch.object(settling, "result_again", bug)


def void_is_failure_later() -> Any:
    """The money had gone back, and stays so; only what is said of the vend changes."""
    result_again = settling.result_again

    def bug(turn: Any, settled: Any, *, delivered: bool, evidence: str) -> None:
        if not delivered and settled.status is VendStatus.VOIDED:
            turn.settled(
                replace(
                    settled, status=VendStatus.FAILED, reason=FailureCause.JAMMED, evidence=evidence
                )
            )
        else:
            result_again(turn, settled, delivered=delivered, evidence=evidence)

    return patch.object(settling, "result_again", bug)


def approved_unpaid() -> Any:
    funds = paying.funds
    return patch.object(
        paying, "funds", lambda state: funds(state) + (100 if state.session is not None else 0)
    )


def repeated_frame_applied() -> Any:
    accept = connecting.accept

    def bug(turn: Any, event: Any) -> bool:
        link = turn.state.link
        if link.online and event.stream_id == link.stream_id and event.seq == link.last_seq:
            return True
        return accept(turn, event)

    return patch.object(connecting, "accept", bug)


def gap_accepted() -> Any:
    accept = connecting.accept

    def bug(turn: Any, event: Any) -> bool:
        link = turn.state.link
        if link.online and event.stream_id == link.stream_id and event.seq > link.last_seq:
            turn.update(link=replace(link, last_seq=event.seq))
            return True
        return accept(turn, event)

    return patch.object(connecting, "accept", bug)


def contradiction_believed() -> Any:
    """What the machine says counts, whatever its sensors saw."""
    return patch.object(vending, "contradiction", lambda *_, **__: "")


def cancelled_though_begun() -> Any:
    """What a journal told of a motor is forgotten."""
    return patch.object(vending, "has_begun", lambda _draft, vend: vend)


def old_boot_comes_back() -> Any:
    """Only the present boot is remembered: each other one is new."""

    def bug(link: Any, boot_id: Any) -> Any:
        same = boot_id == link.boot_id
        return replace(link, boot_id=boot_id, last_seq=link.last_seq if same else 0, digests="")

    return both(
        patch.object(frames, "booted", bug),
        patch.object(frames, "superseded", lambda *_: None),
    )


def double_is_the_machine() -> Any:
    """A stream need not show whose it is."""
    return patch.object(doubles, "proves", lambda *_: True)


@contextlib.contextmanager
def both(*patches: Any) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


def owes_nothing() -> runner.Core:
    return runner.Core(check=lambda *_: None, owed=lambda _: ())
