"""Strangers at every door of a real gateway, and how much an honest machine and a payment notice of
it.

The short one is in the suite: it says that all is still served, and nothing about time. The long
ones (``make abuse``) measure, quiet first and then under the abuse, in the same run: nobody honest
waits half a second longer, and the disk holds what the allowances say.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.honest import (
    HOSTILE,
    SECONDS,
    SHARE,
    SLOWER_MAX_S,
    business,
    honest,
    on_disk,
    tenth,
    words,
)
from tests.support.patience import HANGS_AFTER_S
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3_600)]


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
            print(f"  {name}: {words(quiet[name])} -> {words(seconds)}, {len(seconds)} times")
        slower = {name: tenth(under[name]) - tenth(quiet[name]) for name in under}
        assert {} == {name: by for name, by in slower.items() if by > SLOWER_MAX_S}
        rounds = len(under["frame"])
        assert grown < 4 * SHARE + rounds * 40_000
        await system.at_rest()
