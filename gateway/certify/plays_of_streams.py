"""The plays about streams and numbers: cuts, gaps, refusals, waits, moves.

Flows in: the desk, the machine at rest. Flows out: the recording, which the judge of the same name
reads. What cannot be played raises Unplayed.
"""

import contextlib
import itertools

import grpc

from gateway.certify.desk import Call, Desk, Unplayed
from gateway.certify.hands import HandAct
from gateway.certify.selling import (
    approval,
    begin_session,
    cancelled,
    chosen,
    chosen_again,
    deny,
    result,
    resumed,
    settle,
    spoken,
)
from gateway.certify.times import (
    ACKS_DUE,
    BEAT_MS,
    CASH_SALES,
    GOOD_SESSIONS,
    HEARTBEAT_MS,
    IDLE_MS,
    INITIAL_MS,
    MOVE_FROM_MS,
    MOVE_UNTIL_MS,
    RETRY_AFTER_MS,
    SHORT_MS,
    SLOW_WELCOME_MS,
    TRIES,
    WIDE_MS,
    WIDE_TRIES,
)
from gateway.v1 import machine_pb2 as pb

UNKNOWN_CODE = 99
MOVE_IN_VEND_MAX_MS = 44_000
"""A request waits for half of it, which is less than its response time."""
BROKEN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
)
CLOSED = (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED)
"""How streams end, in turn, while the gateway is away: behind each of them a machine comes back,
with patience.
"""


async def at_rest(desk: Desk) -> None:
    """The machine comes, and does what it does by itself."""
    await settle(desk)
    await desk.wait(2 * HEARTBEAT_MS)


async def many_frames(desk: Desk) -> None:
    """The backend says more than the machine may leave unacknowledged."""
    await settle(desk)
    call = await desk.online(heartbeat_interval_ms=2 * desk.terms.answer_ms)
    before = len(desk.moments)
    for _ in range(ACKS_DUE + 2):
        await call.say(
            service_update=pb.ServiceUpdate(in_service=True, mode=pb.MODE_BOTH, qr_payload="qr")
        )
    least = desk.moments[-1].said_by_us.seq - ACKS_DUE

    def look() -> bool | None:
        heard = desk.seen_since(before).heard()
        return any(each.said_by_machine.ack >= least for each in heard) or None

    await desk.until(look, desk.terms.answer_ms)
    await desk.online(heartbeat_interval_ms=HEARTBEAT_MS)


async def idle(desk: Desk) -> None:
    """Nothing happens, and no heartbeat is due."""
    await settle(desk)
    await desk.online(heartbeat_interval_ms=2 * IDLE_MS)
    await desk.wait(IDLE_MS)
    await desk.online(heartbeat_interval_ms=HEARTBEAT_MS)


async def many_sales(desk: Desk) -> None:
    """More is sold for coins than may wait for an acknowledgement; then the stream is cut, and on
    the next one it is acknowledged.
    """
    call = await settle(desk)
    await desk.wait(SHORT_MS)  # who still waits for an answer takes no coins
    call.holding = True
    before = len(desk.moments)
    for _ in range(CASH_SALES):
        await desk.act(HandAct.CASH, desk.terms.columns[0])
    await desk.wait(desk.terms.slack_ms)
    call.end()
    await desk.online()

    def look() -> bool | None:
        sales = desk.seen_since(before).heard("cash_sale")
        return len({each.said_by_machine.seq for each in sales}) >= CASH_SALES or None

    await desk.until(look, desk.terms.answer_ms)


async def cut_unacknowledged(desk: Desk) -> None:
    """The stream is cut before two frames are saved."""
    call = await settle(desk)
    call.holding = True
    request = await cancelled(desk, call)
    call.end()
    call = await desk.online(session=resumed(desk))
    await spoken(desk, call, frames=2)
    await desk.wait(desk.terms.slack_ms)
    await deny(
        call, request.said_by_machine.vend_request.request_id, pb.VEND_DENIED_REASON_CANCELLED
    )


async def cut_unheard(desk: Desk) -> None:
    """Two frames are saved, and the stream is cut before the machine hears of it."""
    call = await settle(desk)
    call.holding = True
    request = await cancelled(desk, call)
    desk.save_all(call)
    call.end()
    call = await desk.online(session=resumed(desk))
    await desk.wait(SHORT_MS)
    await deny(
        call, request.said_by_machine.vend_request.request_id, pb.VEND_DENIED_REASON_CANCELLED
    )


async def last_seq_goes_back(desk: Desk) -> None:
    """The backend has forgotten the boot's frames, as after a restore; then somebody chooses."""
    call = await settle(desk)
    call.end()
    call = await desk.next_call()
    desk.saved[call.boot_id] = 0
    desk.session_id = ""
    await desk.welcome(call)
    await desk.wait(desk.terms.slack_ms)
    if not call.over:
        await begin_session(desk, call)
        with contextlib.suppress(Unplayed):
            await chosen(desk, call)
    await _next_hello(desk)


async def gap(desk: Desk) -> None:
    """The backend complains that a number was left out, and of each frame that was behind it."""
    call = await settle(desk)
    call.holding = True
    request = await cancelled(desk, call)
    await deny(call, request.said_by_machine.vend_request.request_id)
    await cancelled(desk, call)
    expected_seq = request.said_by_machine.seq
    for each in desk.seen_since(request.number).heard("vend_request", "vend_cancel"):
        error = pb.ProtocolError(
            code=pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER,
            seq=each.said_by_machine.seq,
            expected_seq=expected_seq,
            detail="the examiner says that it lost a frame",
        )
        await call.say(protocol_error=error)
    await desk.wait(SHORT_MS)
    await call.release()


async def refused(desk: Desk) -> None:
    """The backend refuses a request whose number is used up; then somebody chooses again."""
    call = await settle(desk)
    call.holding = True
    request = await chosen(desk, call)
    desk.save_all(call)  # the complaint itself acknowledges the frame
    await _scold(call, pb.PROTOCOL_ERROR_CODE_BAD_FIELD, request.said_by_machine.seq)
    await call.release()
    await desk.wait(desk.terms.slack_ms)
    again = await chosen_again(desk, call)
    await deny(call, request.said_by_machine.vend_request.request_id)
    if again is not None:
        await deny(call, again.said_by_machine.vend_request.request_id)


async def _scold(
    call: Call, code: pb.ProtocolErrorCode.ValueType, seq: int, *, expected_seq: int | None = None
) -> None:
    error = pb.ProtocolError(
        seq=seq,
        expected_seq=seq + 1 if expected_seq is None else expected_seq,
        detail="the examiner refuses this frame",
    )
    error.MergeFromString(bytes([0x08, code]))  # also a code that this program does not know
    await call.say(protocol_error=error)


async def every_complaint(desk: Desk) -> None:
    """The backend refuses frames for each reason that there is, and one that comes later."""
    call = await settle(desk)
    for code in (
        pb.PROTOCOL_ERROR_CODE_HELLO_EXPECTED,
        pb.PROTOCOL_ERROR_CODE_BAD_FIELD,
        pb.PROTOCOL_ERROR_CODE_OUT_OF_SEQUENCE,
        pb.PROTOCOL_ERROR_CODE_UNKNOWN_PAYLOAD,
        UNKNOWN_CODE,
    ):
        await _scold(call, code, 0, expected_seq=desk.saved_seq(call) + 1)  # type: ignore[arg-type]
    await desk.wait(SHORT_MS)


async def number_reused(desk: Desk) -> None:
    """The backend says that a number was used in this boot for another frame."""
    call = await settle(desk)
    await _scold(call, pb.PROTOCOL_ERROR_CODE_SEQ_REUSED, desk.saved_seq(call))
    await _next_hello(desk)


async def boot_reused(desk: Desk) -> None:
    """Welcome has numbers that the machine never gave."""
    call = await settle(desk)
    call.end()
    call = await desk.online(last_seq=desk.saved_seq(call) + 1_000)
    await _next_hello(desk)


async def _next_hello(desk: Desk) -> None:
    """Welcome the boot that follows: a board may need a minute to restart."""
    with contextlib.suppress(Unplayed):
        await desk.welcome(await desk.next_call())


async def quiet(desk: Desk) -> None:
    """Nothing happens for several heartbeats."""
    await settle(desk)
    await desk.online(heartbeat_interval_ms=BEAT_MS)
    await desk.wait(4 * BEAT_MS + desk.terms.slack_ms)
    await desk.online(heartbeat_interval_ms=HEARTBEAT_MS)


async def dead(desk: Desk) -> None:
    """The connection stands and nobody answers any more."""
    await settle(desk)
    call = await desk.online(heartbeat_interval_ms=BEAT_MS)
    await desk.wait(desk.terms.slack_ms)
    call.silent = True
    await desk.until(lambda: call.over or None, 6 * BEAT_MS + desk.terms.slack_ms)


async def slow_welcome(desk: Desk) -> None:
    """Welcome takes its time."""
    call = await settle(desk)
    call.end()
    call = await desk.next_call()
    await desk.wait(SLOW_WELCOME_MS)
    if not call.over:
        await desk.welcome(call)
    await desk.wait(desk.terms.slack_ms)


async def away(desk: Desk) -> None:
    """The gateway is away: streams open and fail, one after the other. Then it is away again, for
    a wider range, and back: each good session after that ends, and another one follows.
    """
    call = await settle(desk)
    await spoken(desk, call)  # so Welcome has reached it, whatever the network
    call.end()
    await _fail(desk, TRIES, BROKEN)
    wide = {
        "reconnect": pb.ReconnectGuidance(initial_ms=INITIAL_MS, max_ms=WIDE_MS),
        "heartbeat_interval_ms": BEAT_MS,
    }
    (await desk.online(**wide)).end()
    await _fail(desk, WIDE_TRIES, CLOSED)
    for _ in range(GOOD_SESSIONS):
        await spoken(desk, await desk.online(**wide))
    await spoken(desk, await desk.online(heartbeat_interval_ms=HEARTBEAT_MS))


async def _fail(desk: Desk, times: int, codes: tuple[grpc.StatusCode, ...]) -> None:
    for _, code in zip(range(times), itertools.cycle(codes), strict=False):
        call = await desk.next_call()
        call.end(code)


async def told_when(desk: Desk) -> None:
    """The gateway says when to come back."""
    call = await settle(desk)
    call.end(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much to do", retry_after_ms=RETRY_AFTER_MS)
    await desk.online()


async def unknown_machine(desk: Desk) -> None:
    """Nobody has registered the machine."""
    call = await _comes_back(desk)
    call.end(grpc.StatusCode.NOT_FOUND, "register the machine first", reason="UNKNOWN_MACHINE")
    await desk.online()


async def denied(desk: Desk) -> None:
    """Somebody has denied the machine's certificate."""
    call = await _comes_back(desk)
    call.end(grpc.StatusCode.PERMISSION_DENIED, "the certificate is denied", reason="DENIED")
    await desk.online()


async def halted(desk: Desk) -> None:
    """The machine is halted until somebody has mended it."""
    call = await _comes_back(desk)
    call.end(grpc.StatusCode.FAILED_PRECONDITION, "the machine is halted", reason="HALTED")
    await desk.online()


async def _comes_back(desk: Desk) -> Call:
    """Return the stream behind one whose Welcome has reached the machine: it shortens the waits."""
    call = await settle(desk)
    await spoken(desk, call)
    call.end()
    return await desk.next_call()


async def taken_over(desk: Desk) -> None:
    """Another device has taken the machine's place."""
    call = await settle(desk)
    call.end(grpc.StatusCode.ABORTED, "a newer stream took over", reason="TAKEN_OVER")
    await desk.online()


async def boot_superseded(desk: Desk) -> None:
    """Another boot has taken the place of this one."""
    call = await settle(desk)
    call.end(grpc.StatusCode.ABORTED, "another boot took over", reason="BOOT_SUPERSEDED")
    await desk.online()


async def move(desk: Desk) -> None:
    """The gateway drains: it asks the machine to move."""
    call = await settle(desk)
    await _ask_to_move(call)
    await _moved(desk, call)


async def move_in_vend(desk: Desk) -> None:
    """The gateway drains while a request waits; it is approved when a machine at rest would have
    moved, and the result is not acknowledged before it moves.
    """
    call = await settle(desk)
    request = await chosen(desk, call)
    until_ms = min(2 * (desk.terms.result_ms + 2 * desk.terms.slack_ms), MOVE_IN_VEND_MAX_MS)
    await _ask_to_move(call, until_ms=until_ms)
    await desk.wait((MOVE_FROM_MS + until_ms) // 2 + desk.terms.slack_ms)
    call.holding = True
    approved = approval(desk, request)
    await call.say(vend_approved=approved)
    if await result(desk, approved.vend_id) is None:
        raise Unplayed("an ordinary vend was approved, and no result came")
    await _moved(desk, call)
    await desk.wait(SHORT_MS)


async def move_fails(desk: Desk) -> None:
    """The gateway to which the machine would move is away; the old one still listens."""
    call = await settle(desk)
    await _ask_to_move(call, until_ms=20_000)
    with contextlib.suppress(Unplayed):
        second = await desk.next_call(20_000)
        second.end(grpc.StatusCode.UNAVAILABLE, "the other gateway is away")
    await desk.wait(SHORT_MS)
    await _moved(desk, call)


async def _ask_to_move(call: Call, *, until_ms: int = MOVE_UNTIL_MS) -> None:
    await call.say(move_request=pb.MoveRequest(not_before_ms=MOVE_FROM_MS, not_after_ms=until_ms))


async def _moved(desk: Desk, old: Call) -> None:
    """Welcome the second stream, and let the machine close the first one itself."""
    with contextlib.suppress(Unplayed):
        call = await desk.next_call(MOVE_UNTIL_MS + desk.terms.slack_ms)
        desk.current = None  # the desk would end the old stream
        await desk.welcome(call)
        await desk.until(lambda: old.over or None, SHORT_MS)
        old.end(grpc.StatusCode.ABORTED, "a newer stream took over")


async def tokens(desk: Desk) -> None:
    """The stream is cut, and the power right after the next Welcome."""
    call = await settle(desk)
    if call.hello is None or not call.hello.capabilities.resume_token:
        raise Unplayed("Hello does not say that the machine keeps tokens")
    call.end()
    await desk.online()
    await desk.wait(desk.terms.slack_ms)
    await desk.act(HandAct.POWER_CUT)
    call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
    await desk.welcome(call)


async def boots(desk: Desk) -> None:
    """The power is cut while nothing happens."""
    await settle(desk)
    await desk.act(HandAct.POWER_CUT)
    call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
    await desk.welcome(call)
    await desk.wait(SHORT_MS)


async def result_twice(desk: Desk) -> None:
    """A result is saved, and the stream is cut before the machine hears of it; Welcome names the
    session, and BeginSession says its funds.
    """
    call = await settle(desk)
    request = await chosen(desk, call)
    call.holding = True
    approved = approval(desk, request)
    await call.say(vend_approved=approved)
    if await result(desk, approved.vend_id) is None:
        raise Unplayed("an ordinary vend was approved, and no result came")
    desk.save_all(call)
    call.end()
    call = await desk.online(session=resumed(desk))
    begin = pb.BeginSession(session_id=desk.session_id, funds_minor=4_500, expires_in_ms=300_000)
    await call.say(begin_session=begin)
    await desk.wait(SHORT_MS)
