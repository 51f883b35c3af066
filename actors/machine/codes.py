"""The machine's code at Alipay, which follows what administrators, the settings and our own limits
want of it: whether it can be paid, and what it says (``code.Saying``).

What is known of the code and what it should be are two facts; their difference drives calls, one at
a time, until they agree or Alipay refuses. A call that was not answered leaves unknown what it was
to change, which is never what is wanted: the call for what is wanted by then follows. To stop comes
before all else, and a code is not restarted before it says where we hear of its payments.

A code's orders have no id, and none of Alipay's calls reads a code. So one that was not answered,
or that another host has made, may be done behind a newer one: what is wanted is ordered once more,
some time after it was answered (``Policy.code_again_ms``).
"""

from typing import assert_never

from actors.machine import alarms, commands, events, vending
from actors.machine.code import (
    QR_PAYLOAD_BYTES_MAX,
    Code,
    CodeStatus,
    Saying,
    Says,
    barred,
    blurred,
    differing,
    fulfilled,
    replaced,
    tells_us,
)
from actors.machine.code_calls import next_call, order, under_way
from actors.machine.draft import Draft
from actors.machine.effects import ChangeCodeStatus, CreateCode, DeleteCode, ModifyCode
from actors.machine.policy import Policy
from actors.machine.state import AlarmKind
from actors.machine.values import replace

_ACTIVE = CodeStatus.ACTIVE

OLD_CODE_TRIES = 3
"""After so many tries a code that is to be replaced is left as it is: stopped, and not deleted, or
not there, as far as Alipay says, or not to be stopped.
"""


# --- what is wanted ---


def configured(draft: Draft) -> None:
    """Somebody has changed something. What was refused, or waits because it failed, is tried now:
    the change may have removed the reason, or be another wish.
    """
    code = draft.state.code
    if code.status is CodeStatus.REFUSED:
        code = replace(_rested(code), status=code.behind_refusal)
    code = replace(code, saying=replace(code.saying, refused=None))
    draft.update(code=code)
    _aim(draft)


def wished(draft: Draft, event: events.CodeWished) -> None:
    """The code shall say something else."""
    code, at_ms = draft.state.code, None
    if event.says == code.saying.wanted:
        return
    if event.revision is not None and event.revision < draft.state.configuration.revision:
        draft.note(f"the wish of configuration {event.revision} was overtaken by a newer one")
        return
    if event.wait_ms and code.status is CodeStatus.ACTIVE:
        at_ms = draft.now_ms + event.wait_ms
    saying = replace(code.saying, wanted=event.says, refused=None, error="", attempts=0)
    draft.update(code=replace(code, saying=replace(saying, next_attempt_at_ms=at_ms)))


def _aim(draft: Draft) -> None:
    """Say what shall be known of the code now, and until when that holds if nothing happens."""
    code, configuration = draft.state.code, draft.state.configuration
    payable = configuration.enabled and not barred(code) and not replaced(code)
    # More money would only go back, and each refund that cannot be done now stays in the state.
    payable = payable and len(draft.state.trades) < draft.policy.trades_max
    at_ms = _away_from_ms(draft) if payable and code.qr_payload else None
    away = at_ms is not None and at_ms <= draft.now_ms
    wanted = CodeStatus.ACTIVE if payable and not away else CodeStatus.STOPPED
    if code.offline_stop_at_ms != (left := None if away else at_ms):
        code = replace(code, offline_stop_at_ms=left)
    if wanted is not code.wanted:
        if code.status is CodeStatus.REFUSED:
            code = replace(_rested(code), status=code.behind_refusal)
        elif code.asked is None:
            code = replace(code, attempts=0, next_attempt_at_ms=None)
        saying = replace(code.saying, next_attempt_at_ms=None)
        code = replace(code, wanted=wanted, saying=saying)
    if code is not draft.state.code:
        draft.update(code=code)


def _away_from_ms(draft: Draft) -> int | None:
    """Return from when the machine has been away for so long that nobody shall pay it."""
    link, limit_ms = draft.state.link, draft.policy.code_offline_stop_ms
    if limit_ms is None or link.online or not link.changed_at_ms:
        return None
    return link.changed_at_ms + limit_ms


# --- the next call ---


def drive(draft: Draft) -> None:
    """At the end of a draft: order the next call about the code, if one is due, and write down
    since when it is not as it should be.
    """
    if draft.state.configuration.revision == 0 or _is_right(draft):
        return
    _aim(draft)
    _order_next(draft)
    code = draft.state.code
    since_ms = (code.differs_since_ms or draft.now_ms) if differing(code) else None
    if since_ms != code.differs_since_ms:
        draft.update(code=replace(code, differs_since_ms=since_ms))


def _is_right(draft: Draft) -> bool:
    """Tell whether the code can be paid, as it should, and nothing about it changes: what ``_aim``
    and all that follows it would find out for ten times the price.
    """
    state = draft.state
    return (
        state.code.wanted is _ACTIVE
        and fulfilled(state.code)
        and state.configuration.enabled
        and len(state.trades) < draft.policy.trades_max
        and (state.link.online or draft.policy.code_offline_stop_ms is None)
    )


def _order_next(draft: Draft) -> None:
    code = draft.state.code
    if under_way(code):
        return
    coming = next_call(code)
    if coming is None or (coming.at_ms is not None and coming.at_ms > draft.now_ms):
        return
    revision = draft.state.configuration.revision
    match coming.call:
        case ModifyCode() | DeleteCode() as call:
            saying = replace(
                code.saying,
                asked=code.saying.wanted if isinstance(call, ModifyCode) else None,
                deleting=isinstance(call, DeleteCode),
                attempts=code.saying.attempts + 1,
                next_attempt_at_ms=None,
            )
            code = replace(code, saying=saying, asked_revision=revision)
        case CreateCode() | ChangeCodeStatus():
            if coming.repeats:
                code = order_again(code, draft.now_ms, draft.policy)
            if isinstance(coming.call, CreateCode):
                code = replace(code, saying=replace(code.saying, store=coming.call.store))
            code = replace(
                code,
                asked=code.wanted if code.qr_payload else CodeStatus.ACTIVE,
                attempts=code.attempts + 1,
                next_attempt_at_ms=None,
                asked_revision=revision,
            )
        case _:
            assert_never(coming.call)
    draft.update(code=code)
    draft.call(order(code))


def order_again(code: Code, now_ms: int, policy: Policy, *, anew: bool = False) -> Code:
    """Return the code with the time of its next repetition, the first one if it is ``anew`` in
    doubt what reaches Alipay; with none after the last.
    """
    done, waits = 0 if anew else code.agains, policy.code_again_ms
    at_ms = now_ms + waits[done] if done < len(waits) else None
    saying = replace(code.saying, resaid=False)
    return replace(code, again_at_ms=at_ms, agains=min(done + 1, len(waits)), saying=saying)


# --- answers ---


def happened(draft: Draft, event: events.CodeEvent) -> None:
    """Take what was heard of the code."""
    match event:
        case events.CodeCreated():
            created(draft, event)
        case events.CodeWished():
            wished(draft, event)
        case events.CodeModified():
            modified(draft, event)
        case events.CodeDeleted():
            deleted(draft)
        case events.CodeStatusChanged():
            changed(draft, event)
        case events.CodeStopOrdered():
            stop_ordered(draft)
        case events.CodeFailed():
            failed(draft, event)
        case _:
            assert_never(event)


def _rested(code: Code) -> Code:
    """Return the code after a call that was answered: no call is under way, and none failed."""
    return replace(code, asked=None, error="", attempts=0, next_attempt_at_ms=None)


def created(draft: Draft, event: events.CodeCreated) -> None:
    """Alipay gave the machine its code. It may be one that was there before, and then tells its
    payments where it was once made to, and is stopped if it was.
    """
    code = draft.state.code
    if code.qr_payload or code.status is CodeStatus.REFUSED:
        draft.note("the machine has its code already")
        return
    size = len(event.qr_payload.encode())
    if size > QR_PAYLOAD_BYTES_MAX:
        # Alipay's answer is in the journal. No machine has room for the code, and a code cut short
        # would be another code.
        error = f"Alipay's code has {size} bytes: a machine has room for {QR_PAYLOAD_BYTES_MAX}"
        draft.note(error)
        draft.update(code=replace(_rested(code), status=CodeStatus.REFUSED, error=error))
        return
    told = code.saying.wanted is not None
    saying = replace(code.saying, confirmed=Says() if told else None)
    draft.update(
        code=replace(
            _rested(code),
            status=CodeStatus.PENDING if told else CodeStatus.ACTIVE,
            qr_payload=event.qr_payload,
            image_url=event.image_url,
            saying=saying,
        )
    )
    if not told:
        draft.tell(commands.service(draft.state))
        vending.show_another_qr(draft)


def modified(draft: Draft, event: events.CodeModified) -> None:
    """Alipay confirmed what the code says."""
    code = draft.state.code
    if code.saying.asked is None:
        draft.note("nobody waits to hear what the code says")
        if code.qr_payload:
            known = blurred(code.saying.confirmed, event.says)
            code = replace(code, saying=replace(code.saying, confirmed=known))
            draft.update(code=order_again(code, draft.now_ms, draft.policy, anew=True))
        return
    saying = replace(
        code.saying,
        confirmed=event.says,
        refused=None,
        asked=None,
        resaid=code.saying.asked == code.saying.confirmed,
        error="",
    )
    if event.says == saying.wanted:
        saying = replace(saying, attempts=0)
    else:
        # The host knows the place of the machine better than the machine, or not as well yet.
        saying = replace(saying, next_attempt_at_ms=_later(draft, saying.attempts))
    code = replace(code, saying=saying)
    if code.status is CodeStatus.PENDING and tells_us(code) and code.wanted is CodeStatus.ACTIVE:
        # It is restarted at once, in case that it was there before, and stopped.
        code = replace(
            code,
            status=CodeStatus.ACTIVE,
            again_at_ms=draft.now_ms,
            agains=len(draft.policy.code_again_ms),
            saying=replace(saying, resaid=True),
        )
        draft.update(code=code)
        draft.tell(commands.service(draft.state))
        vending.show_another_qr(draft)
        return
    draft.update(code=code)


def changed(draft: Draft, event: events.CodeStatusChanged) -> None:
    """Alipay stopped or restarted the code."""
    code = draft.state.code
    if code.qr_payload and code.asked is event.status:
        draft.update(code=replace(_rested(code), status=event.status))
        if code.status is not event.status:
            draft.tell(commands.service(draft.state))
        return
    draft.note(f"nobody waits to hear that the code is {event.status}")
    if code.qr_payload:
        # Nobody knows in which order Alipay did this and what was asked for since.
        _doubt(draft, code)


def deleted(draft: Draft) -> None:
    """Alipay deleted the code that was to be replaced."""
    if draft.state.code.saying.deleting:
        _let_go(draft)
    else:
        draft.note("nobody waits to hear that a code was deleted")


def _let_go(draft: Draft) -> None:
    """The code is stopped, and the machine gets another one."""
    code = draft.state.code
    draft.note(f"the code {code.qr_payload} is the machine's no more")
    draft.update(code=Code(saying=Saying(wanted=code.saying.wanted)))


def stop_ordered(draft: Draft) -> None:
    """The host had the code stopped: what is wanted of it is asked for again."""
    code = draft.state.code
    if code.qr_payload:
        draft.note("the code was stopped while the machine was halted")
        # A call that was under way was answered before, or is lost.
        saying = code.saying
        if saying.asked is not None:
            known = blurred(saying.confirmed, saying.asked)
            saying = replace(saying, confirmed=known, asked=None)
        saying = replace(saying, deleting=False)
        _doubt(draft, replace(code, asked=None, saying=saying))


def stoppable(code: Code) -> str:
    """Return the code that can be paid, as far as is known; empty if there is none."""
    known = code.behind_refusal if code.status is CodeStatus.REFUSED else code.status
    stopped = known is CodeStatus.STOPPED and code.asked is None and code.again_at_ms is None
    return "" if stopped else code.qr_payload


def _doubt(draft: Draft, code: Code) -> None:
    """From now on it is unknown what Alipay has of the code."""
    if code.qr_payload:
        code = order_again(code, draft.now_ms, draft.policy, anew=True)
    if code.status is CodeStatus.REFUSED:
        draft.update(code=replace(code, behind_refusal=CodeStatus.UNKNOWN))
        return
    draft.update(code=replace(code, status=CodeStatus.UNKNOWN))
    if code.status is CodeStatus.ACTIVE:
        draft.tell(commands.service(draft.state))


def _later(draft: Draft, attempts: int) -> int:
    waits = draft.policy.code_retry_ms
    return draft.now_ms + waits[min(max(attempts, 1), len(waits)) - 1]


def failed(draft: Draft, event: events.CodeFailed) -> None:
    """A call about the code failed."""
    code = draft.state.code
    if not under_way(code):
        draft.note(f"a call about the code failed that nobody waits for: {event.detail}")
        return
    if code.saying.deleting:
        _not_deleted(draft, event)
        return
    if code.saying.asked is not None:
        _not_modified(draft, code.saying.asked, event)
        return
    if code.asked is code.status and not (event.final and code.asked is CodeStatus.STOPPED):
        _not_repeated(draft, code, event)
        return
    if not event.final:
        at_ms = _later(draft, code.attempts)
        _doubt(draft, replace(code, asked=None, error=event.detail, next_attempt_at_ms=at_ms))
        return
    if not code.qr_payload and code.saying.wanted and code.saying.store != code.saying.wanted.store:
        _not_made(draft, event)
        return
    if code.asked is CodeStatus.STOPPED and replaced(code):
        _delete_unstopped(draft, event)
        return
    # No signature says that nothing was made or changed, and an earlier call may have done it: only
    # the next one will make sure.
    code = replace(_rested(code), status=CodeStatus.UNKNOWN, error=event.detail)
    if code.asked_revision == draft.state.configuration.revision:
        code = replace(code, status=CodeStatus.REFUSED, behind_refusal=CodeStatus.UNKNOWN)
    # Otherwise somebody changed something while Alipay was asked: what it refused is perhaps
    # mended.
    _shown_no_more(draft, code)


def _not_made(draft: Draft, event: events.CodeFailed) -> None:
    """Alipay shows no code of the store that shall have none: after some tries there is none, and
    the machine gets its other one.
    """
    code = draft.state.code
    if code.attempts < OLD_CODE_TRIES:
        at_ms = _later(draft, code.attempts)
        known = replace(code, status=CodeStatus.UNKNOWN, asked=None, error=event.detail)
        draft.update(code=replace(known, next_attempt_at_ms=at_ms))
        return
    _left(draft, code, f"Alipay shows no code of it, and may have one: {event.detail}")
    draft.update(code=Code(saying=Saying(wanted=code.saying.wanted)))


def _delete_unstopped(draft: Draft, event: events.CodeFailed) -> None:
    """Alipay does not stop the code that is to be replaced: perhaps somebody has deleted it in
    Alipay's portal. It is deleted all the same, or no other one would ever take its place.
    """
    code = replace(_rested(draft.state.code), status=CodeStatus.UNKNOWN, error=event.detail)
    saying = replace(code.saying, deleting=True, attempts=code.saying.attempts + 1)
    code = replace(code, saying=saying, asked_revision=draft.state.configuration.revision)
    _shown_no_more(draft, code)
    draft.call(order(code))


def _shown_no_more(draft: Draft, code: Code) -> None:
    """Nobody knows any more whether the code can be paid, or it shall not be: its machine hides it,
    as it would after the next Welcome.
    """
    shown = draft.state.code.status is CodeStatus.ACTIVE
    draft.update(code=code)
    if shown:
        draft.tell(commands.service(draft.state))


def _not_repeated(draft: Draft, code: Code, event: events.CodeFailed) -> None:
    """What was known to be so was ordered once more in vain, which makes it no other. A code that
    Alipay refuses to restart may be one that it never stopped; one that it refuses to stop may be
    paid, and is a person's.
    """
    if event.final:
        draft.note(f"what the code is was not ordered once more: {event.detail}")
        draft.update(code=replace(_rested(code), error=event.detail))
        return
    at_ms = _later(draft, code.attempts)
    code = order_again(code, draft.now_ms, draft.policy, anew=True)
    at_ms = max(at_ms, code.again_at_ms or at_ms)
    draft.update(code=replace(code, asked=None, error=event.detail, again_at_ms=at_ms))


def _not_modified(draft: Draft, asked: Says, event: events.CodeFailed) -> None:
    """What the code was to say it may say or not. A refusal concerns what was asked for: where that
    is said already, or something else is wanted by now, it is a note.
    """
    code = draft.state.code
    saying = replace(code.saying, asked=None, error=event.detail)
    if not event.final:
        at_ms = _later(draft, saying.attempts)
        known = blurred(saying.confirmed, asked)
        saying = replace(saying, confirmed=known, next_attempt_at_ms=at_ms)
        code = order_again(replace(code, saying=saying), draft.now_ms, draft.policy, anew=True)
        draft.update(code=code)
        return
    mended = code.asked_revision != draft.state.configuration.revision
    saying = replace(saying, attempts=0, resaid=asked == saying.confirmed)
    if asked == saying.confirmed or asked != saying.wanted or mended:
        draft.note(f"Alipay refused what the code was to say: {event.detail}")
    else:
        saying = replace(saying, refused=asked)
    draft.update(code=replace(code, saying=saying))


def _not_deleted(draft: Draft, event: events.CodeFailed) -> None:
    """The code stays as it is: stopped, which is enough if Alipay will not do more, or such that
    Alipay neither stops nor deletes it.
    """
    code = draft.state.code
    saying = replace(code.saying, deleting=False, error=event.detail)
    if event.final or saying.attempts >= OLD_CODE_TRIES:
        stopped = code.status is CodeStatus.STOPPED
        done = "was stopped and perhaps not deleted" if stopped else "may be there, and be paid"
        _left(draft, code, f"its code {done}: {event.detail}")
        _let_go(draft)
        return
    at_ms = _later(draft, saying.attempts)
    if code.status is not CodeStatus.STOPPED:  # it is stopped first, as late
        code = replace(code, next_attempt_at_ms=at_ms)
    draft.update(code=replace(code, saying=replace(saying, next_attempt_at_ms=at_ms)))


def _left(draft: Draft, code: Code, why: str) -> None:
    """Alipay may have a code of a store that nobody here asks about any more: a person looks."""
    store = code.saying.store or draft.state.machine_id
    alarms.ring(draft, AlarmKind.CODE_LEFT, f"store {store}: {why}", subject=store)
