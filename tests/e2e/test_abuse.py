"""Strangers at every door of a real gateway, and how much an honest machine and a payment notice of
it.

The short one is in the suite: it says that all is still served, and nothing about time. The long
ones (``make abuse``) measure, quiet first and then under the abuse, in the same run: nobody honest
waits half a second longer, and the disk holds what the allowances say.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest

from gateway.demo import stage
from gateway.simulator.phone import Paid, Phone
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse
from gateway.v1.machine_service_pb2_grpc import MachineServiceStub
from tests.support.patience import HANGS_AFTER_S
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3_600)]

HONEST, HOSTILE = stage.machine_names(2)
SECONDS = float(os.environ.get("VENDGATE_TEST_ABUSE_SECONDS", "60"))
"""How long each abuse lasts."""
SLOWER_MAX_S = 0.5
SHARE = 4_194_304
"""The day's journal of one machine in these tests: the least that may be set."""
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


@asynccontextmanager
async def honest(system: System) -> AsyncIterator[Honest]:
    """Register the machines, connect the honest one, and see it through to the end."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{system.ports.admin}") as admin:
        await stage.register(admin, (HONEST, HOSTILE))
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{system.ports.machines}") as channel,
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
async def strangers(
    kind: str, port: int, *, count: int, seconds: float
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Let them loose while the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.strangers", kind),
        *("--port", str(port), "--count", str(count), "--seconds", str(seconds)),
        *("--machine", HOSTILE),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def on_disk(folder: Path) -> int:
    """The bytes of the database's files, and of the logs."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def doors(system: System) -> dict[str, tuple[int, int, int]]:
    """Each kind of stranger: the port, how many in earnest, how many in short."""
    ports = system.ports
    return {
        "silent": (ports.http, 1_100, 300),
        "heads": (ports.http, 300, 100),
        "http2": (ports.machines, 3_000, 200),
        "hellos": (ports.machines, 10_000, 300),
        "hostile": (ports.machines, 1, 1),
    }


async def test_everybody_is_served_beside_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With strangers at each door at once a machine's frames are saved, payments reach its screen,
    the money goes back, and an operator gets an answer; then the books are clean.
    """
    monkeypatch.setenv("VENDGATE_LIMITS__JOURNAL_BYTES_PER_DAY", str(SHARE))
    async with System(tmp_path, ray=False, machines=0, seed=1) as system, honest(system) as one:
        kinds = doors(system)
        async with asyncio.TaskGroup() as tasks:
            over = asyncio.Event()

            async def beside(kind: str) -> None:
                port, _, count = kinds[kind]
                async with strangers(kind, port, count=count, seconds=HANGS_AFTER_S):
                    await over.wait()

            for kind in kinds:
                tasks.create_task(beside(kind))
            await business(one, rounds=5)
            over.set()
        await system.at_rest()


@pytest.mark.abuse
@pytest.mark.parametrize("kind", ["silent", "heads", "http2", "hellos", "hostile"])
async def test_honest_ones_hardly_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nine of ten frames, payments and looks of an operator take at most half a second longer than
    before, and the disk grows by what honest business and one machine's share are worth.
    """
    monkeypatch.setenv("VENDGATE_LIMITS__JOURNAL_BYTES_PER_DAY", str(SHARE))
    async with System(tmp_path, ray=False, machines=0, seed=1) as system, honest(system) as one:
        quiet = await business(one, rounds=20)
        before = on_disk(tmp_path)
        port, count, _ = doors(system)[kind]
        async with strangers(kind, port, count=count, seconds=SECONDS) as process:
            under = await business(one, while_=lambda: process.returncode is None)
            assert process.stdout is not None
            tried = json.loads(await process.stdout.read())
        grown = on_disk(tmp_path) - before
        print(f"\n{kind} for {SECONDS:g} s: {tried}, {grown / 1e6:.1f} MB more on the disk")
        for name, seconds in under.items():
            print(f"  {name}: {_words(quiet[name])} -> {_words(seconds)}, {len(seconds)} times")
        slower = {name: _tenth(under[name]) - _tenth(quiet[name]) for name in under}
        assert {} == {name: by for name, by in slower.items() if by > SLOWER_MAX_S}
        rounds = len(under["frame"])
        assert grown < 4 * SHARE + rounds * 40_000
        await system.at_rest()


def _tenth(seconds: list[float]) -> float:
    """What nine of ten stay below."""
    return statistics.quantiles(seconds, n=10)[-1]


def _words(seconds: list[float]) -> str:
    median, tenth = statistics.median(seconds), _tenth(seconds)
    return f"median {median * 1e3:.0f} ms, nine of ten below {tenth * 1e3:.0f} ms"
