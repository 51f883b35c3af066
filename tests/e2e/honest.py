"""An honest machine, its customer and an operator, who notice what others do at the doors.

Flows in: a real system, with or without TLS. Flows out: how long each thing took that they did.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx

from gateway.demo import stage
from gateway.simulator.phone import Paid, Phone
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse
from gateway.v1.machine_service_pb2_grpc import MachineServiceStub
from tests.support.patience import HANGS_AFTER_S
from tests.support.system import System

HONEST, HOSTILE = stage.machine_names(2)
SECONDS = float(os.environ.get("VENDGATE_TEST_ABUSE_SECONDS", "60"))
"""How long each abuse lasts."""
SLOWER_MAX_S = 0.5
SHARE = 4_194_304
"""The day's journal of one machine in these tests: the least that may be set."""
ROUND_BYTES = 40_000
"""What one round of honest business may take on the disk."""
PACE_S = max(0.1, SECONDS / 1_000)
"""Between two customers: however long the abuse lasts, an honest machine's share holds them all."""


@dataclass
class Honest:
    """A machine that behaves, and its customer. ``took`` are the seconds that each thing took."""

    system: System
    call: Any
    phone: Phone
    seq: int = 0
    acked: int = 0
    qr_payload: str = ""
    session_id: str = ""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    buyers: int = 0

    async def read(self) -> None:
        """Take in what the backend says."""
        while isinstance(frame := await self.call.read(), ConnectResponse):
            self.acked = max(self.acked, frame.ack)
            match frame.WhichOneof("payload"):
                case "welcome":
                    self.qr_payload = frame.welcome.qr_payload
                case "begin_session":
                    self.session_id = frame.begin_session.session_id
                case "end_session":
                    self.session_id = ""
                case _:
                    pass
            self.heard.set()
        raise AssertionError("an honest machine lost its stream")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that is heard."""
        async with asyncio.timeout(HANGS_AFTER_S):
            while not condition():
                self.heard.clear()
                await self.heard.wait()

    async def say(self, **payload: Any) -> None:
        """Say a numbered frame and wait until it is saved."""
        self.seq += 1
        said = self.seq
        await self.call.write(ConnectRequest(seq=said, **payload))
        await self.until(lambda: self.acked >= said)

    async def frame(self) -> None:
        """A frame, from the machine to the books and back."""
        await self.say(reader_enable=wire.ReaderEnable())

    async def payment(self) -> None:
        """A payment, from the customer's phone by Alipay's notification to the machine's screen."""
        self.buyers += 1
        paid = await self.phone.pay(
            qr_payload=self.qr_payload,
            amount_minor=850,
            currency=stage.CURRENCY,
            buyer=f"buyer-{self.buyers}",
        )
        assert isinstance(paid, Paid), paid
        await self.until(lambda: bool(self.session_id))

    async def leave(self) -> None:
        """The customer goes, and gets the money back."""
        await self.say(session_complete=wire.SessionComplete(session_id=self.session_id))
        await self.until(lambda: not self.session_id)

    async def health(self) -> None:
        """An operator looks."""
        url = f"http://127.0.0.1:{self.system.ports.health}/readyz"
        async with httpx.AsyncClient(trust_env=False) as http:
            assert 200 == (await http.get(url, timeout=HANGS_AFTER_S)).status_code


def channel_of(system: System, machine_id: str) -> grpc.aio.Channel:
    """A machine's way to its gateway, with its certificate where one is wanted."""
    address = f"127.0.0.1:{system.ports.machines}"
    if system.identities is None:
        return grpc.aio.insecure_channel(address)
    folder = system.identities.folder
    credentials = grpc.ssl_channel_credentials(
        root_certificates=system.identities.ca.read_bytes(),
        private_key=(folder / f"{machine_id}_key.pem").read_bytes(),
        certificate_chain=(folder / f"{machine_id}.pem").read_bytes(),
    )
    return grpc.aio.secure_channel(address, credentials)


@asynccontextmanager
async def honest(system: System) -> AsyncIterator[Honest]:
    """Register the machines, connect the honest one, and see it through to the end."""
    async with system.administrator() as admin:
        await stage.register(admin, (HONEST, HOSTILE))
    async with (
        channel_of(system, HONEST) as channel,
        Phone(system.control_url) as phone,
    ):
        one = Honest(system=system, call=MachineServiceStub(channel).Connect(), phone=phone)
        hello = wire.Hello(machine_id=HONEST, boot_id="b1", planogram_version=1)
        await one.call.write(ConnectRequest(hello=hello))
        reading = asyncio.create_task(one.read())
        try:
            await one.until(lambda: bool(one.qr_payload))
            yield one
            assert not reading.done(), reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            one.call.cancel()


Took = dict[str, list[float]]
Most = Callable[[int], float]
"""How many bytes the disk may grow by, beside so many rounds of honest business."""


async def business(one: Honest, *, rounds: int = 0, while_: Callable[[], bool] = bool) -> Took:
    """Do what honest ones do, so often, or as long as it is said."""
    took: Took = {"frame": [], "payment": [], "health": []}
    done = 0
    while done < rounds or while_():
        done += 1
        for name, act in (("frame", one.frame), ("payment", one.payment), ("health", one.health)):
            took[name].append(await _timed(act))
        await one.leave()
        await asyncio.sleep(PACE_S)
    return took


async def _timed(act: Callable[[], Awaitable[None]]) -> float:
    start = time.monotonic()
    await act()
    return time.monotonic() - start


@asynccontextmanager
async def let_loose(module: str, *arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a module of tests.support that does its worst, while the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *map(str, arguments)), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


Beside = Callable[[float], AbstractAsyncContextManager[asyncio.subprocess.Process]]
"""Lets somebody loose for so many seconds, or until the block is left."""


async def served_beside(one: Honest, others: Iterable[Beside]) -> None:
    """Do some honest business with all of these beside it; then the books are clean."""
    async with AsyncExitStack() as stack:
        for beside in others:
            await stack.enter_async_context(beside(HANGS_AFTER_S))
        await business(one, rounds=5)
    await one.system.at_rest()


async def hardly_notices(one: Honest, folder: Path, name: str, beside: Beside, most: Most) -> None:
    """Do honest business quietly and then beside this one, and tell both. Nine of ten frames,
    payments and looks of an operator take at most SLOWER_MAX_S longer, and the disk grows by what
    ``most`` says of so many rounds.
    """
    quiet = await business(one, rounds=20)
    before = on_disk(folder)
    async with beside(SECONDS) as process:
        under = await business(one, while_=lambda: process.returncode is None)
        assert process.stdout is not None
        tried = json.loads(await process.stdout.read())
    grown = on_disk(folder) - before
    print(f"\n{name} for {SECONDS:g} s: {tried}, {grown / 1e6:.1f} MB more on the disk")
    for thing, seconds in under.items():
        print(f"  {thing}: {words(quiet[thing])} -> {words(seconds)}, {len(seconds)} times")
    slower = {thing: tenth(under[thing]) - tenth(quiet[thing]) for thing in under}
    assert {} == {thing: by for thing, by in slower.items() if by > SLOWER_MAX_S}
    assert grown < most(len(under["frame"]))


def on_disk(folder: Path) -> int:
    """The bytes of the database's files, and of the logs."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def tenth(seconds: list[float]) -> float:
    """What nine of ten stay below."""
    return statistics.quantiles(seconds, n=10)[-1]


def words(seconds: list[float]) -> str:
    median, most = statistics.median(seconds), tenth(seconds)
    return f"median {median * 1e3:.0f} ms, nine of ten below {most * 1e3:.0f} ms"
