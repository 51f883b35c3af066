"""The service over real gRPC, with a scripted host behind it."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import grpc
import pytest
from cryptography import x509
from google.rpc import error_details_pb2, status_pb2

from actors.link import CloseReason, FromHost, FromMachine, StreamClosed, ToHost
from actors.machine import effects
from actors.machine.events import Connected, Disconnected, FrameReceived
from actors.machine.ids import RequestId, VendId
from actors.machine.state import Column, DenyReason
from gateway.machines.stream import Stream
from gateway.rpc.denylist import Denylist
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.tls import Tls
from gateway.v1 import machine_pb2 as wire
from tests.support.certificates import Authority, Issued
from tests.support.edge import NOW_MS, Edge, MachineCall, running_edge
from tests.support.patience import until

READY = {"reader_enable": wire.ReaderEnable()}
WISH = {
    "vend_request": wire.VendRequest(
        request_id="r1", column="A1", price_minor=500, planogram_version=1
    )
}
DENY = effects.DenyVend(request_id=RequestId("r1"), reason=DenyReason.SOLD_OUT, funds_minor=0)
APPROVE = effects.ApproveVend(
    vend_id=VendId("v1"),
    request_id=RequestId("r1"),
    column="A1",
    amount_minor=500,
    valid_for_ms=30_000,
)


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A machine side with default limits."""
    async with running_edge() as running:
        yield running


async def details_of(machine: MachineCall) -> dict[str, Any]:
    """The google.rpc details that a stream ended with, by their names."""
    await machine.end()
    trailing = await machine.call.trailing_metadata()
    status = status_pb2.Status.FromString(dict(trailing)["grpc-status-details-bin"])
    found: dict[str, Any] = {}
    for detail in status.details:
        name = detail.TypeName().rpartition(".")[2]
        found[name] = getattr(error_details_pb2, name)()
        detail.Unpack(found[name])
    return found


def disconnected(edge: Edge) -> list[Disconnected]:
    """What the host heard of streams that are gone."""
    return [
        message.event
        for message in edge.link.received()
        if isinstance(message, FromMachine) and isinstance(message.event, Disconnected)
    ]


# --- hello ---


async def test_hello_is_answered_by_welcome(edge: Edge) -> None:
    """A machine that says Hello gets Welcome with the gateway's own guidance and clock."""
    machine = edge.machine()
    answer = await machine.hello()
    welcome = answer.welcome
    assert 1 == answer.seq
    assert (20_000, 1_000, 60_000) == (
        welcome.heartbeat_interval_ms,
        welcome.reconnect.initial_ms,
        welcome.reconnect.max_ms,
    )
    assert welcome.server_time_ms == NOW_MS
    sent = edge.link.received()[0]
    assert isinstance(sent, FromMachine)
    assert isinstance(sent.event, Connected)
    assert sent.event.token
    expected = Connected(
        stream_id="g1-1",  # type: ignore[arg-type]
        opened_at_ms=NOW_MS,
        boot_id="b1",  # type: ignore[arg-type]
        token=sent.event.token,
    )
    assert expected == sent.event


async def test_the_second_machine_is_told_to_take_more_time() -> None:
    """A Welcome's guidance is by how many are connected: one a second, two within two seconds."""
    limits = EdgeLimits(reconnects_per_s=1, reconnect_initial_ms=1)
    async with running_edge(limits=limits) as edge:
        told = [(await edge.machine().hello(name)).welcome.reconnect for name in ("m1", "m2")]
    assert [1_000, 2_000] == [one.initial_ms for one in told]


async def test_first_frame_must_be_hello(edge: Edge) -> None:
    """Another first frame gets a ProtocolError, then INVALID_ARGUMENT; the host hears nothing."""
    machine = edge.machine()
    await machine.say(1, **READY)
    error = (await machine.hear()).protocol_error
    assert (error.code, error.seq, error.expected_seq) == (
        wire.PROTOCOL_ERROR_CODE_HELLO_EXPECTED,
        1,
        0,
    )
    assert (await machine.end())[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert [] == edge.link.received()


async def test_bad_hello_names_the_field(edge: Edge) -> None:
    """A Hello that breaks a rule ends with BadRequest on the field."""
    machine = edge.machine()
    await machine.say(hello=wire.Hello(machine_id="m1"))
    error = (await machine.hear()).protocol_error
    assert error.code == wire.PROTOCOL_ERROR_CODE_BAD_FIELD
    details = await details_of(machine)
    violation = details["BadRequest"].field_violations[0]
    assert ("hello.boot_id", "HELLO_EXPECTED") == (violation.field, details["ErrorInfo"].reason)
    assert violation.description.startswith("expected 1 to 64")


async def test_no_hello(edge: Edge) -> None:
    """A stream that says nothing gets a ProtocolError and DEADLINE_EXCEEDED when its time is up,
    not before.
    """
    machine = edge.machine()
    await machine.call.wait_for_connection()
    await until(lambda: edge.service.stats().streams == 1)
    edge.spans.at_s += 9
    edge.service.look_after()
    assert {} == edge.service.stats().ended
    edge.spans.at_s += 2
    edge.service.look_after()
    assert (await machine.hear()).protocol_error.code == wire.PROTOCOL_ERROR_CODE_HELLO_EXPECTED
    assert (await machine.end())[0] is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_second_hello(edge: Edge) -> None:
    """A second Hello is refused, and the stream goes on."""
    machine = await edge.welcomed()
    assert (await machine.hello()).protocol_error.code == wire.PROTOCOL_ERROR_CODE_HELLO_EXPECTED
    await machine.say(1, **READY)
    assert 1 == (await machine.hear()).ack


async def test_unknown_machine(edge: Edge) -> None:
    """A machine that is not registered gets NOT_FOUND that tells how to register it, and when to
    come back.
    """
    edge.link.answer = lambda message: _closed(message, CloseReason.UNKNOWN_MACHINE)
    machine = edge.machine()
    await machine.say(hello=wire.Hello(machine_id="m9", boot_id="b1"))
    code, message = await machine.end()
    assert code is grpc.StatusCode.NOT_FOUND
    assert (
        "machine m9 is not registered: register it with "
        "gateway.fleet.v1.FleetService/RegisterMachine" in message
    )
    details = await details_of(machine)
    info = details["ErrorInfo"]
    assert (
        "UNKNOWN_MACHINE",
        "vendgate",
        "m9",
    ) == (info.reason, info.domain, info.metadata["machine_id"])
    assert 60 == details["RetryInfo"].retry_delay.seconds
    await until(lambda: edge.service.stats().streams == 0)
    assert [] == disconnected(edge)


def _closed(message: ToHost, reason: str) -> Sequence[FromHost]:
    if isinstance(message, FromMachine) and not isinstance(message.event, Disconnected):
        return [
            StreamClosed(
                machine_id=message.machine_id, stream_id=message.event.stream_id, reason=reason
            )
        ]
    return []


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (CloseReason.SUPERSEDED, grpc.StatusCode.ABORTED),
        (CloseReason.OVERLOADED, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (CloseReason.HALTED, grpc.StatusCode.FAILED_PRECONDITION),
        ("SOMETHING_NEW", grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_host_closes(edge: Edge, reason: str, code: grpc.StatusCode) -> None:
    """Each reason of a host becomes its status."""
    machine = await edge.welcomed()
    edge.link.answer = lambda message: _closed(message, reason)
    await machine.say(1, **READY)
    assert (await machine.end())[0] is code
    assert (await details_of(machine))["ErrorInfo"].reason == reason


async def test_too_many_streams() -> None:
    """A full gateway refuses with RESOURCE_EXHAUSTED and says when to come back."""
    async with running_edge(limits=EdgeLimits(streams_max=1)) as edge:
        first = await edge.welcomed("m1")
        second = edge.machine()
        assert (await second.end())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert 30 == (await details_of(second))["RetryInfo"].retry_delay.seconds
        await first.say(heartbeat=wire.Heartbeat())
        assert 2 == (await first.hear()).seq


async def test_hello_is_held_for_its_host() -> None:
    """A Hello that comes before its host is answered when the host is there."""
    async with running_edge() as edge:
        edge.link.break_link()
        edge.link.reachable.clear()
        await until(lambda: not edge.links.stats()[0].attached)
        machine = edge.machine()
        await machine.say(hello=wire.Hello(machine_id="m1", boot_id="b1"))
        await machine.say(1, **READY)
        await until(lambda: edge.service.stats().frames_received == 2)
        edge.link.reachable.set()
        answer = await machine.hear()
        assert answer.HasField("welcome")
        assert 1 == answer.ack


async def test_hello_is_not_held_for_ever() -> None:
    """If the host does not come, the Hello ends with UNAVAILABLE and RetryInfo."""
    async with running_edge() as edge:
        edge.link.break_link()
        edge.link.reachable.clear()
        await until(lambda: not edge.links.stats()[0].attached)
        machine = edge.machine()
        await machine.say(hello=wire.Hello(machine_id="m1", boot_id="b1"))
        await until(lambda: edge.service.stats().machines == 1)
        edge.spans.at_s += 16
        edge.service.look_after()
        assert (await machine.end())[0] is grpc.StatusCode.UNAVAILABLE
        details = await details_of(machine)
        assert (
            "HOST_UNAVAILABLE",
            5,
        ) == (details["ErrorInfo"].reason, details["RetryInfo"].retry_delay.seconds)


# --- frames ---


async def test_frames_are_acknowledged(edge: Edge) -> None:
    """A numbered frame reaches the host and its acknowledgement comes back; so does that of a
    repetition.
    """
    machine = await edge.welcomed()
    for seq in (2, 3):
        await machine.say(1, **READY)
        answer = await machine.hear()
        assert (seq, 1, None) == (answer.seq, answer.ack, answer.WhichOneof("payload"))
    assert [1, 1] == edge.link.frames()


async def test_heartbeat_is_answered_by_the_gateway(edge: Edge) -> None:
    """A heartbeat gets a bare acknowledgement and never reaches the host."""
    machine = await edge.welcomed()
    await machine.say(1, **READY)
    assert 1 == (await machine.hear()).ack
    await machine.say(heartbeat=wire.Heartbeat())
    answer = await machine.hear()
    assert (3, 1, None) == (answer.seq, answer.ack, answer.WhichOneof("payload"))
    assert 2 == len(edge.link.received())


async def test_bytes_that_are_no_frame(edge: Edge) -> None:
    """Bytes that cannot be parsed get a ProtocolError, and the stream goes on to its end by
    INVALID_ARGUMENT only as a first frame.
    """
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{edge.listener.port}")
    edge.channels.append(channel)
    call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(
        "/gateway.v1.MachineService/Connect"
    )()
    try:
        await call.write(b"\xff\xff")
        answer = await call.read()
        assert isinstance(answer, bytes)
        assert b"no ConnectRequest" in answer
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    finally:
        call.cancel()


async def test_too_many_bad_frames_in_a_row(edge: Edge) -> None:
    """Twenty bad frames are borne, the next one ends the stream; a good one in between starts the
    count anew.
    """
    machine = await edge.welcomed()
    for seq in range(1, 21):
        await machine.say(seq)
        await machine.hear()
    await machine.say(21, **READY)
    assert 21 == (await machine.hear()).ack
    for seq in range(22, 43):
        await machine.say(seq)
    assert (await machine.end())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "BAD_FRAMES" == (await details_of(machine))["ErrorInfo"].reason


async def test_flood() -> None:
    """A machine that sends more than it may over time is ended with RESOURCE_EXHAUSTED and
    RetryInfo, and named as an offender; tokens come back with time.
    """
    told: list[tuple[str, str]] = []
    limits = EdgeLimits(frames_per_s=2, frames_burst=4)
    async with running_edge(limits=limits, offends=lambda *said: told.append(said)) as edge:
        machine = await edge.welcomed()
        for _ in range(3):
            await machine.say(heartbeat=wire.Heartbeat())
            await machine.hear()
        edge.spans.at_s += 1
        for _ in range(2):
            await machine.say(heartbeat=wire.Heartbeat())
            await machine.hear()
        await machine.say(heartbeat=wire.Heartbeat())
        assert (await machine.end())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        details = await details_of(machine)
        assert 10 == details["RetryInfo"].retry_delay.seconds
        await until(lambda: [("m1", details["ErrorInfo"].reason)] == told == [("m1", "FLOOD")])


async def test_silence(edge: Edge) -> None:
    """A machine that says nothing for too long is closed; a heartbeat in time keeps it."""
    machine = await edge.welcomed()
    edge.spans.at_s += 50
    await machine.say(heartbeat=wire.Heartbeat())
    await until(lambda: edge.service.stats().frames_written == 2)
    edge.spans.at_s += 50
    edge.service.look_after()
    assert {} == edge.service.stats().ended
    edge.spans.at_s += 11
    edge.service.look_after()
    assert (await machine.end())[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: len(disconnected(edge)) == 1)
    assert "SILENT" == disconnected(edge)[0].reason


async def test_oversized_frame(edge: Edge) -> None:
    """A frame above 64 KiB ends the stream with RESOURCE_EXHAUSTED."""
    machine = await edge.welcomed()
    await machine.say(1, fault=wire.Fault(code="EJB", detail="x" * 66_000))
    assert (await machine.end())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


# --- back-pressure and broken links ---


async def test_back_pressure(edge: Edge) -> None:
    """While the host does not answer, no more than the window is read; then all goes on, in order,
    and nothing is lost.
    """
    machine = await edge.welcomed()
    edge.link.open.clear()
    for seq in range(1, 101):
        await machine.say(seq, **READY)
    await until(lambda: edge.service.stats().frames_received == 1 + 32)
    edge.spans.at_s += 50
    edge.service.look_after()
    assert edge.service.stats().frames_received == 1 + 32
    edge.link.open.set()
    ack = 0
    while ack < 100:
        ack = (await machine.hear()).ack
    assert edge.link.frames() == list(range(1, 101))


async def test_a_window_that_stays_full(edge: Edge) -> None:
    """If the host answers without acknowledging, no more than the window is read, and not for ever:
    the machine may find another way.
    """
    machine = await edge.welcomed()
    edge.link.answer = lambda message: (
        [edge.link.to_machine(message, ack=None)] if isinstance(message, FromMachine) else []
    )
    for seq in range(1, 40):
        await machine.say(seq, **READY)
    await until(lambda: edge.link.frames() == list(range(1, 33)))
    assert edge.service.stats().frames_received == 1 + 32
    edge.link.tell("m1", ack=30)
    await until(lambda: edge.service.stats().frames_received == 1 + 39)
    for seq in range(40, 64):
        await machine.say(seq, **READY)
    await until(
        lambda: (
            edge.service.stats().frames_received == 1 + 62
            and edge.service.stats().frames_written == 2
        )
    )
    edge.spans.at_s += 61
    edge.service.look_after()
    assert (await machine.end())[0] is grpc.StatusCode.UNAVAILABLE


async def test_frames_that_are_sent_again_too_early(edge: Edge) -> None:
    """A frame that comes again while its first copy is with the host goes there once, and is
    acknowledged.
    """
    machine = await edge.welcomed()
    edge.link.open.clear()
    for _ in range(3):
        await machine.say(1, **READY)
    await until(lambda: edge.service.stats().frames_received == 1 + 3)
    edge.link.open.set()
    assert 1 == (await machine.hear()).ack
    assert [1] == edge.link.frames()


async def test_broken_link_repeats_what_was_not_acknowledged(edge: Edge) -> None:
    """After the link broke, the host hears Connected and the unacknowledged frames again, in
    order.
    """
    machine = await edge.welcomed()
    await machine.say(1, **READY)
    assert 1 == (await machine.hear()).ack
    edge.link.open.clear()
    for seq in (2, 3, 4):
        await machine.say(seq, **READY)
    await until(lambda: edge.service.stats().frames_received == 5 and edge.link.frames()[-1] >= 2)
    edge.link.break_link()
    await until(lambda: edge.link.attachments == 2)
    answer = await machine.hear()
    assert (1, 4) == (answer.welcome.last_seq, answer.ack)
    after = edge.link.received()
    last_hello = max(
        index
        for index, message in enumerate(after)
        if isinstance(message, FromMachine) and isinstance(message.event, Connected)
    )
    again = [
        message.event.seq
        for message in after[last_hello:]
        if isinstance(message, FromMachine) and isinstance(message.event, FrameReceived)
    ]
    assert [2, 3, 4] == again


async def test_refused_frames_are_not_repeated(edge: Edge) -> None:
    """A frame that the core refused leaves the window, and the next good one may have its
    number.
    """
    machine = await edge.welcomed()
    reject = effects.RejectFrame(
        code=effects.RejectCode.OUT_OF_ORDER, seq=5, expected_seq=1, detail="resend from 1"
    )
    edge.link.answer = lambda message: (
        [edge.link.to_machine(message, ack=0, commands=(reject,))]
        if isinstance(message, FromMachine)
        else []
    )
    await machine.say(5, **READY)
    assert 1 == (await machine.hear()).protocol_error.expected_seq
    edge.link.answer = edge.link.obey
    edge.link.break_link()
    assert (await machine.hear()).HasField("welcome")
    assert [5] == edge.link.frames()
    await machine.say(1)
    assert 2 == (await machine.hear()).protocol_error.expected_seq


async def test_a_frame_that_the_machine_has_no_room_for(edge: Edge) -> None:
    """It never leaves, nor does anything behind it; the stream ends with INTERNAL, so that
    nobody waits for it in vain.
    """
    machine = await edge.welcomed()
    too_long = effects.ShowQr(
        request_id=RequestId("r1"), qr_payload="q" * 257, amount_minor=500, expires_in_ms=25_000
    )
    edge.link.answer = lambda message: (
        [edge.link.to_machine(message, ack=1, commands=(DENY, too_long, APPROVE))]
        if isinstance(message, FromMachine)
        else []
    )
    await machine.say(1, **WISH)
    assert (await machine.hear()).HasField("vend_denied")
    code, _ = await machine.end()
    assert code is grpc.StatusCode.INTERNAL


# --- ends ---


async def test_takeover(edge: Edge) -> None:
    """A newer stream of a machine ends the older one with ABORTED at once, is announced after it,
    and the host never sees a gap.
    """
    older = await edge.welcomed()
    newer = await edge.welcomed()
    assert (await older.end())[0] is grpc.StatusCode.ABORTED
    assert "m1" == (await details_of(older))["ErrorInfo"].metadata["machine_id"]
    await newer.say(1, **READY)
    assert 1 == (await newer.hear()).ack
    opened = [
        message.event
        for message in edge.link.received()
        if isinstance(message, FromMachine) and isinstance(message.event, Connected)
    ]
    assert [event.opened_at_ms for event in opened] == [NOW_MS, NOW_MS]
    await until(lambda: edge.service.stats().streams == 1)
    assert [] == disconnected(edge)


async def test_half_close(edge: Edge) -> None:
    """A machine that half-closes gets its answers and OK."""
    machine = edge.machine()
    await machine.say(hello=wire.Hello(machine_id="m1", boot_id="b1"))
    await machine.say(1, **READY)
    await machine.call.done_writing()
    assert (await machine.hear()).HasField("welcome")
    assert 1 == (await machine.hear()).ack
    assert (await machine.end())[0] is grpc.StatusCode.OK
    await until(lambda: len(disconnected(edge)) == 1)
    assert "GONE" == disconnected(edge)[0].reason


async def test_half_close_without_host() -> None:
    """A machine that half-closes does not wait for ever for a host that does not answer."""
    async with running_edge(limits=EdgeLimits(settle_timeout_s=0.01)) as edge:
        machine = await edge.welcomed()
        edge.link.open.clear()
        await machine.say(1, **READY)
        await machine.call.done_writing()
        assert (await machine.end())[0] is grpc.StatusCode.OK
        edge.link.open.set()


async def test_gone(edge: Edge) -> None:
    """The host hears once of a machine that went away without a word, and nothing stays behind."""
    machine = await edge.welcomed()
    machine.call.cancel()
    await until(lambda: len(disconnected(edge)) == 1)
    assert disconnected(edge) == [Disconnected(stream_id="g1-1", reason="GONE")]  # type: ignore[arg-type]
    assert (0, 0, {"GONE": 1}) == (
        edge.service.stats().streams,
        edge.service.stats().machines,
        edge.service.stats().ended,
    )


COLUMNS = tuple(
    Column(column=f"A{n}", product="x" * 64, price_minor=500, capacity=9, stock=9)
    for n in range(128)
)
BIG = effects.UpdatePlanogram(planogram_version=2, columns=COLUMNS)


async def test_outbox_overflow(edge: Edge) -> None:
    """A machine for which more waits than the outbox holds loses its stream; others go on."""
    machine = await edge.welcomed()
    edge.link.tell("m1", *[BIG] * 65)
    assert (await machine.end())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    other = await edge.welcomed("m2")
    await other.say(1, **READY)
    assert 1 == (await other.hear()).ack


async def test_slow_reader(edge: Edge) -> None:
    """A machine that does not read is broken off once a write takes too long; should it read again,
    it learns why.
    """
    machine = await edge.welcomed()
    stream = next(iter(edge.service._handlers))
    await _until_stuck(edge, stream)
    edge.service.look_after()
    assert {} == edge.service.stats().ended
    while not edge.service.stats().ended:  # what seemed stuck may have been slow
        edge.spans.at_s += 6
        edge.service.look_after()
        await _until_stuck(edge, stream)
    assert {"SLOW_READER": 1} == edge.service.stats().ended
    await until(lambda: len(disconnected(edge)) == 1)
    assert (await machine.end())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


async def _until_stuck(edge: Edge, stream: Stream) -> None:
    """Write until the machine's windows are full and a write does not come back."""
    for told in range(stream.written + 20, 10_000, 20):
        edge.link.tell("m1", *[BIG] * 20)
        try:
            await until(partial(_has_written, stream, told), within_s=0.5)
        except TimeoutError:
            return


def _has_written(stream: Stream, count: int) -> bool:
    return stream.written >= count


async def test_a_denied_machine_is_closed_and_comes_back_when_it_is_allowed() -> None:
    """In the middle of whatever it does; its host hears that the stream is gone, and others' go
    on.
    """
    denied = Denylist()
    async with running_edge(denied=denied) as edge:
        machine, other = await edge.welcomed(), await edge.welcomed("m2")
        denied.set([("MACHINE", "m1", "")])
        edge.service.close_denied()
        assert grpc.StatusCode.PERMISSION_DENIED == (await machine.end())[0]
        again = edge.machine()
        await again.say(hello=wire.Hello(machine_id="m1", boot_id="b1"))
        assert grpc.StatusCode.PERMISSION_DENIED == (await again.end())[0]
        assert 2 == edge.service.stats().ended["DENIED"]
        assert 1 == edge.service.stats().streams
        assert not other.call.done()
        denied.set([])
        await edge.welcomed()


async def test_a_denied_certificate_is_closed_and_another_of_the_machine_is_not() -> None:
    """By its serial number, over real TLS."""
    authority, denied = Authority(), Denylist()
    server, lost, new = authority.server(), authority.machine("m1"), authority.machine("m1")
    tls = Tls(
        certificate=server.certificate,
        private_key=server.private_key,
        client_ca=authority.certificate,
    )
    serial = x509.load_pem_x509_certificate(lost.certificate).serial_number

    def with_(edge: Edge, issued: Issued) -> MachineCall:
        credentials = grpc.ssl_channel_credentials(
            authority.certificate, issued.private_key, issued.certificate
        )
        return edge.machine(credentials, host="localhost")

    async with running_edge(tls=tls, denied=denied) as edge:
        machine = with_(edge, lost)
        await machine.hello()
        assert {"m1"} == edge.service.showing(f"{serial:x}")
        denied.set([("CERTIFICATE", f"{serial:x}", "m1")])
        edge.service.close_denied()
        assert grpc.StatusCode.PERMISSION_DENIED == (await machine.end())[0]
        assert grpc.StatusCode.PERMISSION_DENIED == (await with_(edge, lost).end())[0]
        assert "welcome" == (await with_(edge, new).hello()).WhichOneof("payload")
