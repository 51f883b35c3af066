"""Calls of which nothing comes hold no connection for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from gateway.rpc import reflection
from gateway.rpc.options import at_most
from gateway.rpc.prompt import HEALTH_WATCH, Prompt
from tests.support.patience import HANGS_AFTER_S

CHECK = "/grpc.health.v1.Health/Check"
REFLECTION = f"/{reflection.NAME}/ServerReflectionInfo"
SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
REQUEST = health_pb2.HealthCheckRequest().SerializeToString()
SOON_S = 0.05
NEVER_S = 3_600.0


@asynccontextmanager
async def a_server(*, within_s: float = NEVER_S, lasts_s: float = NEVER_S) -> AsyncIterator[str]:
    """One with a place for a single connection, and its address."""
    prompt = Prompt(passing={HEALTH_WATCH, REFLECTION}, within_s=within_s, lasts_s=lasts_s)
    server = grpc.aio.server(
        interceptors=(prompt,), options=(*at_most(1), ("grpc.max_connection_idle_ms", 100))
    )
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    _, tables = reflection.handlers([cast("FileDescriptor", health_pb2.DESCRIPTOR)])
    server.add_generic_rpc_handlers(tables)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


def called(address: str) -> Any:
    """A channel to it; what it calls has no types here."""
    return grpc.aio.insecure_channel(address)


async def silent() -> AsyncIterator[bytes]:
    """Send nothing, and do not say that nothing comes."""
    await asyncio.Event().wait()
    yield b""


async def ended(call: Any) -> grpc.aio.AioRpcError:
    """Return how a call ended."""
    async with asyncio.timeout(HANGS_AFTER_S):
        try:
            async for _ in call:
                pass
        except grpc.aio.AioRpcError as error:
            return error
    raise AssertionError("it ended well")


@pytest.mark.parametrize("path", [CHECK, HEALTH_WATCH])
async def test_a_call_whose_request_does_not_come_is_ended(path: str) -> None:
    """With a sentence; and its connection is free for somebody else."""
    async with a_server(within_s=SOON_S) as address, called(address) as channel:
        told = await ended(channel.stream_stream(path)(silent()))
        assert grpc.StatusCode.DEADLINE_EXCEEDED is told.code()
        assert "no request came" in str(told.details())
        async with called(address) as other:
            await _check(other)


async def _check(channel: Any) -> None:
    answer = await channel.unary_unary(CHECK)(REQUEST, wait_for_ready=True, timeout=HANGS_AFTER_S)
    assert SERVING.SerializeToString() == answer


async def test_who_ends_a_call_without_a_request_hears_the_same() -> None:
    """There is nothing to answer."""

    async def nothing() -> AsyncIterator[bytes]:
        never: tuple[bytes, ...] = ()
        for one in never:
            yield one

    async with a_server() as address, called(address) as channel:
        told = await ended(channel.stream_stream(CHECK)(nothing()))
        assert "no request came" in str(told.details())


async def test_what_is_asked_is_answered() -> None:
    """In each of the ways that a call can have."""
    async with a_server() as address, called(address) as channel:
        await _check(channel)
        watch = channel.unary_stream(HEALTH_WATCH)(REQUEST)
        assert SERVING.SerializeToString() == await watch.read()
        watch.cancel()
        asked = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
        told = channel.stream_stream(REFLECTION)([asked])
        services = reflection_pb2.ServerReflectionResponse.FromString(await told.read())
        assert "grpc.health.v1.Health" in str(services)
        assert grpc.aio.EOF is await told.read()


@pytest.mark.parametrize("path", [HEALTH_WATCH, REFLECTION])
async def test_what_stays_ends_after_a_while(path: str) -> None:
    """It does nothing for anybody, and its caller may ask again."""

    async def asked() -> AsyncIterator[bytes]:
        if path == HEALTH_WATCH:
            yield REQUEST
        await asyncio.Event().wait()

    async with a_server(lasts_s=SOON_S) as address, called(address) as channel:
        told = await ended(channel.stream_stream(path)(asked()))
        assert grpc.StatusCode.UNAVAILABLE is told.code()
        assert "call again" in str(told.details())
