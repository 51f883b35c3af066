"""A real grpc.aio server on a free port whose streams the test plays by hand, and a machine without
a wire for tests of customers.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import grpc
import grpc.aio

from gateway.simulator.board import Board
from gateway.simulator.machine import Identity
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from gateway.v1 import machine_service_pb2_grpc as service_grpc
from tests.gateway.simulator.backend import COLUMNS, QR, Backend
from tests.support.patience import HANGS_AFTER_S


class ScriptedStream:
    """The gateway's end of one stream."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._seq = 0
        self.over = asyncio.Event()
        self.full_status: grpc.Status | None = None
        self.status: tuple[grpc.StatusCode, str] | None = None

    async def read(self) -> service_pb.ConnectRequest:
        """Return the machine's next frame."""
        async with asyncio.timeout(HANGS_AFTER_S):
            frame = await self._context.read()
        assert isinstance(frame, service_pb.ConnectRequest), "the machine hung up"
        return frame

    async def rest(self) -> list[str]:
        """Return the kinds of all further frames, once the machine has hung up; its very first one
        apart.
        """
        kinds: list[str] = []
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.BaseError):
            while isinstance(frame := await self._context.read(), service_pb.ConnectRequest):
                kinds.append(str(frame.WhichOneof("payload")))
        return [kind for kind in kinds if kind != "reader_enable"]

    async def read_kind(self, kind: str) -> service_pb.ConnectRequest:
        """Return the machine's next frame of this kind, passing over others."""
        while True:
            frame = await self.read()
            if frame.WhichOneof("payload") == kind:
                return frame

    async def write(self, *, ack: int = 0, **payload: Any) -> None:
        """Send one frame."""
        self._seq += 1
        await self._context.write(service_pb.ConnectResponse(seq=self._seq, ack=ack, **payload))

    async def welcome(self, **fields: Any) -> pb.Hello:
        """Take the Hello and answer it with what a machine needs for selling."""
        hello = (await self.read()).hello
        told: dict[str, Any] = {
            "planogram_version": 1,
            "heartbeat_interval_ms": 60_000,
            "reconnect": pb.ReconnectGuidance(initial_ms=5, max_ms=20),
            "currency": "HKD",
            "qr_payload": QR,
            "mode": pb.MODE_BOTH,
            "in_service": True,
        }
        await self.write(welcome=pb.Welcome(**(told | fields)))
        if hello.planogram_version != 1:
            await self.write(
                planogram_update=pb.PlanogramUpdate(planogram_version=1, columns=COLUMNS)
            )
        return hello

    def refuse(self, status: grpc.Status) -> None:
        """End the stream with this status and its details."""
        self.full_status = status
        self.over.set()

    def end(self, code: grpc.StatusCode = grpc.StatusCode.OK, detail: str = "") -> None:
        """End the stream with this status."""
        if code is not grpc.StatusCode.OK:
            self.status = (code, detail)
        self.over.set()


class ScriptedGateway(service_grpc.MachineServiceServicer):
    """Hands each stream to the test, or to a backend."""

    def __init__(self) -> None:
        self.streams: asyncio.Queue[ScriptedStream] = asyncio.Queue()
        self.address = ""

    async def Connect(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802  the name is the proto's
        """One stream, until the script ends it or the machine goes."""
        stream = ScriptedStream(context)
        self.streams.put_nowait(stream)
        await stream.over.wait()
        if stream.full_status is not None:
            await context.abort_with_status(stream.full_status)
        if stream.status is not None:
            await context.abort(*stream.status)

    async def stream(self) -> ScriptedStream:
        """Return the next stream that a machine opens."""
        async with asyncio.timeout(HANGS_AFTER_S):
            return await self.streams.get()


@contextlib.asynccontextmanager
async def scripted_gateway(
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[ScriptedGateway]:
    """Run a scripted gateway on a free port, with TLS if there are credentials."""
    server = grpc.aio.server()
    gateway = ScriptedGateway()
    service_grpc.add_MachineServiceServicer_to_server(gateway, server)
    free = "127.0.0.1:0"
    port = (
        server.add_insecure_port(free)
        if credentials is None
        else server.add_secure_port(free, credentials)
    )
    gateway.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield gateway
    finally:
        await server.stop(grace=0)


@contextlib.asynccontextmanager
async def refusing(
    gateway: ScriptedGateway, code: grpc.StatusCode, detail: str
) -> AsyncIterator[None]:
    """Refuse every stream, after its Hello: a status that crosses with a write may be lost in
    gRPC.
    """

    async def refuse() -> None:
        while True:
            stream = await gateway.streams.get()
            await stream.read()
            stream.end(code, detail)

    task = asyncio.create_task(refuse())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def attend(gateway: ScriptedGateway, backend_of: Callable[[str], Backend]) -> None:
    """Give each stream of a scripted gateway to the backend of its machine, until cancelled."""
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(_attend_one(await gateway.streams.get(), backend_of))


async def _attend_one(stream: ScriptedStream, backend_of: Callable[[str], Backend]) -> None:
    hello = await stream._context.read()
    if not isinstance(hello, service_pb.ConnectRequest):
        return
    backend = backend_of(hello.hello.machine_id)
    unwritten: asyncio.Queue[service_pb.ConnectResponse] = asyncio.Queue()
    backend.emit = unwritten.put_nowait

    async def write() -> None:
        while True:
            await stream._context.write(await unwritten.get())

    writer = asyncio.create_task(write())
    try:
        backend.frame(hello)
        while isinstance(frame := await stream._context.read(), service_pb.ConnectRequest):
            backend.frame(frame)
    finally:
        writer.cancel()
        if backend.emit == unwritten.put_nowait:
            backend.online = False
        stream.end()


class LoopbackMachine(Board):
    """A machine whose wire is a function call: the real model, journal and shelf, and a backend in
    the same process.
    """

    def __init__(self, folder: Path, *, seed: int = 1, **backend: Any) -> None:
        super().__init__(
            identity=Identity(machine_id="VM-0001"),
            folder=folder,
            rng=Random(seed),
            motor_ms=1,
            clock=asyncio.get_running_loop().time,
        )
        self.backend = Backend(emit=lambda _: None, **backend)
        self._generation = 0
        self._plugged = True
        self.power_on()

    def _connect(self) -> None:
        self._generation += 1
        generation = self._generation

        def deliver(response: service_pb.ConnectResponse) -> None:
            asyncio.get_running_loop().call_soon(
                lambda: self._take_in(response) if generation == self._generation else None
            )

        self.backend.emit = deliver
        if self.machine is not None and self._plugged:
            self.backend.frame(self.machine_hello())

    def machine_hello(self) -> service_pb.ConnectRequest:
        """Return the first frame of a stream."""
        assert self.machine is not None
        return self.machine.hello()

    def _transmit(self, frame: service_pb.ConnectRequest) -> None:
        generation = self._generation
        asyncio.get_running_loop().call_soon(
            lambda: self.backend.frame(frame) if generation == self._generation else None
        )

    def _reopen(self) -> None:
        self._connect()

    def _redial(self) -> None:
        self._connect()

    def _power_changed(self) -> None:
        self._generation += 1
        self.backend.online = False
        if self.machine is not None and self._plugged:
            asyncio.get_running_loop().call_soon(self._connect)

    def unplug(self) -> None:
        """Pull the network cable."""
        self._plugged = False
        self._generation += 1
        self.backend.online = False
        if self.machine is not None:
            self.machine.connection.lost()

    def plug(self) -> None:
        """Put it in again."""
        if not self._plugged:
            self._plugged = True
            self._connect()

    def stop(self) -> None:
        """Switch off."""
        self._end()
