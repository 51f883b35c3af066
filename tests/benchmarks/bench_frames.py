"""What one vend costs the gateway beside gRPC: streams, windows, translation, the way to a host.

Run by hand: ``python -m tests.benchmarks.bench_frames [--way direct|socket] [--vends 60]``. 300
machines sell as often as asked, over contexts that hand bytes from one future to another, and a
host that approves at once; through a socket that host is at the other end of one, in this process
too. Prints processor time for each vend, without the host's answers. ``--way echo`` is the floor:
the same frames, read and written back. On a busy computer compare medians of runs in turn.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import structlog

from actors import blocks, collector
from actors.direct import DirectClient, DirectServer
from actors.link import Delivery, Figure, FromMachine, HostLink, ToHost, ToMachine
from actors.machine.effects import ApproveVend, MachineCommand
from actors.machine.events import Connected, FrameReceived, VendRequested
from actors.machine.ids import MachineId, VendId
from gateway.links.links import HostLinks
from gateway.machines.outbox import Context
from gateway.machines.service import MachineService
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest
from tests.support.edge import FixedClock
from tests.support.scripted_link import a_welcome

MACHINES = 300
COMMIT_S = 0.003
"""For so long the host has a batch; meanwhile the next one gathers."""
_EVIDENCE = wire.Evidence(motor=wire.MOTOR_EVIDENCE_RAN, drop=wire.DROP_EVIDENCE_SEEN)


def vend_id(machine_id: str, number: int) -> VendId:
    """What a vend is called, which both ends of this know without being told."""
    return VendId(f"{machine_id}-v{number}-abcdef0123")


def frames_of(machine_id: str, vends: int) -> list[bytes]:
    """All that a machine says: Hello, and two frames for each vend."""
    hello = wire.Hello(machine_id=machine_id, boot_id="b1", firmware="bench", planogram_version=1)
    said = [ConnectRequest(hello=hello)]
    for number in range(vends):
        wish = wire.VendRequest(
            request_id=f"b1234-{number}", column="A1", price_minor=2, planogram_version=1
        )
        success = wire.VendSuccess(vend_id=vend_id(machine_id, number), evidence=_EVIDENCE)
        seq = 2 * number + 1
        said.append(ConnectRequest(seq=seq, ack=seq, vend_request=wish))
        said.append(ConnectRequest(seq=seq + 1, ack=seq + 1, vend_success=success))
    return [frame.SerializeToString() for frame in said]


class Machine:
    """A call's context, whose machine says its next frame when it has heard an answer."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._frames = iter(frames[1:])
        self._said: asyncio.Future[bytes] = self._loop.create_future()
        self._said.set_result(frames[0])
        self.welcome = self._loop.create_future()
        self.sold = self._loop.create_future()

    async def read(self) -> bytes:
        """The next frame, as gRPC gives it: through a future."""
        frame = await self._said
        self._said = self._loop.create_future()
        return frame

    async def write(self, _: bytes) -> None:
        """Hear an answer once the loop has come round, as with gRPC."""
        written = self._loop.create_future()
        self._loop.call_soon(written.set_result, None)
        await written
        if self.welcome.done():
            self.say()
        else:
            self.welcome.set_result(None)

    def say(self) -> None:
        """Say the next frame, if there is one."""
        frame = next(self._frames, None)
        if frame is not None:
            self._said.set_result(frame)
        elif not self.sold.done():
            self.sold.set_result(None)

    def auth_context(self) -> dict[str, list[bytes]]:
        """Nobody has a certificate."""
        return {}


class Approving:
    """A host that approves and acknowledges, and remembers nothing."""

    def __init__(self) -> None:
        self._number = 0
        self.answers_s = 0.0
        """What its own answers have cost."""

    async def attach(self, _gateway_id: str, _version: int = 0) -> str:
        """Open the link."""
        return "a"

    async def exchange(self, _attachment: str, messages: Sequence[ToHost]) -> Delivery:
        """Answer a batch."""
        await asyncio.sleep(COMMIT_S)
        began = time.process_time()
        answers = tuple(
            self._answer(each.machine_id, each.event)
            for each in messages
            if isinstance(each, FromMachine) and isinstance(each.event, Connected | FrameReceived)
        )
        self.answers_s += time.process_time() - began
        self._number += 1
        return Delivery(number=self._number, messages=answers)

    async def listen(self, _attachment: str) -> Delivery:
        """Say nothing that nobody asked for."""
        await asyncio.Event().wait()
        raise AssertionError

    async def figures(self) -> list[Figure]:
        """Tell none."""
        return []

    def _answer(self, machine_id: MachineId, event: Connected | FrameReceived) -> ToMachine:
        ack = 0
        commands: tuple[MachineCommand, ...] = ()
        if isinstance(event, Connected):
            commands = (a_welcome(),)
        else:
            ack = event.seq
            if isinstance(event.fact, VendRequested):
                approval = ApproveVend(
                    vend_id=vend_id(machine_id, (ack - 1) // 2),
                    request_id=event.fact.request_id,
                    column=event.fact.column,
                    amount_minor=2,
                    valid_for_ms=30_000,
                )
                commands = (approval,)
        return ToMachine(
            machine_id=machine_id, stream_id=event.stream_id, ack=ack, commands=commands
        )


class ThroughSocket:
    """The same host behind a socket, with the blocks that cross it."""

    def __init__(self, client: DirectClient) -> None:
        self._client = client

    async def attach(self, gateway_id: str) -> str:
        """See HostLink."""
        return str(await self._client.call("attach", gateway_id, blocks.VERSION, anew=True))

    async def exchange(self, attachment: str, messages: Sequence[ToHost]) -> Delivery:
        """See HostLink."""
        block = await self._client.call("exchange", attachment, blocks.pack_batch(messages))
        return blocks.unpack_delivery(cast("bytes", block))

    async def listen(self, attachment: str) -> Delivery:
        """See HostLink."""
        return blocks.unpack_delivery(cast("bytes", await self._client.call("listen", attachment)))

    async def figures(self) -> list[Figure]:
        """See HostLink."""
        return []


async def behind_a_socket(host: Approving, folder: Path) -> HostLink:
    """Serve a host at a socket of this folder, and return the way to it."""

    async def exchange(attachment: str, block: bytes) -> bytes:
        return blocks.pack_delivery(await host.exchange(attachment, blocks.unpack_batch(block)))

    async def listen(attachment: str) -> bytes:
        return blocks.pack_delivery(await host.listen(attachment))

    path = folder / "host"
    await DirectServer.open(path, {"attach": host.attach, "exchange": exchange, "listen": listen})
    return ThroughSocket(DirectClient(path))


async def echo(_: object, machine: Any) -> None:
    """The least that can be done with a frame."""
    while True:
        await machine.write(await machine.read())


async def measure(way: str, vends: int, folder: Path) -> float:
    """Return the processor time of a vend, in microseconds."""
    host = Approving()
    link: HostLink = await behind_a_socket(host, folder) if way == "socket" else host
    links = HostLinks([link], gateway_id="g1", partition_count=16)
    limits = EdgeLimits(
        frames_per_s=1_000_000, frames_burst=1_000_000, journal_bytes_per_day=10**12
    )
    service = MachineService(links, gateway_id="g1", clock=FixedClock(), limits=limits)
    await links.start()
    await service.start()
    machines = [Machine(frames_of(f"B-{number:06}", vends)) for number in range(MACHINES)]
    handler = echo if way == "echo" else service.connect
    calls = [asyncio.create_task(handler(None, cast("Context", one))) for one in machines]
    await asyncio.gather(*(one.welcome for one in machines))
    with collector.seldom():
        host.answers_s, began = 0.0, time.process_time()
        for one in machines:
            one.say()
        await asyncio.gather(*(one.sold for one in machines))
        spent = time.process_time() - began - host.answers_s
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await service.stop()
    await links.stop()
    return spent / MACHINES / vends * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--way", choices=("echo", "direct", "socket"), default="direct")
    parser.add_argument("--vends", type=int, default=60)
    arguments = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(50),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with tempfile.TemporaryDirectory() as folder:
        spent = asyncio.run(measure(arguments.way, arguments.vends, Path(folder)))
    print(f"{arguments.way:7} {spent:6.1f} us of processor a vend")


if __name__ == "__main__":
    main()
