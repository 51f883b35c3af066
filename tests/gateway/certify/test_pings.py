"""HTTP/2 pings, read from the bytes that go by."""

import asyncio

import pytest

from gateway.certify import pings
from gateway.certify.pings import (
    ACK,
    DATA,
    NOTHING_BEFORE,
    PING,
    PREFACE_BYTES,
    FrameHeads,
    PingWatch,
    relayed,
)

SETTINGS = 4


def frame(kind: int, flags: int = 0, content: bytes = b"") -> bytes:
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + bytes(4) + content


@pytest.mark.parametrize("step", [1, 2, 9, 10, 1_000])
def test_heads_are_found_however_the_bytes_are_cut(step: int) -> None:
    """In pieces of any size; the content is passed over, also what looks like a head."""
    sent = bytes(PREFACE_BYTES) + frame(SETTINGS, 0, frame(PING)) + frame(PING, ACK, bytes(8))
    heads = FrameHeads(PREFACE_BYTES)
    found = [head for at in range(0, len(sent), step) for head in heads.feed(sent[at : at + step])]

    assert [(SETTINGS, 0), (PING, ACK)] == found


def test_pings_are_told_with_the_time_between() -> None:
    """If nothing was sent to the machine meanwhile; answers to the server's pings are none."""
    noted: list[str] = []
    now = [1_000]
    watch = PingWatch(noted.append, lambda: now[0])

    watch.from_machine(bytes(PREFACE_BYTES) + frame(PING, 0, bytes(8)))
    now[0] = 6_000
    watch.from_machine(frame(PING, ACK, bytes(8)))
    watch.from_machine(frame(PING, 0, bytes(8)))
    watch.to_machine(frame(DATA, 0, b"x"))
    now[0] = 7_000
    watch.from_machine(frame(PING, 0, bytes(8)))

    assert [NOTHING_BEFORE, "5000", NOTHING_BEFORE] == noted


async def test_bytes_cross_unchanged_both_ways() -> None:
    """And when one side closes, so does the other."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5))[::-1])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    to_port = server.sockets[0].getsockname()[1]
    watch = PingWatch(lambda _: None, lambda: 0)
    async with server, relayed("127.0.0.1", 0, to_port, lambda _: watch) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        assert b"olleh" == await reader.read()
        writer.close()


async def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is closed as it comes."""
    monkeypatch.setattr(pings, "CONNECTIONS_MAX", 1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    to_port = server.sockets[0].getsockname()[1]
    watch = PingWatch(lambda _: None, lambda: 0)
    async with server, relayed("127.0.0.1", 0, to_port, lambda _: watch) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"1")
        assert b"1" == await reader.readexactly(1)
        other, other_writer = await asyncio.open_connection("127.0.0.1", port)
        assert b"" == await other.read()
        other_writer.close()
        writer.close()
