"""What plays of vends have in common: a session, a choice, an approval, a result.

Flows in: the desk. Flows out: frames, and ids for the judge. Who is asked for a choice and makes
none ends the play: ``Unplayed``.
"""

from gateway.certify.desk import Call, Desk, Unplayed
from gateway.certify.hands import HandAct
from gateway.certify.moments import MachineMoment
from gateway.certify.times import EXPIRES_IN_MS, REST_MS, VALID_FOR_MS
from gateway.v1 import machine_pb2 as pb

FUNDS_MINOR = 5_000


class NotChosen(Unplayed):
    """The button was to be pressed, and the machine said nothing."""


async def settle(desk: Desk) -> Call:
    """Bring the machine to rest: online, nobody's money in it, no request, no motor."""
    call = desk.current if desk.current is not None and not desk.current.over else None
    if call is not None:
        call.silent, call.delay_ms = False, 0
        await call.release()
    call = await desk.online()
    for request_id in open_requests(desk):
        await deny(call, request_id, pb.VEND_DENIED_REASON_BUSY)
    for vend_id in open_vends(desk):
        await result(desk, vend_id)
    if desk.session_id:
        await end_session(desk, call)
    desk.settled = len(desk.moments)
    await desk.wait(REST_MS)
    return call


async def spoken(desk: Desk, call: Call, *, frames: int = 1) -> None:
    """Wait until the machine has said something behind its Hello, or so many frames."""

    def look() -> bool | None:
        return len(desk.seen_since(0).on(call.number).heard()) > frames or None

    await desk.until(look, desk.terms.answer_ms)


def open_requests(desk: Desk) -> list[str]:
    """Return the requests, and cancellations, that nobody has answered."""
    cancelled_by: dict[str, bool] = {}
    for each in desk.moments[desk.settled :]:
        heard, said = each.said_by_machine, each.said_by_us
        if request_id := heard.vend_request.request_id:
            cancelled_by.setdefault(request_id, False)
        if request_id := heard.vend_cancel.request_id:
            cancelled_by[request_id] = True
        cancelled_by.pop(said.vend_denied.request_id, None)
        if not cancelled_by.get(approved := said.vend_approved.request_id, True):
            del cancelled_by[approved]  # after VendCancel only VendDenied is an answer
    return list(cancelled_by)


def open_vends(desk: Desk) -> list[str]:
    """Return the vends that this boot has not told the end of."""
    waiting: dict[str, None] = {}
    boot_id = ""
    for each in desk.moments[desk.settled :]:
        if each.said_by_us.vend_approved.vend_id:
            waiting[each.said_by_us.vend_approved.vend_id] = None
        waiting.pop(each.result_of, None)
        hello = each.said_by_machine.hello
        if hello.boot_id and hello.boot_id != boot_id:
            boot_id = hello.boot_id
            waiting.clear()
    return list(waiting)


async def begin_session(desk: Desk, call: Call, *, expires_in_ms: int = EXPIRES_IN_MS) -> None:
    """A customer has funds."""
    desk.session_id = desk.new_id("s")
    begin = pb.BeginSession(
        session_id=desk.session_id, funds_minor=FUNDS_MINOR, expires_in_ms=expires_in_ms
    )
    await call.say(begin_session=begin)


async def end_session(desk: Desk, call: Call) -> None:
    """The customer's stay is over."""
    end = pb.EndSession(
        session_id=desk.session_id, reason=pb.END_SESSION_REASON_COMPLETE, refund_minor=0
    )
    desk.session_id = ""
    await call.say(end_session=end)


def resumed(desk: Desk, vend_id: str = "") -> pb.ResumedSession:
    """Return what Welcome says of the open session."""
    return pb.ResumedSession(session_id=desk.session_id, funds_minor=FUNDS_MINOR, vend_id=vend_id)


async def chosen(desk: Desk, call: Call, *, session: bool = True) -> MachineMoment:
    """Have a customer choose; return the machine's VendRequest. Raises NotChosen."""
    if session and not desk.session_id:
        await begin_session(desk, call)
    column = desk.terms.columns[0]
    before = len(desk.moments)
    found = await desk.act_until(
        HandAct.SELECT,
        lambda: next(iter(desk.seen_since(before).heard("vend_request")), None),
        column,
    )
    if found is None:
        raise NotChosen(f"column {column} was to be chosen, and no VendRequest came")
    return found


async def chosen_again(desk: Desk, call: Call) -> MachineMoment | None:
    """As ``chosen``, behind something that a machine may not have got over: None if it says nothing
    although the button was pressed. A person may be late: Unplayed.
    """
    try:
        return await chosen(desk, call)
    except NotChosen:
        if not desk.hands.sure:
            raise
        return None


def approval(desk: Desk, request: MachineMoment, **fields: object) -> pb.VendApproved:
    """Return an approval of the request, under a new vend_id."""
    wish = request.said_by_machine.vend_request
    approved = pb.VendApproved(
        vend_id=desk.new_id("v"),
        request_id=wish.request_id,
        column=wish.column,
        amount_minor=wish.price_minor,
        valid_for_ms=VALID_FOR_MS,
    )
    for name, value in fields.items():
        setattr(approved, name, value)
    return approved


async def deny(
    call: Call,
    request_id: str,
    reason: pb.VendDeniedReason.ValueType = pb.VEND_DENIED_REASON_BUSY,
) -> None:
    """Deny the request."""
    await call.say(
        vend_denied=pb.VendDenied(request_id=request_id, reason=reason, funds_minor=FUNDS_MINOR)
    )


async def result(desk: Desk, vend_id: str, *, after: int = 0) -> MachineMoment | None:
    """Return the machine's first result of the vend after that moment, if one comes in time."""
    return await desk.until(
        lambda: next(iter(desk.seen_since(after).results(vend_id)), None), desk.terms.result_ms
    )


async def vended(desk: Desk, call: Call) -> tuple[pb.VendApproved, MachineMoment | None]:
    """Have one vend asked for and approved; return its result, if the machine tells one."""
    approved = approval(desk, await chosen(desk, call))
    await call.say(vend_approved=approved)
    return approved, await result(desk, approved.vend_id)


async def sold(desk: Desk, call: Call) -> tuple[pb.VendApproved, MachineMoment]:
    """As ``vended``, in preparation of something else. Raises Unplayed without a result."""
    approved, told = await vended(desk, call)
    if told is None:
        raise Unplayed("an ordinary vend was approved, and no result came")
    return approved, told


async def cancelled(desk: Desk, call: Call) -> MachineMoment:
    """Have a customer choose and change their mind; return the VendCancel."""
    request = await chosen(desk, call)
    request_id = request.said_by_machine.vend_request.request_id
    found = await desk.act_until(
        HandAct.CANCEL,
        lambda: next(iter(desk.seen_since(request.number).cancels(request_id)), None),
    )
    if found is None:
        raise Unplayed("a request was to be cancelled, and no VendCancel came")
    return request
