"""An examination in one process on virtual time: the reference machine with its real wits, flash
and shelf, on a wire of memory.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import grpc

from gateway.certify.desk import Desk, ExamTerms
from gateway.certify.examination import Examined, examine
from gateway.certify.hands import Hands
from gateway.certify.moments import MomentKind
from gateway.certify.reference import ReferenceHands
from gateway.certify.rules import chosen_rules
from gateway.simulator.line import Ended, Line
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig, MachineClient
from gateway.v1 import machine_service_pb2 as service_pb

MACHINE = "VM-0001"


class MemoryWire:
    """Two queues; None is the end."""

    connection = 0

    def __init__(self) -> None:
        self.up: asyncio.Queue[service_pb.ConnectRequest | None] = asyncio.Queue()
        self.down: asyncio.Queue[service_pb.ConnectResponse] = asyncio.Queue()

    async def read(self) -> service_pb.ConnectRequest | None:
        return await self.up.get()

    async def write(self, frame: service_pb.ConnectResponse) -> None:
        copy = service_pb.ConnectResponse()
        copy.CopyFrom(frame)
        self.down.put_nowait(copy)


class MemoryLine(Line):
    """A machine's end of a wire."""

    def __init__(self, desk: Desk) -> None:
        super().__init__("", None)
        self._desk = desk
        self._gone = asyncio.Event()

    def hang_up(self) -> None:
        super().hang_up()
        self._gone.set()

    async def run(self, received: Callable[[Line, service_pb.ConnectResponse], None]) -> Ended:
        wire = MemoryWire()
        self._desk.record(MomentKind.TAPPED)
        serving = asyncio.create_task(self._desk.serve(wire))
        tasks = [
            asyncio.create_task(self._up(wire)),
            asyncio.create_task(self._down(wire, received)),
            asyncio.create_task(self._gone.wait()),
            asyncio.create_task(self.pings()),
        ]
        try:
            await asyncio.wait([serving, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            wire.up.put_nowait(None)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        ending = await serving
        if ending is None:
            return Ended(code=grpc.StatusCode.CANCELLED, detail="hung up")
        return Ended(
            code=ending.code,
            detail=ending.detail,
            retry_after_ms=ending.retry_after_ms,
            reason=ending.reason,
        )

    async def pings(self) -> None:
        """Send HTTP/2 pings, of which a sound machine sends few."""
        await asyncio.Event().wait()

    async def _up(self, wire: MemoryWire) -> None:
        while True:
            while self._unwritten:
                frame = service_pb.ConnectRequest()
                frame.CopyFrom(self._unwritten.popleft())
                wire.up.put_nowait(frame)
            self._wake.clear()
            await self._wake.wait()

    async def _down(
        self, wire: MemoryWire, received: Callable[[Line, service_pb.ConnectResponse], None]
    ) -> None:
        while True:
            received(self, await wire.down.get())


class ExaminedMachine(MachineClient):
    """The reference machine; ``desk`` is what it dials."""

    desk: Desk

    def _new_line(self) -> Line:
        return MemoryLine(self.desk)


async def examined(
    folder: Path,
    *names: str,
    machine: type[ExaminedMachine] = ExaminedMachine,
    hands: Callable[[Hands], Hands] = lambda hands: hands,
    seed: int = 7,
    motor_ms: int = 2_000,
) -> Examined:
    """Examine a machine by these rules, by all without names. ``motor_ms``: how long a motor
    turns, and the examiner is told so.
    """
    loop = asyncio.get_running_loop()
    config = ClientConfig(
        gateway="", identity=Identity(machine_id=MACHINE), state_dir=folder, motor_ms=motor_ms
    )
    client = machine(config, rng=Random(seed), clock=loop.time)
    desk = Desk(
        terms=ExamTerms(mark="x", columns=("A1",), result_ms=motor_ms + 13_000),
        hands=hands(ReferenceHands(client, folder / MACHINE / "journal.log")),
        now_ms=lambda: round(loop.time() * 1_000),
    )
    client.desk = desk
    life = asyncio.create_task(client.run())
    try:
        return await examine(desk, chosen_rules(names))
    finally:
        client.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await life
