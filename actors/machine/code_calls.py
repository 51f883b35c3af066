"""Which call about a machine's code is the next one: what is known of it and what is wanted decide.

Pure, of one value. To stop comes before all else; a code is not restarted before it says where we
hear of its payments; and what is so is repeated when its time has come.
"""

from dataclasses import dataclass

from actors.machine.code import Code, CodeStatus, fulfilled, replaced, tells_us
from actors.machine.effects import ChangeCodeStatus, CodeCall, CreateCode, DeleteCode, ModifyCode


def under_way(code: Code) -> bool:
    """Tell whether a call about the code was ordered and has not been answered."""
    return code.asked is not None or code.saying.asked is not None or code.saying.deleting


def _to_modify(code: Code) -> bool:
    """Tell whether the code shall say something that Alipay has not confirmed or refused. One that
    nobody can pay may say what it likes.
    """
    saying = code.saying
    return (
        bool(code.qr_payload)
        and code.wanted is CodeStatus.ACTIVE
        and saying.wanted is not None
        and saying.wanted not in {saying.confirmed, saying.refused}
    )


def _store(code: Code) -> str:
    """Return for which store a code is to be made: for the one that may have one by a call that was
    not answered, or else nobody would ever stop that.
    """
    saying = code.saying
    if code.status is CodeStatus.UNKNOWN or saying.wanted is None:
        return saying.store
    return saying.wanted.store


def _to_change(code: Code) -> CodeCall | None:
    """Return the call that brings the code nearer to what is wanted; None if it is so, or if Alipay
    has refused it.
    """
    if code.status is CodeStatus.REFUSED:
        return None
    if not code.qr_payload:
        return CreateCode(store=_store(code))
    status = ChangeCodeStatus(qr_payload=code.qr_payload, status=code.wanted)
    if code.wanted is CodeStatus.STOPPED and code.status is not CodeStatus.STOPPED:
        return status
    if replaced(code):
        return DeleteCode(qr_payload=code.qr_payload)
    modify = (
        ModifyCode(qr_payload=code.qr_payload, store=code.saying.store)
        if _to_modify(code)
        else None
    )
    if code.status is code.wanted or (modify is not None and not tells_us(code)):
        return modify
    return status


def _to_repeat(code: Code) -> CodeCall | None:
    """Return the call that orders once more what is so; None if there is none to be repeated."""
    if code.again_at_ms is None or code.status is not code.wanted or not code.qr_payload:
        return None
    saying = code.saying
    says_so = saying.wanted is not None and saying.wanted == saying.confirmed
    if code.wanted is CodeStatus.ACTIVE and says_so and not saying.resaid:
        return ModifyCode(qr_payload=code.qr_payload, store=code.saying.store)
    return ChangeCodeStatus(qr_payload=code.qr_payload, status=code.wanted)


def settled(code: Code) -> bool:
    """Tell whether the code is what it should be, or never will be."""
    return not under_way(code) and _to_change(code) is None


def rests(code: Code) -> bool:
    """Tell whether no call about the code is due any more, now or later."""
    return settled(code) and _to_repeat(code) is None and code.offline_stop_at_ms is None


@dataclass(frozen=True, slots=True)
class Next:
    """The call to be made next, and when; None: at once. ``repeats``: it changes nothing."""

    call: CodeCall
    at_ms: int | None
    repeats: bool = False


def next_call(code: Code) -> Next | None:
    """Return what is to be called next, if it is not called already; None: nothing, ever."""
    change, call = _to_change(code), _to_repeat(code)
    repeat = None if call is None else Next(call, code.again_at_ms, repeats=True)
    if change is None:
        return repeat
    if not isinstance(change, ModifyCode | DeleteCode):
        return Next(change, code.next_attempt_at_ms)
    at_ms = code.saying.next_attempt_at_ms
    if repeat is not None and (repeat.at_ms or 0) < (at_ms or 0):
        return repeat
    return Next(change, at_ms)


def deadline_at_ms(code: Code) -> int | None:
    """Return when the next call about the code is due, or it is to be stopped because its machine
    is away; None if neither is, or a call is under way.
    """
    if fulfilled(code):
        return None
    coming = None if under_way(code) else next_call(code)
    times = [code.offline_stop_at_ms, None if coming is None else coming.at_ms]
    return min((one for one in times if one is not None), default=None)


def order(code: Code) -> CodeCall:
    """Return the call that is under way."""
    if not code.qr_payload:
        return CreateCode(store=code.saying.store)
    if code.saying.deleting:
        return DeleteCode(qr_payload=code.qr_payload)
    if code.saying.asked is not None:
        return ModifyCode(qr_payload=code.qr_payload, store=code.saying.store)
    return ChangeCodeStatus(qr_payload=code.qr_payload, status=code.asked or code.wanted)
