"""The processes of the demo: they never wait for a reader, they are never left behind."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.demo import children as module
from gateway.demo.children import ChildFailed, Children, shorten
from tests.support.patience import HANGS_AFTER_S, until
from tests.support.processes import alive, descendants, gone

READY = """
import json, os, signal, subprocess, sys, time
print(json.dumps({"pid": os.getpid()}), flush=True)
"""
TALK = """
for stream in (sys.stdout, sys.stderr):
    stream.write("word " * 1_000_000)
    stream.flush()
"""
TALK_FOR_EVER = """
number = 0
while True:
    number += 1
    print("word", number, flush=True)
    number % 500 or time.sleep(0.01)
"""
SLEEP = "time.sleep(600)\n"


@asynccontextmanager
async def children(folder: Path) -> AsyncIterator[Children]:
    """Children that are Python programs; all are ended."""
    made = Children(folder, program=(sys.executable, "-c"))
    try:
        yield made
    finally:
        await made.stop()


async def test_megabytes_after_ready_hold_nobody_up(tmp_path: Path) -> None:
    """A child that says far more than a pipe holds, on both outputs, and that nobody listens to,
    comes to its end.
    """
    async with children(tmp_path) as started, asyncio.timeout(HANGS_AFTER_S):
        child = await started.start("talker", READY + TALK)

        assert 0 == await child.gone
        assert child.ready == {"pid": child.process.pid}
        assert 5_000_000 < child.out.stat().st_size
        assert 5_000_000 == child.log.stat().st_size


async def test_what_a_child_writes_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that never stops talking fills no disk: its files keep the newest words, and it goes
    on.
    """
    monkeypatch.setattr(module, "LOG_BYTES_MAX", 100_000)
    monkeypatch.setattr(module, "_MEASURE_EVERY_S", 0.01)
    async with children(tmp_path) as started:
        child = await started.start("talker", READY + TALK_FOR_EVER)

        def last() -> int:
            words = child.out.read_text().split()
            return int(words[-1]) if words and words[-1].isdigit() else 0

        await until(lambda: last() > 50_000, within_s=HANGS_AFTER_S)
        assert " bytes were here\n" in child.out.read_text()
        assert child.out.stat().st_size < 1_000_000


def test_the_newest_half_stays(tmp_path: Path) -> None:
    """Who appends to the file goes on appending behind it."""
    path = tmp_path / "log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"old!" * 25 + b"new." * 25)
        shorten(path, 200)
        assert 200 == path.stat().st_size
        shorten(path, 199)
        writer.write(b"and on")

    assert b"... 101 bytes were here\n" + (b"new." * 25)[1:] + b"and on" == path.read_bytes()


@pytest.mark.parametrize(
    "program",
    ["import sys; sys.exit('no such money')", "print('hello'); raise SystemExit('no such money')"],
)
async def test_a_child_that_does_not_become_ready(tmp_path: Path, program: str) -> None:
    """It is noticed when it ends, not after a time-out, and the end of its log is told."""
    async with children(tmp_path) as started, asyncio.timeout(HANGS_AFTER_S):
        with pytest.raises(
            ChildFailed, match=r"(?s)^poor ended before it was ready.*no such money"
        ):
            await started.start("poor", program)


async def test_a_child_that_never_says_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait has an end."""
    monkeypatch.setattr(module, "READY_TIMEOUT_S", 0.3)
    async with children(tmp_path) as started, asyncio.timeout(HANGS_AFTER_S):
        with pytest.raises(ChildFailed, match="silent was not ready within"):
            await started.start("silent", "import time; time.sleep(600)")


async def test_a_dead_child_is_noticed_at_once(tmp_path: Path) -> None:
    """Whoever it is."""
    async with children(tmp_path) as started:
        await started.start("first", READY + SLEEP)
        second = await started.start("second", READY + SLEEP)
        lost = asyncio.create_task(started.lost())
        second.tell(signal.SIGKILL)

        async with asyncio.timeout(HANGS_AFTER_S):
            assert second is await lost


FAMILY = """
signal.signal(signal.SIGTERM, lambda *_: None)
stay = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: None); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", stay])
while True:
    time.sleep(600)
"""


@pytest.mark.parametrize("hurry", [False, True])
async def test_who_does_not_go_is_made_to_go_with_all_that_is_his(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hurry: bool
) -> None:
    """A child that does not obey is killed after a bounded time, with what it has started."""
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 600 if hurry else 0.1)
    monkeypatch.setattr(module, "HURRY_TIMEOUT_S", 0.1)
    async with children(tmp_path) as started, asyncio.timeout(HANGS_AFTER_S):
        child = await started.start("stubborn", READY + FAMILY)
        await until(lambda: len(descendants(child.process.pid)) == 1, within_s=HANGS_AFTER_S)
        family = [child.process.pid, *descendants(child.process.pid)]
        if hurry:
            started.hurry()
        await started.stop()

        assert [] == await gone(family, HANGS_AFTER_S)
        assert -signal.SIGKILL == child.process.returncode


async def test_what_a_dead_child_left_behind_goes(tmp_path: Path) -> None:
    """Killed from outside, it could not end its own; the stop does."""
    async with children(tmp_path) as started:
        child = await started.start("stubborn", READY + FAMILY)
        await until(lambda: len(descendants(child.process.pid)) == 1, within_s=HANGS_AFTER_S)
        left = descendants(child.process.pid)
        child.tell(signal.SIGKILL)
        await child.gone
        assert all(alive(pid) for pid in left)
        await started.stop()

        assert [] == await gone(left, HANGS_AFTER_S)


async def test_the_lifeline_ends_with_the_stop(tmp_path: Path) -> None:
    """A child's standard input is open while we live, and nothing else is."""
    async with children(tmp_path) as started:
        first = await started.start("first", READY + "sys.stdin.read()\n" + "sys.exit(3)\n")
        second = await started.start(
            "second",
            READY + "import select\nsys.exit(4 if select.select([0], [], [], 0.1)[0] else 0)\n",
        )

        assert 0 == await second.gone
        assert not first.gone.done()
