"""The machine in C before gateways that are wrong: the program under the address and
undefined-behaviour sanitizers, real sockets.

The gateway here is a few frames of HTTP/2 by hand, since a real one says nothing wrong.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.support import c_machine
from tests.support.c_machine import PATIENCE_S, CMachine
from tests.support.certificates import Authority

WANTING = c_machine.missing()
DATA, HEADERS, SETTINGS = 0, 1, 4
END_OF_HEADERS = 4
STREAM = 1
STATUS_200 = b"\x88"
MACHINE = "VM-0001"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(WANTING), reason=f"the machine in C cannot be built: {WANTING}"),
    pytest.mark.xdist_group("c_machine"),
]

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine, built once under the sanitizers."""
    folder = tmp_path_factory.mktemp("kit")
    c_machine.make(folder, "all")
    return folder / "machine"


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def _greeting() -> bytes:
    return _frame(SETTINGS, 0, 0) + _frame(HEADERS, END_OF_HEADERS, STREAM, STATUS_200)


def _said(*frames: service_pb.ConnectResponse) -> bytes:
    """Frames of the protocol, as gRPC and HTTP/2 carry them."""
    contents = [each.SerializeToString() for each in frames]
    return b"".join(
        _frame(DATA, 0, STREAM, b"\0" + len(each).to_bytes(4, "big") + each) for each in contents
    )


def _welcome() -> service_pb.ConnectResponse:
    guidance = pb.ReconnectGuidance(initial_ms=50, max_ms=50)
    welcome = pb.Welcome(heartbeat_interval_ms=60_000, reconnect=guidance, in_service=True)
    return service_pb.ConnectResponse(seq=1, welcome=welcome)


def _tls(folder: Path, authority: Authority, name: str) -> ssl.SSLContext:
    issued = authority.server()
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(issued.certificate)
    key.write_bytes(issued.private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    return context


@asynccontextmanager
async def _listening(talk: Talk, tls: ssl.SSLContext) -> AsyncIterator[str]:
    """Yield the address of a gateway that talks so on each connection whose handshake succeeds."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_move_that_fails_in_the_handshake_keeps_the_first_line(
    tmp_path: Path, program: Path
) -> None:
    """The gateway to which the machine would move shows a certificate of another CA: what
    TLS says of that line is no news of the first one.
    """
    ours, theirs = Authority(), Authority("another CA")
    own, other = _tls(tmp_path, ours, "ours"), _tls(tmp_path, theirs, "theirs")
    (tmp_path / "ca.pem").write_bytes(ours.certificate)
    refusals, welcomed, refused_once = 0, asyncio.Event(), asyncio.Event()

    def show(line: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _tls: ssl.SSLContext) -> None:
        nonlocal refusals
        if not welcomed.is_set():
            return  # whoever else has dialled this port trusts nobody here, and does not talk
        refusals += 1
        line.context = other
        if refusals > 1:  # it has done with the first refusal
            refused_once.set()

    own.sni_callback = show

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read(4_096)
        welcomed.set()
        move = pb.MoveRequest(not_before_ms=0, not_after_ms=0)
        asked = service_pb.ConnectResponse(seq=2, move_request=move)
        writer.write(_greeting() + _said(_welcome(), asked))
        while await reader.read(4_096):
            pass

    async with _listening(talk, own) as address:
        machine = CMachine(
            program, tmp_path / "board", MACHINE, "--gateway", address, "--ca", f"{tmp_path}/ca.pem"
        )
        await machine.start()
        async with asyncio.timeout(PATIENCE_S):
            await refused_once.wait()
        machine.press("status")
        status = await machine.until("STATUS")
        told = [line.word for line in machine.lines]
        await machine.stop()

    assert "online=1" in status.text
    assert "OFFLINE" not in told
