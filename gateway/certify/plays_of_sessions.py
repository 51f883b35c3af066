"""The plays of a customer's stay: its end, its end unseen, a cut within it.

Flows in: the desk, the machine at rest. Flows out: the recording, which the judge of the same name
reads. What cannot be played raises Unplayed.
"""

from gateway.certify.desk import Call, Desk, Unplayed
from gateway.certify.hands import HandAct
from gateway.certify.selling import (
    begin_session,
    chosen,
    chosen_again,
    deny,
    end_session,
    resumed,
    settle,
    spoken,
)
from gateway.certify.times import REST_MS, SHORT_MS
from gateway.v1 import machine_pb2 as pb


async def session_complete(desk: Desk) -> None:
    """A customer has funds, sees them, and wants them back."""
    call = await settle(desk)
    await begin_session(desk, call)
    await _wants_the_rest(desk, call)


async def _wants_the_rest(desk: Desk, call: Call) -> None:
    before = len(desk.moments)
    await desk.wait(SHORT_MS)
    found = await desk.act_until(
        HandAct.COMPLETE, lambda: desk.seen_since(before).heard("session_complete") or None
    )
    if found is None and (call.over or not desk.hands.sure):
        raise Unplayed("the rest of the money was to be asked for, and no SessionComplete came")


async def session_over(desk: Desk) -> None:
    """A session ends by EndSession, and the next one while the stream is cut; each time somebody
    asks for the rest of the money then.
    """
    call = await settle(desk)
    await begin_session(desk, call)
    await desk.wait(REST_MS)
    await end_session(desk, call)
    await _asks_for_the_rest(desk)
    call = await desk.online()
    await begin_session(desk, call)
    await desk.wait(REST_MS)
    over, desk.session_id = desk.session_id, ""
    call.end()
    call = await desk.online()
    await _asks_for_the_rest(desk)
    await call.say(end_session=pb.EndSession(session_id=over, reason=pb.END_SESSION_REASON_IDLE))


async def _asks_for_the_rest(desk: Desk) -> None:
    await desk.wait(SHORT_MS)
    await desk.act(HandAct.COMPLETE, in_vain=True)
    await desk.wait(SHORT_MS)


async def session_resumed(desk: Desk) -> None:
    """The stream is cut while a customer has funds; Welcome names the session, and the customer
    wants the rest.
    """
    call = await settle(desk)
    await begin_session(desk, call)
    await spoken(desk, call)
    await desk.wait(REST_MS)
    call.end()
    call = await desk.online(session=resumed(desk))
    await spoken(desk, call)
    await _wants_the_rest(desk, call)


async def answer_lost(desk: Desk) -> None:
    """The stream is cut while a request waits, and Welcome names no session; then somebody
    chooses.
    """
    call = await settle(desk)
    request = await chosen(desk, call)
    desk.session_id = ""
    call.end()
    call = await desk.online()
    await desk.wait(SHORT_MS)
    again = await chosen_again(desk, call)
    await deny(call, request.said_by_machine.vend_request.request_id)
    if again is not None:
        await deny(call, again.said_by_machine.vend_request.request_id)
