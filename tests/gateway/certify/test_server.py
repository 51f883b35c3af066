"""The examiner over real gRPC, with the reference machine's own line."""

import asyncio
import contextlib
import time
from typing import Any

import grpc
import pytest

from gateway.certify import server
from gateway.certify.desk import Desk, Ending, ExamTerms
from gateway.certify.hands import NoHands
from gateway.certify.judges_of_all import fields
from gateway.certify.moments import MomentKind, RuleOutcome
from gateway.certify.server import NotListening, listening, status_of
from gateway.rpc.tls import Tls
from gateway.simulator.line import ClientTls, Line
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.support.certificates import Authority
from tests.support.patience import HANGS_AFTER_S

HELLO = service_pb.ConnectRequest(hello=pb.Hello(machine_id="VM-0001", boot_id="b1"))


@pytest.fixture(autouse=True)
def _nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that are open when the examiner has seen enough end at once."""
    monkeypatch.setattr(server, "END_WITHIN_S", 0.05)


def new_desk() -> Desk:
    return Desk(
        terms=ExamTerms(mark="x"), hands=NoHands(), now_ms=lambda: time.monotonic_ns() // 1_000_000
    )


async def test_a_stream_ends_with_the_details_of_the_product() -> None:
    """Frames cross, and a machine finds RetryInfo and reason where it looks for them."""
    desk = new_desk()
    async with listening(desk, "127.0.0.1:0", None) as port, asyncio.timeout(HANGS_AFTER_S):
        line = Line(f"127.0.0.1:{port}", None)
        line.send(HELLO)
        frames: list[service_pb.ConnectResponse] = []
        running = asyncio.create_task(line.run(lambda _, frame: frames.append(frame)))
        call = await desk.online()
        while len(frames) < 2:
            await asyncio.sleep(0.002)
        call.end(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "later", reason="TOO_MUCH", retry_after_ms=7_000
        )
        ended = await running

    assert ["welcome", "planogram_update"] == [each.WhichOneof("payload") for each in frames[:2]]
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is ended.code
    assert (7_000, "TOO_MUCH") == (ended.retry_after_ms, ended.reason)


async def test_who_hangs_up_is_seen() -> None:
    """A cancelled call closes its stream."""
    desk = new_desk()
    async with listening(desk, "127.0.0.1:0", None) as port, asyncio.timeout(HANGS_AFTER_S):
        line = Line(f"127.0.0.1:{port}", None)
        line.send(HELLO)
        running = asyncio.create_task(line.run(lambda _, __: None))
        await desk.online()
        line.hang_up()
        await running
        await desk.until(lambda: desk.seen_since(0).of(MomentKind.CLOSED) or None, 60_000)

    assert MomentKind.CLOSED in {each.kind for each in desk.moments}


def _http2(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """One frame of HTTP/2."""
    head = len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + content


def _connect() -> bytes:
    """The head of a call, and a Hello, by hand."""
    names = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/gateway.v1.MachineService/Connect",
        ":authority": "examiner",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    fields = [(name.encode(), value.encode()) for name, value in names.items()]
    head = b"".join(bytes([0, len(n)]) + n + bytes([len(v)]) + v for n, v in fields)
    hello = HELLO.SerializeToString()
    return _http2(1, 4, 1, head) + _http2(0, 0, 1, b"\0" + len(hello).to_bytes(4, "big") + hello)


async def _pinged(port: int, *, first: bytes = b"") -> None:
    """Connect by hand, say something, and ping until the server answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _http2(4, 0, 0, b"") + first)
    if first:
        await reader.readuntil(b"HKD")  # it is welcome
    writer.write(_http2(6, 0, 0, b"examiner"))
    await reader.readuntil(b"examiner")
    writer.close()


async def test_pings_are_those_of_the_machine_that_is_examined() -> None:
    """Whoever else connects may ping as often as they like."""
    desk = new_desk()
    async with listening(desk, "127.0.0.1:0", None) as port, asyncio.timeout(HANGS_AFTER_S):
        await _pinged(port)
        welcoming = asyncio.create_task(desk.online())
        await _pinged(port, first=_connect())
        await welcoming

    pings = desk.seen_since(0).of(MomentKind.PINGED)
    assert [1] == [each.stream for each in pings]
    assert [1] == [each.stream for each in desk.seen_since(0).of(MomentKind.TAPPED)]


async def _told(desk: Desk, content: bytes) -> grpc.StatusCode:
    """Send these bytes as a frame once the machine is welcome; return how the stream ended."""
    async with (
        listening(desk, "127.0.0.1:0", None) as port,
        asyncio.timeout(HANGS_AFTER_S),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        call: Any = channel.stream_stream("/gateway.v1.MachineService/Connect")()
        await call.write(HELLO.SerializeToString())
        await desk.online()
        await call.write(content)
        await desk.until(lambda: desk.seen_since(0).of(MomentKind.UNREAD) or None, 60_000)
        await call.done_writing()
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await call.read() is not grpc.aio.EOF:
                pass
        code: grpc.StatusCode = await call.code()
        return code


@pytest.mark.parametrize("size", [70_000, 4_000_000])
async def test_a_frame_that_ends_the_stream_is_seen(size: int) -> None:
    """The gateway's listener takes none of this size and ends the stream; so does the examiner,
    and the rule about bounds is broken.
    """
    desk = new_desk()
    frame = service_pb.ConnectRequest(seq=1, fault=pb.Fault(detail="x" * size))
    content = frame.SerializeToString()

    assert grpc.StatusCode.RESOURCE_EXHAUSTED is await _told(desk, content)
    verdict = fields(desk.seen_since(0))
    assert RuleOutcome.FAIL is verdict.outcome
    assert f"{len(content)} bytes came as one frame, which has at most 65536" in verdict.why
    assert MomentKind.UNREAD is desk.moments[verdict.at[0] - 1].kind


async def test_bytes_that_are_no_frame_are_seen() -> None:
    """As in the gateway the stream goes on, and the number that can be read is used up."""
    desk = new_desk()
    no_utf8 = service_pb.ConnectRequest(seq=1, fault=pb.Fault(code="?")).SerializeToString()

    assert grpc.StatusCode.OK is await _told(desk, no_utf8.replace(b"?", b"\xff"))
    verdict = fields(desk.seen_since(0))
    assert RuleOutcome.FAIL is verdict.outcome
    assert "expected its protobuf encoding" in verdict.why
    error = desk.seen_since(0).said("protocol_error")[0].said_by_us
    assert (1, 2, 1) == (error.protocol_error.seq, error.protocol_error.expected_seq, error.ack)


async def test_a_machine_shows_its_certificate() -> None:
    """Over TLS; pings are not seen there, and who has no certificate does not get in."""
    desk, ca = new_desk(), Authority()
    own, server = ca.machine("VM-0001"), ca.server()
    tls = Tls(
        certificate=server.certificate, private_key=server.private_key, client_ca=ca.certificate
    )
    async with listening(desk, "127.0.0.1:0", tls) as port, asyncio.timeout(HANGS_AFTER_S):
        stranger = Line(f"localhost:{port}", ClientTls(ca=ca.certificate))
        stranger.send(HELLO)
        assert grpc.StatusCode.UNAVAILABLE is (await stranger.run(lambda _, __: None)).code
        shown = ClientTls(
            ca=ca.certificate, certificate=own.certificate, private_key=own.private_key
        )
        line = Line(f"localhost:{port}", shown)
        line.send(HELLO)
        running = asyncio.create_task(line.run(lambda _, __: None))
        await desk.online()
        line.hang_up()
        await running

    assert 1 == len(desk.seen_since(0).hellos())
    assert [] == desk.seen_since(0).of(MomentKind.TAPPED)


async def test_an_address_that_is_taken_is_told() -> None:
    """With what to do."""
    async with listening(new_desk(), "127.0.0.1:0", None) as port:
        with pytest.raises(NotListening, match="--listen"):
            async with listening(new_desk(), f"127.0.0.1:{port}", None):
                pass


def test_a_status_has_a_reason() -> None:
    """Also where the play names none."""
    status = status_of(Ending(code=grpc.StatusCode.UNAVAILABLE, detail="away"))
    assert (grpc.StatusCode.UNAVAILABLE, "away") == (status.code, status.details)
