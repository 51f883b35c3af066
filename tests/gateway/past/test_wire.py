"""A machine's stream without a socket."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import grpc
import grpc.aio

from gateway.machines.service import MachineService
from gateway.past.wire import PastLine
from gateway.rpc import statuses
from gateway.simulator.line import Ended, Line
from gateway.v1 import machine_service_pb2 as wire


class Service:
    """Serves one stream as it is told to."""

    def __init__(self, serve: Callable[[Any], Any]) -> None:
        self._serve = serve

    async def connect(self, _requests: object, context: Any) -> None:
        """Serve it."""
        await self._serve(context)


def line_to(serve: Callable[[Any], Any]) -> PastLine:
    """A machine's line to such a service."""
    return PastLine(cast("MachineService", Service(serve)))


async def test_frames_go_both_ways_in_order_and_the_end_is_told() -> None:
    """What was sent before anybody dialled is there; what comes back is handed on."""
    heard: list[int] = []

    async def echoes(context: Any) -> None:
        assert {} == context.auth_context()
        for _ in range(3):
            frame = wire.ConnectRequest.FromString(await context.read())
            await context.write(wire.ConnectResponse(seq=frame.seq).SerializeToString())
        await asyncio.sleep(0)

    def received(_line: Line, frame: wire.ConnectResponse) -> None:
        heard.append(frame.seq)

    line = line_to(echoes)
    line.send(wire.ConnectRequest(seq=1))
    line.send(wire.ConnectRequest(seq=2))
    asyncio.get_running_loop().call_soon(line.send, wire.ConnectRequest(seq=3))
    assert Ended(code=grpc.StatusCode.OK, detail="closed by the gateway") == await line.run(
        received
    )
    await asyncio.sleep(0)
    assert [1, 2, 3] == heard


async def test_a_refusal_is_heard_with_its_reason() -> None:
    """As gRPC would bring it; what is read behind it is the end."""
    ends: list[object] = []

    async def refuses(context: Any) -> None:
        try:
            await statuses.abort(context, statuses.DRAINING)
        finally:
            ends.append(await context.read())

    ended = await line_to(refuses).run(lambda _line, _frame: None)
    assert "DRAINING" == ended.reason
    assert grpc.StatusCode.UNAVAILABLE == ended.code
    assert [grpc.aio.EOF] == ends


async def test_who_hangs_up_ends_the_gateways_handler_too() -> None:
    """And a line that was hung up before it dialled dials nobody; what is sent there is lost."""
    ends: list[str] = []

    async def waits(context: Any) -> None:
        try:
            await context.read()
        finally:
            ends.append("ended")

    line = line_to(waits)
    running = asyncio.create_task(line.run(lambda _line, _frame: None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    line.hang_up()
    line.send(wire.ConnectRequest(seq=1))
    assert grpc.StatusCode.CANCELLED == (await running).code
    assert ["ended"] == ends

    never = line_to(waits)
    never.hang_up()
    assert grpc.StatusCode.CANCELLED == (await never.run(lambda _line, _frame: None)).code
    assert ["ended"] == ends
