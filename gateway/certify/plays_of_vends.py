"""The plays about one vend: what the backend says, and when, so that a rule shows itself.

Flows in: the desk, the machine at rest. Flows out: the recording. A play asks nothing of the
answers; the judge of the same name does. What cannot be played raises Unplayed.
"""

import grpc

from gateway.certify.desk import Call, Desk, Unplayed
from gateway.certify.hands import HandAct
from gateway.certify.moments import MachineMoment
from gateway.certify.selling import (
    FUNDS_MINOR,
    approval,
    cancelled,
    chosen,
    chosen_again,
    deny,
    end_session,
    result,
    resumed,
    settle,
    sold,
    spoken,
    vended,
)
from gateway.certify.times import EXPIRES_IN_MS, REST_MS, SHORT_MS
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

UNKNOWN_NUMBER = 99
DECADES_AHEAD_MS = 4_102_444_800_000


async def pay_first(desk: Desk) -> None:
    """Funds, a choice, an approval, goods."""
    call = await settle(desk)
    await vended(desk, call)
    await call.say(
        funds_update=pb.FundsUpdate(
            session_id=desk.session_id, funds_minor=FUNDS_MINOR, expires_in_ms=EXPIRES_IN_MS
        )
    )
    await end_session(desk, call)


async def two_choices(desk: Desk) -> None:
    """Two customers choose, and get nothing; the power fails between them, if somebody can pull the
    plug: a counter in memory begins again then.
    """
    await _chosen_and_denied(desk)
    if HandAct.POWER_CUT in desk.hands.can:
        desk.session_id = ""
        await desk.act(HandAct.POWER_CUT)
        call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
        await desk.welcome(call)
    await _chosen_and_denied(desk)


async def _chosen_and_denied(desk: Desk) -> None:
    call = await settle(desk)
    request = await chosen(desk, call)
    await deny(call, request.said_by_machine.vend_request.request_id)


async def purchase_first(desk: Desk) -> None:
    """A choice, a code, money after a while, goods."""
    call = await settle(desk)
    request = await chosen(desk, call, session=False)
    wish = request.said_by_machine.vend_request
    await call.say(
        show_qr=pb.ShowQr(
            request_id=wish.request_id,
            qr_payload="https://qr.example/examination",
            amount_minor=wish.price_minor,
            expires_in_ms=25_000,
        )
    )
    await desk.wait(SHORT_MS)
    approved = approval(desk, request)
    await call.say(vend_approved=approved)
    await result(desk, approved.vend_id)


async def one_request(desk: Desk) -> None:
    """A customer chooses, and presses again while the first choice has no answer."""
    call = await settle(desk)
    request = await chosen(desk, call)
    await desk.act(HandAct.SELECT, desk.terms.columns[0], in_vain=True)
    await desk.wait(SHORT_MS)
    await deny(call, request.said_by_machine.vend_request.request_id)


async def price_changes(desk: Desk) -> None:
    """The price changes while a customer chooses."""
    call = await settle(desk)
    request = await chosen(desk, call)
    desk.planogram_version += 1
    desk.price_minor += 50
    request_id = request.said_by_machine.vend_request.request_id
    await deny(call, request_id, pb.VEND_DENIED_REASON_PRICE_STALE)
    await desk.tell_planogram(call)
    await desk.wait(SHORT_MS)
    again = await chosen_again(desk, call)
    if again is not None:
        await deny(call, again.said_by_machine.vend_request.request_id)


async def approved_twice_at_once(desk: Desk) -> None:
    """The approval is repeated while the motor turns."""
    call = await settle(desk)
    await desk.count()
    approved = approval(desk, await chosen(desk, call))
    await call.say(vend_approved=approved)
    await call.say(vend_approved=approved)
    await result(desk, approved.vend_id)
    await desk.wait(desk.terms.still_ms)
    await desk.count()


async def approved_again(desk: Desk) -> None:
    """The approval is repeated when the result was acknowledged."""
    call = await settle(desk)
    approved, _ = await sold(desk, call)
    await desk.wait(SHORT_MS)
    await desk.count()
    before = len(desk.moments)
    await call.say(vend_approved=approved)
    await result(desk, approved.vend_id, after=before)
    await desk.wait(desk.terms.still_ms)
    await desk.count()


async def id_given_twice(desk: Desk) -> None:
    """A vend_id that the machine knows approves another request."""
    call = await settle(desk)
    approved, _ = await sold(desk, call)
    await desk.wait(SHORT_MS)
    request = await chosen(desk, call)
    await desk.count()
    before = len(desk.moments)
    await call.say(vend_approved=approval(desk, request, vend_id=approved.vend_id))
    await result(desk, approved.vend_id, after=before)
    await desk.wait(SHORT_MS)
    await desk.count()


async def approved_after_cancel(desk: Desk) -> None:
    """An approval crosses with the customer's VendCancel."""
    call = await settle(desk)
    request = await cancelled(desk, call)
    await _approved_late(desk, request)


async def approved_after_denial(desk: Desk) -> None:
    """An approval comes behind a denial of the same request."""
    call = await settle(desk)
    request = await chosen(desk, call)
    await deny(call, request.said_by_machine.vend_request.request_id)
    await _approved_late(desk, request)


async def approved_for_another(desk: Desk) -> None:
    """While a request is open an approval of another one comes."""
    call = await settle(desk)
    request = await chosen(desk, call)
    await _approved_late(desk, request, request_id=desk.new_id("r"))


async def approved_elsewhere(desk: Desk) -> None:
    """The approval names a column that was not chosen."""
    call = await settle(desk)
    request = await chosen(desk, call)
    await _approved_late(desk, request, column="none")
    await deny(await desk.online(), request.said_by_machine.vend_request.request_id)


async def approved_too_late(desk: Desk) -> None:
    """An approval's ``valid_for_ms`` is over when it comes."""
    call = await settle(desk)
    request = await chosen(desk, call)
    assert call is desk.current
    await _approved_late(desk, request, valid_for_ms=0)


async def _approved_late(desk: Desk, request: MachineMoment, **fields: object) -> None:
    call = await desk.online()
    await desk.count()
    approved = approval(desk, request, **fields)
    await call.say(vend_approved=approved)
    await result(desk, approved.vend_id)
    await desk.wait(SHORT_MS)
    await desk.count()


async def never_answered(desk: Desk) -> None:
    """Nobody answers a choice, nor that it is given up; then somebody chooses again."""
    call = await settle(desk)
    request = await chosen(desk, call)
    request_id = request.said_by_machine.vend_request.request_id
    declared_ms = call.hello.capabilities.response_time_ms if call.hello else 0
    if not 0 < declared_ms <= 180_000:
        raise Unplayed(f"Hello declares a response time of {declared_ms} ms, which nobody awaits")
    given_up = await desk.until(
        lambda: desk.seen_since(request.number).cancels(request_id) or None,
        declared_ms + 2 * desk.terms.slack_ms,
    )
    again = None
    if given_up:
        await desk.wait(declared_ms + desk.terms.slack_ms)
        again = await chosen_again(desk, call)
    await deny(call, request_id, pb.VEND_DENIED_REASON_CANCELLED)
    if again is not None:
        await deny(call, again.said_by_machine.vend_request.request_id)


async def another_denied(desk: Desk) -> None:
    """While a request is open another one is denied; then the open one is approved."""
    call = await settle(desk)
    request = await chosen(desk, call)
    await deny(call, desk.new_id("r"))
    await desk.wait(SHORT_MS)
    approved = approval(desk, request)
    await call.say(vend_approved=approved)
    await result(desk, approved.vend_id)


async def _way(desk: Desk, call: Call) -> int:
    """Return for how long a frame is on its way: half of what a code for nobody and its answer
    need. Nothing if no answer comes.
    """
    before = len(desk.moments)
    request_id = await _code_for_nobody(desk, call)
    asked, answers = desk.moments[before], desk.seen_since(before).cancels(request_id)
    return (answers[0].at_ms - asked.at_ms) // 2 if answers else 0


async def strange_code(desk: Desk) -> None:
    """A code comes for a request that the machine never made, then for one that was denied, if
    somebody can choose.
    """
    call = await settle(desk)
    await _code_for_nobody(desk, call)
    if HandAct.SELECT not in desk.hands.can:
        return
    request_id = (await chosen(desk, call)).said_by_machine.vend_request.request_id
    await deny(call, request_id)
    await desk.wait(REST_MS)
    await _code_for_nobody(desk, call, request_id)


async def _code_for_nobody(desk: Desk, call: Call, request_id: str = "") -> str:
    request_id = request_id or desk.new_id("r")
    await call.say(
        show_qr=pb.ShowQr(
            request_id=request_id, qr_payload="qr", amount_minor=500, expires_in_ms=25_000
        )
    )
    await desk.until(lambda: desk.seen_since(0).cancels(request_id) or None, desk.terms.answer_ms)
    await deny(call, request_id, pb.VEND_DENIED_REASON_CANCELLED)
    return request_id


async def session_ends_in_vend(desk: Desk) -> None:
    """The session is revoked while the motor turns."""
    call = await settle(desk)
    approved = approval(desk, await chosen(desk, call))
    await call.say(vend_approved=approved)
    await end_session(desk, call)
    await result(desk, approved.vend_id)
    await desk.wait(SHORT_MS)


async def out_of_service(desk: Desk) -> None:
    """An administrator puts the machine out of service in the middle of a vend; the next Welcome
    says so, too.
    """
    call = await settle(desk)
    approved = approval(desk, await chosen(desk, call))
    await call.say(vend_approved=approved)
    await _service(desk, in_service=False)
    await result(desk, approved.vend_id)
    await _chosen_in_vain(desk)
    await desk.online(in_service=False)
    await _chosen_in_vain(desk)
    await _service(desk, in_service=True)


async def _chosen_in_vain(desk: Desk) -> None:
    await desk.wait(SHORT_MS)
    await desk.act(HandAct.SELECT, desk.terms.columns[0], in_vain=True)
    await desk.wait(SHORT_MS)


async def _service(desk: Desk, *, in_service: bool) -> None:
    call = await desk.online()
    update = pb.ServiceUpdate(in_service=in_service, mode=pb.MODE_BOTH, qr_payload="qr")
    await call.say(service_update=update)


async def newer_backend(desk: Desk) -> None:
    """A newer backend says things that this firmware cannot know; then a vend follows."""
    call = await settle(desk)
    unknown = service_pb.ConnectResponse.FromString(b"\x92\x1f\x02\x08\x01")  # field 498, a message
    await call.write(unknown)
    await desk.wait(desk.terms.slack_ms)
    if call.over:
        return
    request = await chosen(desk, call)
    wish = request.said_by_machine.vend_request
    denied = pb.VendDenied(request_id=wish.request_id, funds_minor=FUNDS_MINOR)
    denied.MergeFromString(bytes([0x10, UNKNOWN_NUMBER]))  # a reason of later
    await call.say(vend_denied=denied)
    await desk.wait(SHORT_MS)
    if not call.over:
        await _vended_again(desk, call)


async def _vended_again(desk: Desk, call: Call) -> None:
    again = await chosen_again(desk, call)
    if again is not None:
        approved = approval(desk, again)
        await call.say(vend_approved=approved)
        await result(desk, approved.vend_id)


async def wrong_clock(desk: Desk) -> None:
    """The backend's clock is decades ahead; then a vend follows."""
    await settle(desk)
    call = await desk.online(server_time_ms=DECADES_AHEAD_MS)
    await desk.wait(SHORT_MS)
    await vended(desk, call)
    call.end()


async def slow_network(desk: Desk) -> None:
    """Each frame to the machine is two seconds on its way."""
    call = await settle(desk)
    call.delay_ms = 2_000
    await vended(desk, call)
    call.delay_ms = 0


async def cut_in_vend(desk: Desk) -> None:
    """The stream is cut while the motor turns."""
    call = await settle(desk)
    await desk.count()
    approved = approval(desk, await chosen(desk, call))
    await call.say(vend_approved=approved)
    call.end()
    call = await desk.online(session=resumed(desk, approved.vend_id))
    if await result(desk, approved.vend_id) is None:
        await deny(call, approved.request_id)  # who never heard of the approval waits still
    await desk.wait(SHORT_MS)
    await desk.count()


async def two_untold(desk: Desk) -> None:
    """Two vends end and nothing is acknowledged when the stream is cut; then the power, if somebody
    can pull the plug.
    """
    call = await settle(desk)
    call.holding = True
    await sold(desk, call)
    await sold(desk, call)
    call.end()
    call = await desk.next_call()
    if HandAct.POWER_CUT in desk.hands.can:
        await desk.act(HandAct.POWER_CUT)
        call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
    desk.session_id = ""
    await desk.welcome(call)
    await spoken(desk, call)


async def cut_when_all_is_told(desk: Desk) -> None:
    """The stream is cut when a vend was told and acknowledged, and the machine is at rest."""
    call = await settle(desk)
    await sold(desk, call)
    await desk.wait(SHORT_MS)
    call.end()
    await desk.online(session=resumed(desk))


async def welcome_again(desk: Desk) -> None:
    """Two frames are not saved when the machine moves to another host behind the gateway."""
    call = await settle(desk)
    call.holding = True
    request = await cancelled(desk, call)
    await desk.welcome(call, session=resumed(desk))
    await desk.wait(SHORT_MS)
    await call.release()
    await deny(
        call, request.said_by_machine.vend_request.request_id, pb.VEND_DENIED_REASON_CANCELLED
    )


async def power_cut_with_result(desk: Desk) -> None:
    """The power fails when the result is told and not acknowledged; then the stream is cut twice
    more.
    """
    call = await settle(desk)
    request = await chosen(desk, call)
    call.holding = True
    approved = approval(desk, request)
    await call.say(vend_approved=approved)
    if await result(desk, approved.vend_id) is None:
        raise Unplayed("an ordinary vend was approved, and no result came")
    desk.session_id = ""
    await desk.act(HandAct.POWER_CUT)
    call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
    await desk.welcome(call)
    await spoken(desk, call)
    await desk.wait(SHORT_MS)
    call.end()
    await desk.online()
    await desk.wait(SHORT_MS)


async def approved_in_the_next_boot(desk: Desk) -> None:
    """The result was acknowledged before the power failed; then the approval is repeated."""
    call = await settle(desk)
    approved, _ = await sold(desk, call)
    await spoken(desk, call)
    await desk.wait(SHORT_MS)
    desk.session_id = ""
    await desk.act(HandAct.POWER_CUT)
    call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
    await desk.welcome(call)
    await desk.count()
    before = len(desk.moments)
    await call.say(vend_approved=approved)
    await result(desk, approved.vend_id, after=before)
    await desk.wait(SHORT_MS)
    await desk.count()


async def power_cut_with_motor_on(desk: Desk) -> None:
    """The power fails while the motor turns; after the boot the approval is repeated."""
    call = await settle(desk)
    way_ms = await _way(desk, call)
    request = await chosen(desk, call)
    call.holding = True
    approved = approval(desk, request)
    await call.say(vend_approved=approved)
    await desk.wait(desk.terms.cut_after_ms + way_ms)
    await desk.act(HandAct.POWER_CUT)
    call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
    await desk.count()
    await desk.welcome(call, session=resumed(desk, approved.vend_id))
    await call.say(vend_approved=approved)
    await desk.wait(desk.terms.still_ms)
    await desk.count()


async def power_cut_before_approval(desk: Desk) -> None:
    """The power fails while the customer waits; after the boot the approval comes."""
    call = await settle(desk)
    request = await chosen(desk, call)
    desk.session_id = ""
    await desk.act(HandAct.POWER_CUT)
    call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
    await desk.welcome(call)
    await _approved_late(desk, request)


async def flash_erased(desk: Desk) -> None:
    """The journal is gone; the power fails once more before any Welcome."""
    await settle(desk)
    await desk.act(HandAct.ERASE)
    long_ms = desk.hands.patience_ms + desk.terms.come_ms
    call = await desk.next_call(long_ms)
    call.end(grpc.StatusCode.UNAVAILABLE, "no Welcome yet")
    await desk.next_call()
    await desk.act(HandAct.POWER_CUT)
    call = await desk.next_call(long_ms)
    await desk.welcome(call)
    await desk.wait(SHORT_MS)
    call.end()
    await desk.online()
