"""One selection: asked, perhaps paid for, approved, and settled by what the machine reports.

The price is reserved before the approval leaves; the result turns the reservation into a sale or
gives it back. Between the two the outcome is unknown: a vend whose machine fell silent is in doubt
until the machine's journal tells what happened, or the policy's deadline comes. Nothing is ever
dispensed again for the same payment.
"""

from actors.machine import events, known_vends, ledger, locking, offering, paying, settling, stock
from actors.machine.code import CodeStatus
from actors.machine.command import under_test
from actors.machine.commands import planogram, sells
from actors.machine.draft import Draft
from actors.machine.effects import ApproveVend, DenyVend, RejectCode, RejectFrame, ShowQr
from actors.machine.evidence import contradiction
from actors.machine.hearing import heard_out, within_bound
from actors.machine.ids import SessionId, mark_of, vend_id
from actors.machine.state import (
    Column,
    DenyReason,
    EndReason,
    FailureCause,
    Mode,
    RefundCause,
    Reservation,
    Vend,
    VendStatus,
    column_named,
    newest_token,
    open_vends,
)
from actors.machine.values import replace

# What each sale asks for, as names of this module: an enum's member costs ten times as much by its
# class on Python 3.11.
_AWAITING_PAYMENT, _APPROVED = VendStatus.AWAITING_PAYMENT, VendStatus.APPROVED
_IN_DOUBT, _IN_REVIEW = VendStatus.IN_DOUBT, VendStatus.IN_REVIEW

# --- asking ---


def request(draft: Draft, seq: int, fact: events.VendRequested) -> None:
    """The customer chose."""
    session = draft.state.session
    open_vend = None if session is None else session.vend
    if (
        open_vend is not None
        and open_vend.request_id == fact.request_id
        and open_vend.status is not _IN_DOUBT
    ):
        draft.note(f"request {fact.request_id} came again")
        tell_open_vend(draft)
        return
    # One in doubt may have been delivered, or may soon be given back: it is not approved again.
    if known_vends.was_asked(draft.state, fact.request_id):
        reject(draft, seq, f"a request_id that was never used before; {fact.request_id} was")
        return
    column = column_named(draft.state, fact.column)
    reason = _why_not(draft, fact, column)
    if column is None or reason is not None:
        _deny_new(draft, fact, column, reason or DenyReason.UNKNOWN_COLUMN)
        return
    if session is not None:
        vend = offering.applied(draft, _new_vend(draft, fact, column))
        draft.put_session(
            replace(draft.session, last_operation_at_ms=draft.now_ms, uncovered_minor=0)
        )
        _approve(draft, vend)
        return
    paying.open_session(draft, Mode.SELECTION_FIRST, fact.request_id)
    vend = _new_vend(draft, fact, column)
    draft.put_session(replace(draft.session, vend=vend, announced=True))
    draft.record_vend(vend)
    _show_qr(draft, vend)


def _why_not(draft: Draft, fact: events.VendRequested, column: Column | None) -> DenyReason | None:
    state, session = draft.state, draft.state.session
    if not sells(state):
        return DenyReason.OUT_OF_SERVICE
    under_way = session is not None and session.vend is not None
    if under_way or under_test(state.commands) or stock.too_many_doubts(state, draft.policy):
        return DenyReason.BUSY
    if column is None:
        return DenyReason.UNKNOWN_COLUMN
    if (
        fact.planogram_version != state.configuration.planogram_version
        or fact.price_minor != column.price_minor
    ):
        return DenyReason.PRICE_STALE
    if locking.locked(state, column.column):
        return DenyReason.COLUMN_LOCKED
    if stock.blocked(state, column.column):
        return DenyReason.COLUMN_BLOCKED
    if stock.available(state, column) <= 0:
        return DenyReason.SOLD_OUT
    if session is not None:
        price_minor = offering.price_minor(state, column, draft.now_ms)
        return None if paying.funds(state) >= price_minor else DenyReason.FUNDS
    if state.configuration.mode is Mode.AUTHORIZATION_FIRST:
        return DenyReason.FUNDS
    return None if state.code.status is CodeStatus.ACTIVE else DenyReason.PROVIDER_DOWN


def _new_vend(draft: Draft, fact: events.VendRequested, column: Column | None) -> Vend:
    number = draft.state.vends_made + 1
    draft.state = replace(draft.state, vends_made=number)
    session = draft.state.session
    return Vend(
        vend_id=vend_id(
            draft.state.machine_id, number, mark_of(newest_token(draft.state), fact.request_id)
        ),
        session_id=SessionId("") if session is None else session.session_id,
        request_id=fact.request_id,
        column=fact.column,
        product="" if column is None else column.product,
        price_minor=fact.price_minor if column is None else column.price_minor,
        status=_AWAITING_PAYMENT,
        requested_at_ms=draft.now_ms,
        deadline_at_ms=draft.now_ms + draft.policy.payment_wait_ms,
    )


def _deny_new(
    draft: Draft, fact: events.VendRequested, column: Column | None, reason: DenyReason
) -> None:
    """Deny at once, and write the denied vend down. The customer did something, so the idle time
    starts again (``paying.idle_at_ms`` says how often).
    """
    vend = _new_vend(draft, fact, column)
    draft.settled(replace(vend, status=VendStatus.DENIED, reason=reason, ended_at_ms=draft.now_ms))
    if draft.state.session is not None:
        uncovered = vend.price_minor if reason is DenyReason.FUNDS else 0
        paying.touch(draft, uncovered_minor=uncovered)
    draft.tell(
        DenyVend(request_id=fact.request_id, reason=reason, funds_minor=paying.funds(draft.state))
    )
    if reason in {DenyReason.PRICE_STALE, DenyReason.UNKNOWN_COLUMN}:
        draft.tell(planogram(draft.state))


def turned_away(draft: Draft, fact: events.VendTurnedAway) -> None:
    """Note a request that the shell denied while nothing could be saved; the machine has stopped
    waiting for it.

    Had the request been approved all the same (a COMMIT whose answer was lost), its number would be
    used up and this would not be reached: the approval is sent again when the stream is announced
    again, and the machine answers it with NOT_WAITING.
    """
    draft.note(f"request {fact.request_id} was turned away: {fact.reason}")


def reject(draft: Draft, seq: int, expected: str) -> None:
    """Refuse a frame that makes no sense now; no money is touched."""
    draft.note(f"frame {seq} refused, expected {expected}")
    draft.tell(
        RejectFrame(
            code=RejectCode.OUT_OF_SEQUENCE,
            seq=seq,
            expected_seq=seq + 1,
            detail=f"expected {expected}",
        )
    )


# --- paying for it ---


def paid(draft: Draft) -> None:
    """Approve a selection whose money has come in, or ask for the rest. A machine without a stream
    is asked later.
    """
    session = draft.session
    if session.vend is None or session.vend.status is not VendStatus.AWAITING_PAYMENT:
        return
    if not draft.state.link.online:
        draft.note(
            "the machine has no stream: its selection is approved when it comes back in time"
        )
    elif paying.funds(draft.state) >= session.vend.price_minor:
        _approve(draft, session.vend)
    else:
        _show_qr(draft, session.vend)


def _show_qr(draft: Draft, vend: Vend) -> None:
    if not draft.state.code.qr_payload:  # it is being replaced: see ``show_another_qr``
        draft.note(f"there is no code to pay vend {vend.vend_id} by just now")
        return
    draft.tell(
        ShowQr(
            request_id=vend.request_id,
            qr_payload=draft.state.code.qr_payload,
            amount_minor=vend.price_minor - paying.funds(draft.state),
            expires_in_ms=max(0, vend.deadline_at_ms - draft.now_ms),
        )
    )


def show_another_qr(draft: Draft) -> None:
    """The machine has another code: whoever stands before a selection cannot pay the one that the
    screen still shows.
    """
    vend = None if draft.state.session is None else draft.session.vend
    if vend is not None and vend.status is VendStatus.AWAITING_PAYMENT:
        _show_qr(draft, vend)


def _approve(draft: Draft, vend: Vend) -> None:
    """Reserve the price on the session's trades, first in, first out; then let the machine
    dispense.
    """
    missing, reserved = vend.price_minor, []
    for trade in paying.session_trades(draft.state):
        part = min(missing, trade.funds_minor)
        if part == 0:
            continue
        missing -= part
        reserved.append(Reservation(trade_id=trade.trade_id, amount_minor=part))
        draft.put_trade(
            replace(
                trade,
                funds_minor=trade.funds_minor - part,
                reserved_minor=trade.reserved_minor + part,
            )
        )
    assert missing == 0
    draft.move(*ledger.reserve(vend.vend_id, reserved))
    _keep(
        draft,
        replace(
            vend,
            status=_APPROVED,
            reserved=tuple(reserved),
            deadline_at_ms=within_bound(
                vend, draft.policy.vend_result_ms, draft.now_ms, draft.policy
            ),
        ),
    )
    tell_open_vend(draft)


def tell_open_vend(draft: Draft) -> None:
    """Tell the machine what the open vend waits for; safe to repeat."""
    vend = draft.session.vend
    assert vend is not None
    if vend.status is _AWAITING_PAYMENT:
        _show_qr(draft, vend)
        return
    draft.tell(
        ApproveVend(
            vend_id=vend.vend_id,
            request_id=vend.request_id,
            column=vend.column,
            amount_minor=vend.price_minor,
            valid_for_ms=draft.policy.approval_valid_ms,
            discount_minor=vend.discount_minor or None,
        )
    )


def cancel(draft: Draft, fact: events.VendCancelled) -> None:
    """Cancel: the customer changed their mind. A machine that reports this will not dispense; what
    its journal told had begun is a person's, for it may have used the request_id again.
    """
    vend = next((one for one in open_vends(draft.state) if one.request_id == fact.request_id), None)
    if vend is None:
        draft.note(f"request {fact.request_id} is not open")
    elif vend.status is VendStatus.IN_REVIEW:
        draft.note(f"vend {vend.vend_id} waits for a person; its machine cancels it")
    elif vend.status is VendStatus.AWAITING_PAYMENT:
        _give_up(draft, vend, DenyReason.CANCELLED)
        return
    elif vend.begun:
        draft.note(f"vend {vend.vend_id} had begun, and its machine cancels it")
        put_aside(draft, vend, FailureCause.CONTRADICTED, "cancelled by the machine after it began")
    else:
        settling.failed(draft, vend, FailureCause.NOT_WAITING, "cancelled by the machine")
    draft.tell(
        DenyVend(
            request_id=fact.request_id,
            reason=DenyReason.CANCELLED,
            funds_minor=paying.funds(draft.state),
        )
    )


def _give_up(draft: Draft, vend: Vend, reason: DenyReason) -> None:
    """End a selection that was not paid: what was paid goes back, and so does what comes later."""
    draft.tell(DenyVend(request_id=vend.request_id, reason=reason, funds_minor=0))
    draft.settled(replace(vend, status=VendStatus.DENIED, reason=reason, ended_at_ms=draft.now_ms))
    draft.put_session(replace(draft.session, vend=None))
    draft.update(late_watch_until_ms=draft.now_ms + draft.policy.late_watch_ms)
    paying.end_session(draft, EndReason.NOT_PAID)


def out_of_service(draft: Draft) -> None:
    """The machine may not sell any more: a selection that is not paid yet is denied."""
    vend = None if draft.state.session is None else draft.session.vend
    if vend is not None and vend.status is VendStatus.AWAITING_PAYMENT:
        _give_up(draft, vend, DenyReason.OUT_OF_SERVICE)


def stop_locked(draft: Draft) -> None:
    """A column was locked: a selection of it that is not paid yet is denied, and what was paid for
    it stays the customer's. What is approved goes on: its motor may be turning.
    """
    vend = None if draft.state.session is None else draft.session.vend
    if vend is None or vend.status is not VendStatus.AWAITING_PAYMENT:
        return
    if locking.locked(draft.state, vend.column):
        _give_up(draft, vend, DenyReason.COLUMN_LOCKED)


# --- how it ended ---


def result(draft: Draft, seq: int, fact: events.VendSucceeded | events.VendFailed) -> None:
    """Settle a vend by the machine's result."""
    vend = known_vends.find(draft.state, fact.vend_id)
    if vend is not None:
        cause = None if isinstance(fact, events.VendSucceeded) else fact.cause
        conclude(draft, vend, cause, fact.evidence)
        return
    settled = next(
        (vend for vend in draft.state.settled_vends if vend.vend_id == fact.vend_id), None
    )
    if settled is None or settled.status is VendStatus.DENIED:
        reject(draft, seq, f"the vend_id of an approved vend; {fact.vend_id} is none")
    else:
        settling.result_again(
            draft, settled, delivered=isinstance(fact, events.VendSucceeded), evidence=fact.evidence
        )


def conclude(draft: Draft, vend: Vend, cause: FailureCause | None, evidence: str) -> None:
    """Settle an open vend by what its machine says: delivered without a ``cause``. What cannot be
    true is a person's, and so is what is said after that.
    """
    said = "delivered" if cause is None else f"not delivered, {cause}"
    if vend.status is _IN_REVIEW and vend.reason == FailureCause.CONTRADICTED:
        draft.note(f"vend {vend.vend_id} waits for a person; its machine says: {said} ({evidence})")
        return
    wrong = contradiction(evidence, delivered=cause is None, cause=cause)
    if cause is None and vend.taken_over:
        draft.note(f"vend {vend.vend_id} was approved on a stream that another one took over from")
        put_aside(draft, vend, FailureCause.CONTRADICTED, f"after a takeover, {said}: {evidence}")
    elif wrong:
        draft.note(f"vend {vend.vend_id} cannot be what its machine says: {wrong}")
        stock.failed(draft, vend.column, FailureCause.CONTRADICTED)
        put_aside(draft, vend, FailureCause.CONTRADICTED, f"{said}: {evidence}")
    elif cause is None:
        settling.succeeded(draft, vend, evidence)
    else:
        settling.failed(draft, vend, cause, evidence)


# --- doubt and time ---


def doubt(draft: Draft) -> None:
    """Put the session's approved vend in doubt: whether it happened is unknown."""
    vend = draft.session.vend
    assert vend is not None
    _keep(
        draft,
        replace(
            vend,
            status=VendStatus.IN_DOUBT,
            deadline_at_ms=within_bound(
                vend, draft.policy.doubt_window_ms, draft.now_ms, draft.policy
            ),
        ),
    )


def unsettled(draft: Draft, vend: Vend, cause: FailureCause, evidence: str) -> None:
    """End a doubt that nothing will clear up: the customer gets the money back, unless it is above
    the limit from which a person looks first. What is a person's already stays theirs.
    """
    if vend.status is VendStatus.IN_REVIEW:
        draft.note(f"vend {vend.vend_id} waits for a person; its machine knows no more: {cause}")
        return
    limit = draft.policy.doubt_review_above_minor
    if limit is None or vend.price_minor <= limit:
        settling.failed(draft, vend, cause, evidence)
    else:
        put_aside(draft, vend, cause, evidence)


def put_aside(draft: Draft, vend: Vend, cause: FailureCause, evidence: str) -> None:
    """Set the vend and its money aside for a person, once; its session goes on, or ends, without
    it.
    """
    if vend.status is VendStatus.IN_REVIEW:
        return
    vend = replace(vend, status=VendStatus.IN_REVIEW, reason=cause, evidence=evidence)
    draft.note(f"vend {vend.vend_id} of {vend.price_minor} waits for a person: {vend.reason}")
    draft.record_vend(vend)
    draft.update(
        doubts=(*(other for other in draft.state.doubts if other.vend_id != vend.vend_id), vend)
    )
    session = draft.state.session
    if session is not None and session.vend is not None and session.vend.vend_id == vend.vend_id:
        draft.put_session(replace(session, vend=None))
        settling.go_on(draft, RefundCause.VEND_FAILED)


def settle_by_person(draft: Draft, event: events.VendSettled) -> None:
    """Settle a vend in doubt or in review by what a person found out."""
    vend = known_vends.find(draft.state, event.vend_id)
    if vend is None or vend.status is VendStatus.APPROVED:
        draft.note(f"vend {event.vend_id} is not in doubt")
        return
    words = f"{event.actor}: {event.reason}"
    draft.note(
        f"vend {vend.vend_id} settled as {'delivered' if event.delivered else 'not delivered'} "
        f"by {words}"
    )
    if event.delivered:
        settling.succeeded(draft, vend, words)
    else:
        settling.failed(draft, vend, FailureCause.REVIEWED, words)


def trust_again(draft: Draft, vend: Vend) -> None:
    """Await the result as before: the machine is back and still busy with the vend."""
    policy = draft.policy
    deadline_at_ms = within_bound(vend, policy.vend_result_ms, draft.now_ms, policy)
    _keep(
        draft,
        replace(
            vend,
            status=VendStatus.APPROVED,
            deadline_at_ms=heard_out(vend, deadline_at_ms, draft.now_ms, policy),
        ),
    )


def hear_out(draft: Draft, vend: Vend) -> None:
    """Give the machine, which is back, the time to send what it has to say of a vend in doubt."""
    deadline_at_ms = heard_out(vend, vend.deadline_at_ms, draft.now_ms, draft.policy)
    if deadline_at_ms != vend.deadline_at_ms:
        _keep_open(draft, replace(vend, deadline_at_ms=deadline_at_ms))


def has_begun(draft: Draft, vend: Vend) -> Vend:
    """Remember that the machine's journal told of the vend's motor; return the vend."""
    if not vend.begun:
        vend = replace(vend, begun=True)
        _keep_open(draft, vend)
    return vend


def _keep_open(draft: Draft, vend: Vend) -> None:
    """Keep what changed of a vend of the session or of one in doubt."""
    session = draft.state.session
    if session is not None and session.vend is not None and session.vend.vend_id == vend.vend_id:
        _keep(draft, vend)
        return
    draft.record_vend(vend)
    others = draft.state.doubts
    draft.update(doubts=tuple(vend if one.vend_id == vend.vend_id else one for one in others))


def _keep(draft: Draft, vend: Vend) -> None:
    draft.record_vend(vend)
    draft.put_session(replace(draft.session, vend=vend))


def end_if_over(draft: Draft, heard: frozenset[str]) -> None:
    """Act on the deadlines of vends: not paid, no result, never settled. A doubt about a vend that
    somebody was ``heard`` of is not ended.
    """
    vend = None if draft.state.session is None else draft.session.vend
    if vend is not None and vend.deadline_at_ms <= draft.now_ms:
        match vend.status:
            case VendStatus.AWAITING_PAYMENT:
                _give_up(draft, vend, DenyReason.PAYMENT_TIMEOUT)
            case VendStatus.APPROVED:
                doubt(draft)
            case _ if vend.vend_id not in heard:
                unsettled(draft, vend, FailureCause.UNSETTLED, "")
    for doubtful in draft.state.doubts:
        if (
            doubtful.status is VendStatus.IN_DOUBT
            and doubtful.deadline_at_ms <= draft.now_ms
            and doubtful.vend_id not in heard
        ):
            unsettled(draft, doubtful, FailureCause.UNSETTLED, "")
