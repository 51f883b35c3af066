"""The service over real gRPC, with a scripted host behind it."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from actors.link import FromMachine
from actors.machine.events import Connected, Disconnected
from gateway.v1 import machine_pb2 as wire
from tests.support.edge import NOW_MS, Edge, running_edge, until


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A machine side with default limits."""
    async with running_edge() as running:
        yield running


async def test_hello_is_answered_by_welcome(edge: Edge) -> None:
    """A machine that says Hello gets Welcome with the gateway's own guidance and clock."""
    machine = edge.machine()
    answer = await machine.hello()
    assert answer.seq == 1
    assert (
        answer.welcome.heartbeat_interval_ms,
        answer.welcome.reconnect.initial_ms,
        answer.welcome.reconnect.max_ms,
    ) == (20_000, 1_000, 60_000)
    assert answer.welcome.server_time_ms == NOW_MS
    sent = edge.link.received()[0]
    assert isinstance(sent, FromMachine)
    assert sent.event == Connected(stream_id="g1-1", opened_at_ms=NOW_MS, boot_id="b1")  # type: ignore[arg-type]


async def test_frames_are_acknowledged(edge: Edge) -> None:
    """A numbered frame reaches the host and its acknowledgement comes back."""
    machine = await edge.welcomed()
    await machine.say(1, reader_enable=wire.ReaderEnable())
    answer = await machine.hear()
    assert (answer.seq, answer.ack, answer.WhichOneof("payload")) == (2, 1, None)


async def test_takeover(edge: Edge) -> None:
    """A newer stream of a machine ends the older one with ABORTED at once."""
    older = await edge.welcomed()
    newer = await edge.welcomed()
    code, details = await older.end()
    assert code is grpc.StatusCode.ABORTED, details
    await newer.say(1, reader_enable=wire.ReaderEnable())
    assert (await newer.hear()).ack == 1


async def test_half_close(edge: Edge) -> None:
    """A machine that half-closes gets its answers and OK."""
    machine = edge.machine()
    await machine.say(hello=wire.Hello(machine_id="m1", boot_id="b1"))
    await machine.say(1, reader_enable=wire.ReaderEnable())
    await machine.call.done_writing()
    assert (await machine.hear()).HasField("welcome")
    assert (await machine.hear()).ack == 1
    assert (await machine.end())[0] is grpc.StatusCode.OK
    await until(lambda: edge.service.stats().streams == 0)


async def test_gone(edge: Edge) -> None:
    """The host hears once of a machine that went away without a word."""
    machine = await edge.welcomed()
    machine.call.cancel()
    await until(lambda: any(isinstance(m, FromMachine) and isinstance(m.event, Disconnected) for m in edge.link.received()))
    assert edge.service.stats().streams == 0
    await asyncio.sleep(0)
