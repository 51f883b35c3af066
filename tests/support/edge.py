"""A whole machine side of the gateway for tests: real server on a free port, scripted host, clocks
that tests move.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio

from gateway.links.batched_link import LinkLimits
from gateway.links.links import HostLinks
from gateway.machines.registered import Look
from gateway.machines.service import MachineService
from gateway.rpc.denylist import Denylist
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.tls import Tls
from gateway.serving.listeners import Listener, build_machine_server
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse
from gateway.v1.machine_service_pb2_grpc import MachineServiceStub
from tests.support.patience import HANGS_AFTER_S
from tests.support.scripted_link import ScriptedLink

QUICK = LinkLimits(
    backoff_initial_s=0.001, backoff_max_s=0.01, gap_timeout_s=0.05, stop_timeout_s=5.0
)

NOW_MS = 1_700_000_000_000


@dataclass
class FixedClock:
    """Wall time that stands still."""

    at_ms: int = NOW_MS

    def now_ms(self) -> int:
        """The time."""
        return self.at_ms


@dataclass
class Spans:
    """Monotonic time that tests move."""

    at_s: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.at_s


class MachineCall:
    """A machine's end of one stream."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.call: grpc.aio.StreamStreamCall[ConnectRequest, ConnectResponse] = MachineServiceStub(
            channel
        ).Connect()

    async def say(self, seq: int = 0, **payload: object) -> None:
        """Send one frame."""
        await self.call.write(ConnectRequest(seq=seq, **payload))  # type: ignore[arg-type]

    async def hello(
        self, machine_id: str = "m1", *, boot_id: str = "b1", **more: object
    ) -> ConnectResponse:
        """Say Hello and return the answer."""
        await self.say(hello=wire.Hello(machine_id=machine_id, boot_id=boot_id, **more))  # type: ignore[arg-type]
        return await self.hear()

    async def hear(self) -> ConnectResponse:
        """Return the next frame; the stream must not end."""
        async with asyncio.timeout(HANGS_AFTER_S):
            frame = await self.call.read()
        assert isinstance(frame, ConnectResponse), "the stream ended"
        return frame

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """Read to the end and return how it ended."""
        async with asyncio.timeout(HANGS_AFTER_S):
            try:
                while await self.call.read() is not grpc.aio.EOF:
                    pass
            except grpc.aio.AioRpcError:
                pass
            return await self.call.code(), await self.call.details()


@dataclass
class Edge:
    """The running machine side. Machines made by ``machine`` are cancelled at the end."""

    link: ScriptedLink
    links: HostLinks
    service: MachineService
    listener: Listener
    clock: FixedClock
    spans: Spans
    channels: list[grpc.aio.Channel] = field(default_factory=list)
    calls: list[MachineCall] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def machine(
        self, credentials: grpc.ChannelCredentials | None = None, host: str = "127.0.0.1"
    ) -> MachineCall:
        """Open a stream on a connection of its own."""
        target = f"{host}:{self.listener.port}"
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = (
            grpc.aio.insecure_channel(target, options=options)
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, options=options)
        )
        self.channels.append(channel)
        call = MachineCall(channel)
        self.calls.append(call)
        return call

    def background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Let something run beside the test; it is cancelled at the end."""
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    async def welcomed(self, machine_id: str = "m1") -> MachineCall:
        """Open a stream and be welcomed."""
        machine = self.machine()
        answer = await machine.hello(machine_id)
        assert "welcome" == answer.WhichOneof("payload")
        return machine


@asynccontextmanager
async def running_edge(
    *,
    limits: EdgeLimits | None = None,
    link_limits: LinkLimits = QUICK,
    tls: Tls | None = None,
    registered: Look | None = None,
    denied: Denylist | None = None,
    offends: Callable[[str, str], None] = lambda _machine, _reason: None,
) -> AsyncIterator[Edge]:
    """Start everything; end it in order."""
    link, clock, spans = ScriptedLink(), FixedClock(), Spans()
    links = HostLinks(
        [link], gateway_id="g1", partition_count=16, limits=link_limits, random=lambda: 0.5
    )
    service = MachineService(
        links,
        gateway_id="g1",
        clock=clock,
        limits=limits,
        registered=registered,
        denied=denied,
        offends=offends,
        monotonic=spans,
        random=lambda: 0.5,
    )
    listener = build_machine_server(service, address="127.0.0.1:0", tls=tls)
    edge = Edge(
        link=link, links=links, service=service, listener=listener, clock=clock, spans=spans
    )
    await links.start()
    await service.start()
    await listener.start()
    try:
        yield edge
    finally:
        for task in edge.tasks:
            task.cancel()
        for call in edge.calls:
            call.call.cancel()
        for channel in edge.channels:
            await channel.close()
        await listener.stop(grace_s=0)
        await service.stop()
        await links.stop()
