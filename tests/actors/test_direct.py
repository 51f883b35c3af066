"""Calls over a socket: their answers come back to them, and nothing is left waiting when an end
goes.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from actors import direct
from actors.direct import DirectClient, DirectServer
from actors.link import LinkBroken
from tests.support.patience import HANGS_AFTER_S


class Methods:
    """What a host answers."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def echo(self, block: bytes) -> bytes:
        """Answer at once."""
        return block

    async def wait(self, name: str) -> str:
        """Answer when told to."""
        self.began.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return name

    async def refuse(self, number: int) -> str:
        """Refuse."""
        raise LinkBroken(f"{number} is too much")

    async def fail(self) -> str:
        """Have a defect."""
        raise ValueError("nobody thought of it")


@pytest.fixture
async def methods() -> Methods:
    """A host's."""
    return Methods()


@pytest.fixture
async def server(methods: Methods, tmp_path: Path) -> AsyncIterator[DirectServer]:
    """The host's end."""
    server = await serve(methods, tmp_path)
    yield server
    server.close()


async def serve(methods: Methods, folder: Path) -> DirectServer:
    """Open the socket in this folder."""
    return await DirectServer.open(
        folder / "s",
        {
            "echo": methods.echo,
            "wait": methods.wait,
            "refuse": methods.refuse,
            "fail": methods.fail,
        },
    )


@pytest.fixture
async def client(server: DirectServer, tmp_path: Path) -> AsyncIterator[DirectClient]:
    """The gateway's end, connected."""
    client = DirectClient(tmp_path / "s")
    assert b"" == await client.call("echo", b"", anew=True)
    yield client
    client.close()


class Sent(list[bytes]):
    """A transport as uvloop's are: of no class of asyncio's."""

    write = list.append

    def is_closing(self) -> bool:
        """It is open."""
        return False


async def test_any_loop_s_transport_will_do(methods: Methods) -> None:
    """With the extra "speed" it is uvloop's."""
    served, sent = direct._Served({"echo": methods.echo}), Sent()
    served.connection_made(cast("asyncio.Transport", sent))
    assert served.open
    call = msgspec.msgpack.encode((1, "echo", [b"x"]))
    served.data_received(len(call).to_bytes(4) + call)
    while not sent:
        await asyncio.sleep(0)
    assert [1, True, b"x"] == msgspec.msgpack.decode(sent[0][4:])


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
async def test_a_block_of_any_size_goes_there_and_back(client: DirectClient, size: int) -> None:
    """Whole, in however many pieces it is carried."""
    block = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert block == await client.call("echo", block)


async def test_an_answer_finds_its_call(client: DirectClient, methods: Methods) -> None:
    """One that waits holds up no other."""
    waiting = asyncio.create_task(client.call("wait", "first"))
    await methods.began.wait()
    assert b"2" == await client.call("echo", b"2")
    methods.go_on.set()
    assert "first" == await waiting


async def test_a_refusal_is_told(client: DirectClient) -> None:
    """In the host's own words, and the connection stays."""
    with pytest.raises(LinkBroken, match="7 is too much"):
        await client.call("refuse", 7)
    assert b"x" == await client.call("echo", b"x")


@pytest.mark.parametrize("method", ["fail", "unheard"])
async def test_a_defect_is_told(client: DirectClient, method: str) -> None:
    """The gateway attaches again, as after any answer that did not come."""
    with pytest.raises(LinkBroken, match="Error: "):
        await client.call(method)
    assert b"x" == await client.call("echo", b"x")


async def test_the_end_of_the_host_breaks_what_waits(
    client: DirectClient, methods: Methods, server: DirectServer
) -> None:
    """At once; and what is called afterwards, until somebody connects anew."""
    waiting = asyncio.create_task(client.call("wait", "first"))
    await methods.began.wait()
    server.close()
    async with asyncio.timeout(HANGS_AFTER_S):
        with pytest.raises(LinkBroken, match="the connection ended"):
            await waiting
    with pytest.raises(LinkBroken, match="there is no connection"):
        await client.call("echo", b"")


async def test_the_end_of_the_gateway_cancels_what_is_under_way(
    client: DirectClient, methods: Methods
) -> None:
    """Nobody is there to be answered."""
    waiting = asyncio.create_task(client.call("wait", "first"))
    await methods.began.wait()
    client.close()
    async with asyncio.timeout(HANGS_AFTER_S):
        await methods.cancelled.wait()
        with pytest.raises(LinkBroken):
            await waiting


async def test_a_caller_that_gives_up_disturbs_nobody(
    client: DirectClient, methods: Methods
) -> None:
    """The answer that comes all the same is nobody's."""
    waiting = asyncio.create_task(client.call("wait", "first"))
    await methods.began.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    methods.go_on.set()
    assert b"x" == await client.call("echo", b"x")


async def test_a_host_that_is_not_there_yet_is_waited_for(methods: Methods, tmp_path: Path) -> None:
    """Also one whose predecessor left its socket behind: nobody listens there, until it comes."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "s"))
    left.close()
    client = DirectClient(tmp_path / "s")
    coming = asyncio.create_task(client.call("echo", b"x", anew=True))
    await asyncio.sleep(0)
    server = await serve(methods, tmp_path)
    async with asyncio.timeout(HANGS_AFTER_S):
        assert b"x" == await coming
    client.close()
    server.close()


async def test_what_the_system_refuses_breaks_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path in circles, or no descriptor that is free: the gateway tries again, as after any
    break.
    """
    path = tmp_path / "s"
    path.symlink_to(path)
    with pytest.raises(LinkBroken, match=r"cannot be connected to: .*symbolic links"):
        await DirectClient(path).call("echo", b"x", anew=True)

    async def refused(*_: object) -> object:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_unix_connection", refused)
    with pytest.raises(LinkBroken, match=r"cannot be connected to: .*Too many open files"):
        await DirectClient(path).call("echo", b"x", anew=True)


async def test_a_new_connection_reaches_the_new_process(
    client: DirectClient, server: DirectServer, tmp_path: Path
) -> None:
    """After ``close``, even if the old process hangs and still holds its end."""
    newer = Methods()
    newer.go_on.set()
    successor = await serve(newer, tmp_path)
    client.close()
    assert "it" == await client.call("wait", "it", anew=True)
    assert newer.began.is_set()
    successor.close()


@pytest.mark.parametrize(
    "sent", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1", b"\x00\x00\x00\x01\x90"]
)
async def test_who_speaks_otherwise_is_cut_off(
    client: DirectClient, tmp_path: Path, sent: bytes
) -> None:
    """A length beyond the bound, or what is no call; the others notice nothing."""
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
    writer.write(sent)
    async with asyncio.timeout(HANGS_AFTER_S):
        with contextlib.suppress(ConnectionError):  # ended in order, or reset: both are an end
            assert b"" == await reader.read()
    writer.close()
    assert b"x" == await client.call("echo", b"x")


async def test_calls_under_way_are_bounded(
    client: DirectClient, methods: Methods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more than may be ends the connection, and all of them."""
    monkeypatch.setattr(direct, "CALLS_MAX", 3)
    calls = [asyncio.create_task(client.call("wait", str(number))) for number in range(4)]
    async with asyncio.timeout(HANGS_AFTER_S):
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [LinkBroken] * 4 == [type(each) for each in ended]
