"""What administrators decide, and the machine's code at Alipay, which follows.

What is known of the code and what it should be are two facts; their difference drives calls, one at
a time, until they agree or Alipay refuses. A call that was not answered leaves the code UNKNOWN,
which is never what is wanted: the call for what is wanted by then follows.

A code's orders have no id, and none of Alipay's calls reads its status. So one that was not
answered, or that another host has made, may be done behind a newer one: what is wanted is ordered
once more, some time after it was answered (``Policy.code_again_ms``).
"""

from actors.machine import commands, events, stock, vending
from actors.machine.draft import Draft
from actors.machine.effects import ChangeCodeStatus, CreateCode, ProviderCall
from actors.machine.policy import Policy
from actors.machine.state import QR_PAYLOAD_BYTES_MAX, Code, CodeStatus, Planogram
from actors.machine.values import replace


def change(draft: Draft, event: events.ConfigurationChanged) -> None:
    """The registry holds another configuration."""
    before, after = draft.state.configuration, event.configuration
    if after.revision <= before.revision:
        draft.note(f"configuration {after.revision} is not newer than {before.revision}")
        return
    if event.columns is not None and after.planogram_version != before.planogram_version:
        wanted = Planogram(version=after.planogram_version, columns=event.columns)
        draft.update(next_planogram=wanted)
    if draft.state.next_planogram is not None:
        after = replace(after, planogram_version=before.planogram_version)
    draft.update(configuration=after)
    put_in_force(draft)
    if (waiting := draft.state.next_planogram) is not None:
        draft.note(f"planogram {waiting.version} waits for the end of the session")
    _want(draft, CodeStatus.ACTIVE if after.enabled else CodeStatus.STOPPED)
    if (before.enabled, before.mode) != (after.enabled, after.mode):
        draft.tell(commands.service(draft.state))
    if (before.locked or ()) != (after.locked or ()):
        if draft.state.configuration.planogram_version == before.planogram_version:
            draft.tell(commands.planogram(draft.state))
        vending.stop_locked(draft)
    if not after.enabled:
        vending.out_of_service(draft)


def put_in_force(draft: Draft, *, tell: bool = True) -> None:
    """Let the planogram that waits be the machine's, unless somebody is in a session: they pay what
    they saw. Without ``tell`` the machine hears of it otherwise.
    """
    waiting = draft.state.next_planogram
    if waiting is None or draft.state.session is not None:
        return
    stock.plan(draft, waiting.columns)
    configuration = replace(draft.state.configuration, planogram_version=waiting.version)
    draft.update(configuration=configuration, next_planogram=None)
    if tell:
        draft.tell(commands.planogram(draft.state))


# --- the code ---


def _want(draft: Draft, wanted: CodeStatus) -> None:
    """Somebody wants the code like this. What was refused, or waits because it failed, is tried
    now: the change may have removed the reason, or be another wish.
    """
    code = draft.state.code
    if code.status is CodeStatus.REFUSED:
        code = replace(_rested(code), status=code.behind_refusal)
    elif code.wanted is not wanted and code.asked is None:
        code = replace(code, attempts=0, next_attempt_at_ms=None)
    draft.update(code=replace(code, wanted=wanted))


def _rested(code: Code) -> Code:
    """Return the code after a call that was answered: no call is under way, and none failed."""
    return replace(code, asked=None, error="", attempts=0, next_attempt_at_ms=None)


def code_settled(code: Code) -> bool:
    """Tell whether the code is what it should be, or never will be."""
    at_rest = code.status is CodeStatus.REFUSED or code.status is code.wanted
    return at_rest and code.asked is None


def code_repeats(code: Code) -> bool:
    """Tell whether what is known to be so is to be ordered once more."""
    return code.again_at_ms is not None and code.asked is None and code.status is code.wanted


def code_rests(code: Code) -> bool:
    """Tell whether no call about the code is due any more, now or later."""
    return code_settled(code) and not code_repeats(code)


def code_deadline_at_ms(code: Code) -> int | None:
    """Return when the next call about the code is due; None if none is, or one is under way."""
    if code_repeats(code):
        return code.again_at_ms
    return None if code_settled(code) else code.next_attempt_at_ms


def code_order(code: Code) -> ProviderCall:
    """Return the call that is under way, or else the one that brings the code nearer to what is
    wanted.
    """
    if not code.qr_payload:
        return CreateCode()
    return ChangeCodeStatus(qr_payload=code.qr_payload, status=code.asked or code.wanted)


def code_under_way(code: Code) -> bool:
    """Tell whether a call about the code was ordered and has not been answered."""
    return code.asked is not None


def drive_code(draft: Draft) -> None:
    """At the end of a draft: order the next call about the code, if one is due."""
    code = draft.state.code
    if draft.state.configuration.revision == 0 or code_under_way(code):
        return
    if code_rests(code):
        return
    at_ms = code_deadline_at_ms(code)
    if at_ms is not None and at_ms > draft.now_ms:
        return
    if code_repeats(code):
        code = order_again(code, draft.now_ms, draft.policy)
    code = replace(
        code,
        asked=code.wanted if code.qr_payload else CodeStatus.ACTIVE,
        attempts=code.attempts + 1,
        next_attempt_at_ms=None,
        asked_revision=draft.state.configuration.revision,
    )
    draft.update(code=code)
    draft.call(code_order(code))


def order_again(code: Code, now_ms: int, policy: Policy, *, anew: bool = False) -> Code:
    """Return the code with the time of its next repetition, the first one if it is ``anew`` in
    doubt what reaches Alipay; with none after the last.
    """
    done, waits = 0 if anew else code.agains, policy.code_again_ms
    at_ms = now_ms + waits[done] if done < len(waits) else None
    return replace(code, again_at_ms=at_ms, agains=min(done + 1, len(waits)))


def code_created(draft: Draft, event: events.CodeCreated) -> None:
    """Alipay gave the machine its code."""
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
    draft.update(
        code=replace(
            _rested(code),
            status=CodeStatus.ACTIVE,
            qr_payload=event.qr_payload,
            image_url=event.image_url,
        )
    )
    draft.tell(commands.service(draft.state))


def code_changed(draft: Draft, event: events.CodeStatusChanged) -> None:
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


def code_stop_ordered(draft: Draft) -> None:
    """The host had the code stopped: what is wanted of it is asked for again."""
    if draft.state.code.qr_payload:
        draft.note("the code was stopped while the machine was halted")
        # A call that was under way was answered before, or is lost.
        _doubt(draft, replace(draft.state.code, asked=None))


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


def code_failed(draft: Draft, event: events.CodeFailed) -> None:
    """A call about the code failed."""
    code = draft.state.code
    if not code_under_way(code):
        draft.note(f"a call about the code failed that nobody waits for: {event.detail}")
        return
    if code.asked is code.status and not (event.final and code.asked is CodeStatus.STOPPED):
        _not_repeated(draft, code, event)
        return
    if not event.final:
        waits = draft.policy.code_retry_ms
        at_ms = draft.now_ms + waits[min(code.attempts, len(waits)) - 1]
        _doubt(draft, replace(code, asked=None, error=event.detail, next_attempt_at_ms=at_ms))
        return
    # What Alipay refuses to make, it has not made: it would have given the code that is there.
    # Whether it changed the code that is there all the same, only the next call will make sure.
    known = CodeStatus.UNKNOWN if code.qr_payload else CodeStatus.PENDING
    code = replace(_rested(code), status=known, error=event.detail)
    if code.asked_revision == draft.state.configuration.revision:
        code = replace(code, status=CodeStatus.REFUSED, behind_refusal=known)
    # Otherwise somebody changed something while Alipay was asked: what it refused is perhaps
    # mended.
    draft.update(code=code)


def _not_repeated(draft: Draft, code: Code, event: events.CodeFailed) -> None:
    """What was known to be so was ordered once more in vain, which makes it no other. A code that
    Alipay refuses to restart may be one that it never stopped; one that it refuses to stop may be
    paid, and is a person's.
    """
    if event.final:
        draft.note(f"what the code is was not ordered once more: {event.detail}")
        draft.update(code=replace(_rested(code), error=event.detail))
        return
    waits = draft.policy.code_retry_ms
    at_ms = draft.now_ms + waits[min(code.attempts, len(waits)) - 1]
    code = order_again(code, draft.now_ms, draft.policy, anew=True)
    at_ms = max(at_ms, code.again_at_ms or at_ms)
    draft.update(code=replace(code, asked=None, error=event.detail, again_at_ms=at_ms))
