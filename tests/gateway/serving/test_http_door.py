"""The door of an HTTP port, on real sockets: strangers who hold places, and callers who want in."""

import asyncio
import resource
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.process.sections import Address
from gateway.rpc.limits import HttpLimits
from gateway.serving import http_server
from gateway.serving.http_door import HttpConnection, HttpDoor, address_of
from tests.support.certificates import Authority
from tests.support.edge import Spans
from tests.support.patience import HANGS_AFTER_S, until

PATIENT = HttpLimits()
ASKS = b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n"
HANGS = b"GET /hangs HTTP/1.1\r\nHost: x\r\n\r\n"


class Watched(HttpConnection):
    """Tells how many bytes have come."""

    bytes_in = 0

    def data_received(self, data: bytes) -> None:
        self.bytes_in += len(data)
        super().data_received(data)


@dataclass
class Served:
    """A server on a free port. ``ended`` counts why its door ended connections."""

    port: int
    ended: Counter[str]
    released: asyncio.Event
    door: HttpDoor
    clock: Spans
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, Any]:
        """Open a connection from an address of this computer."""
        async with asyncio.timeout(HANGS_AFTER_S):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, local_addr=(source, 0)
            )
        self.writers.append(writer)
        return reader, writer

    @property
    def one(self) -> "Watched":
        """The only connection."""
        (connection,) = self.door
        assert isinstance(connection, Watched)
        return connection

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass, and the door look at who is in."""
        self.clock.at_s += seconds
        self.door.look()

    async def ask(self, source: str = "127.0.0.1") -> bytes:
        """Ask once, on a connection of its own, and return the first line of the answer."""
        reader, writer = await self.connect(source)
        writer.write(ASKS)
        async with asyncio.timeout(HANGS_AFTER_S):
            return await reader.readline()


def state_of(connection: HttpConnection) -> str:
    """What the connection would be ended for if it stayed as it is."""
    return connection.overdue(connection.since + 1_000, PATIENT)


@asynccontextmanager
async def a_server(
    limits: HttpLimits = PATIENT,
    *,
    tls: ssl.SSLContext | None = None,
    asked: Callable[[], None] = lambda: None,
) -> AsyncIterator[Served]:
    """Serve two paths: one answers at once, the other when it is released."""
    ended: Counter[str] = Counter()
    released = asyncio.Event()

    async def quick(_request: Request) -> Response:
        return PlainTextResponse("here\n")

    async def hangs(_request: Request) -> Response:
        await released.wait()
        return PlainTextResponse("at last\n")

    def context() -> ssl.SSLContext:
        asked()
        assert tls is not None
        return tls

    app = Starlette(routes=[Route("/quick", quick), Route("/hangs", hangs)])
    listener = http_server.bind(Address(host="127.0.0.1", port=0), setting="http.listen")
    port = http_server.port_of(listener)
    async with http_server.served(
        app,
        listener,
        limits=limits,
        ended=lambda why: ended.update([why]),
        made=Watched,
        now=(clock := Spans()),
        tls=None if tls is None else context,
    ) as door:
        served = Served(port=port, ended=ended, released=released, door=door, clock=clock)
        try:
            yield served
        finally:
            released.set()
            for writer in served.writers:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()


def both_sides(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of a server, and of those who call it."""
    ours = Authority().server()
    for name, content in (("own", ours.certificate), ("key", ours.private_key)):
        (folder / name).write_bytes(content)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "own", folder / "key")
    theirs = ssl.create_default_context(cafile=folder / "own")
    theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE
    return tls, theirs


def highest_descriptor() -> int:
    """The highest number of a file that is open in this process."""
    return max(int(one.name) for one in Path("/proc/self/fd").iterdir())


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Return what still comes until the other side hangs up."""
    async with asyncio.timeout(HANGS_AFTER_S):
        with suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_strangers_who_say_nothing_do_not_close_the_door() -> None:
    """However many connections wait in silence, whoever asks is answered."""
    async with a_server(HttpLimits(connections_max=8, connections_per_address_max=8)) as served:
        for _ in range(30):
            await served.connect()
        await until(lambda: served.ended["crowded_out"] == 22)
        assert b"HTTP/1.1 200 OK\r\n" == await served.ask()
        assert 8 >= len(served.door)


async def test_who_holds_the_most_is_crowded_out() -> None:
    """A stranger with many connections loses his own, not the one of somebody else that waits."""
    async with a_server(HttpLimits(connections_max=8, connections_per_address_max=100)) as served:
        reader, writer = await served.connect("127.0.0.9")
        for _ in range(30):
            await served.connect("127.0.0.2")
        await until(lambda: served.ended["crowded_out"] == 23)
        writer.write(ASKS)
        async with asyncio.timeout(HANGS_AFTER_S):
            assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()


async def test_an_address_has_its_share() -> None:
    """One address fills its own places and none of the others'."""
    async with a_server(HttpLimits(connections_max=100, connections_per_address_max=3)) as served:
        for _ in range(10):
            await served.connect("127.0.0.2")
        await until(lambda: served.ended["crowded_out"] == 7)
        assert b"HTTP/1.1 200 OK\r\n" == await served.ask("127.0.0.3")
        assert 7 == served.ended["crowded_out"]


async def test_nobody_is_thrown_out_while_being_answered() -> None:
    """With every place under an answer a further caller is refused, and comes in afterwards."""
    async with a_server(HttpLimits(connections_max=2, connections_per_address_max=2)) as served:
        answered = []
        for _ in range(2):
            reader, writer = await served.connect()
            writer.write(HANGS)
            answered.append(reader)
        await until(lambda: all(one.answering for one in served.door) and 2 == len(served.door))
        reader, _ = await served.connect()
        assert b"" == await closed(reader)
        assert {"refused": 1} == served.ended
        served.released.set()
        for reader in answered:
            async with asyncio.timeout(HANGS_AFTER_S):
                assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()
        assert b"HTTP/1.1 200 OK\r\n" == await served.ask()


async def test_silence_before_tls_does_not_close_the_door(tmp_path: Path) -> None:
    """Who holds every place for agreeing upon TLS and says nothing crowds out its own, so that
    somebody else gets in; and who was at it there is hung up on.
    """
    tls, theirs = both_sides(tmp_path)
    async with a_server(HttpLimits(handshakes_max=3), tls=tls) as served:
        other, _ = await served.connect("127.0.0.3")
        first, _ = await served.connect("127.0.0.2")
        for _ in range(9):
            await served.connect("127.0.0.2")
        assert b"" == await closed(first)
        await until(lambda: served.ended["crowded_out"] == 8)
        assert not other.at_eof()
        async with asyncio.timeout(HANGS_AFTER_S):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", served.port, local_addr=("127.0.0.4", 0), ssl=theirs
            )
            served.writers.append(writer)
            writer.write(ASKS)
            assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()
        assert {"crowded_out": 9} == served.ended


async def test_a_certificate_that_cannot_be_had_costs_its_connection_alone(tmp_path: Path) -> None:
    """The door accepts on: it would be shut for good, and nobody would hear of it."""
    tls, theirs = both_sides(tmp_path)
    away = [OSError("no space is left on the disk")] * 2

    def asked() -> None:
        if away:
            raise away.pop()

    async with a_server(tls=tls, asked=asked) as served, asyncio.timeout(HANGS_AFTER_S):
        for _ in range(2):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.open_connection("127.0.0.1", served.port, ssl=theirs)
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=theirs)
        served.writers.append(writer)


async def test_an_address_has_its_share_of_those_that_agree_upon_tls(tmp_path: Path) -> None:
    """Whoever agrees upon it for many connections at once gets no more places in the end."""
    tls, theirs = both_sides(tmp_path)
    limits = HttpLimits(connections_max=100, connections_per_address_max=2)
    async with a_server(limits, tls=tls) as served:
        begun = [await served.connect("127.0.0.2") for _ in range(6)]
        await until(lambda: 6 == len(served.door._shaking))
        async with asyncio.timeout(HANGS_AFTER_S):
            await asyncio.gather(*(one.start_tls(theirs) for _, one in begun))
        await until(lambda: served.ended["crowded_out"] == 4)
        assert 2 == len(served.door)


@pytest.mark.parametrize(
    ("begins", "why"),
    [
        (b"", "silent"),
        (b"GET /quick HTTP/1.1\r\nHost: ", "slow_head"),
        (ASKS + b"GET /quick HTTP/1.1\r\n", "slow_head"),
        (HANGS, "slow_request"),
    ],
)
async def test_a_place_is_held_for_a_while_only(begins: bytes, why: str) -> None:
    """Who brings no head, half a head, or takes for ever over a request, is hung up on."""
    async with a_server() as served:
        reader, writer = await served.connect()
        writer.write(begins)
        await until(lambda: 1 == len(served.door) and state_of(served.one) == why)
        served.pass_time(PATIENT.request_timeout_s - 0.1 if begins == HANGS else 9.9)
        assert not served.ended
        served.pass_time(0.2)
        said = await closed(reader)
        assert begins.startswith(ASKS) == said.startswith(b"HTTP/1.1 200 OK\r\n")
        assert {why: 1} == served.ended


@pytest.mark.parametrize(
    "begins",
    [
        b"GET /quick HTTP/1.1\r\nX: y",
        # Answered with 404 before its body, which nobody reads, is there.
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nz",
    ],
)
async def test_a_byte_now_and_then_buys_no_time(begins: bytes) -> None:
    """The head as a whole has a deadline, and so has a body that is sent after the answer."""
    async with a_server() as served:
        reader, writer = await served.connect()
        writer.write(begins)
        await until(lambda: 1 == len(served.door) and state_of(served.one) == "slow_head")
        for _ in range(6):
            received = served.one.bytes_in
            writer.write(b"y")
            await until(lambda before=received: served.one.bytes_in > before)  # type: ignore[misc]
            served.pass_time(1.9)
            if served.ended:
                break
        await closed(reader)
        assert {"slow_head": 1} == served.ended


async def test_a_connection_is_used_again() -> None:
    """Requests one after the other, and several at once, are answered on one connection, whose age
    is no reason to end it.
    """
    async with a_server() as served:
        reader, writer = await served.connect()
        for requests in (1, 2, 1):
            writer.write(ASKS * requests)
            for _ in range(requests):
                async with asyncio.timeout(HANGS_AFTER_S):
                    await reader.readuntil(b"here\n")
            served.pass_time(1_000)
        assert not served.ended


async def test_without_descriptors_the_door_waits() -> None:
    """A process that has none left says so once in a while, and lets the caller in when it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with a_server() as served:
        caller = socket.socket()
        caller.setblocking(False)
        highest = highest_descriptor()
        held = [socket.socket() for _ in range(highest)]  # every number below is taken
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(s.fileno() for s in held) + 1, hard))
            loop = asyncio.get_running_loop()
            await loop.sock_connect(caller, ("127.0.0.1", served.port))
            await until(lambda: served.ended["no_descriptor"] >= 1)
            assert 0 == len(served.door)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for one in held:
                one.close()
        await loop.sock_sendall(caller, ASKS)
        async with asyncio.timeout(HANGS_AFTER_S):
            assert (await loop.sock_recv(caller, 100)).startswith(b"HTTP/1.1 200 OK\r\n")
        caller.close()


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("203.0.113.7", 1), "203.0.113.7"),
        (("2001:db8:1:2:3::4", 1, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
        (("::ffff:203.0.113.7", 1, 0, 0), "203.0.113.7"),
        (None, "None"),
        ("", ""),
    ],
)
def test_an_address_is_whoever_has_it(peer: Any, address: str) -> None:
    """An IPv6 network counts as one caller, and an IPv4 one in IPv6's clothes as itself."""
    assert address == address_of(peer)


async def test_a_request_with_two_lengths_is_the_last_of_its_connection() -> None:
    """What stands behind it may be another's request in disguise, and is not answered."""
    async with a_server() as served:
        reader, writer = await served.connect()
        both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        writer.write(ASKS.removesuffix(b"\r\n") + both + ASKS)
        said = await closed(reader)
        assert 1 == said.count(b"HTTP/1.1 200 OK")


async def test_who_asks_for_another_protocol_is_answered_as_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And no log line tells the operator to install something."""
    async with a_server() as served:
        reader, writer = await served.connect()
        upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        writer.write(ASKS.removesuffix(b"\r\n") + upgrade)
        async with asyncio.timeout(HANGS_AFTER_S):
            assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()
    assert [] == [record for record in caplog.records if "uvicorn" in record.name]
