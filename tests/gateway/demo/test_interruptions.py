"""Who ends the demo, and what is said about it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo import interruptions as module
from gateway.demo.children import ChildFailed, Children, NoAnswer
from gateway.demo.interruptions import Interruptions
from gateway.process.signals import end_signals
from tests.support.patience import HANGS_AFTER_S, until

CHILD = "import time; print('{}', flush=True); time.sleep(600)"


@pytest.fixture
async def children(tmp_path: Path) -> AsyncIterator[Children]:
    """One child that sleeps."""
    children = Children(tmp_path, program=(sys.executable, "-c"))
    await children.start("sleeper", CHILD)
    yield children
    await children.stop()


async def for_ever() -> None:
    """A story without an end."""
    await asyncio.Event().wait()


async def test_a_story_that_ends_is_told(children: Children) -> None:
    """Nobody interrupts: its own result, or its own failure."""

    async def well() -> int:
        return 7

    async def badly() -> int:
        raise ChildFailed("not ready")

    async def unanswered() -> int:
        raise NoAnswer("nobody answers")

    assert 7 == await Interruptions(children).play(well())
    with pytest.raises(ChildFailed, match="not ready"):
        await Interruptions(children).play(badly())
    with pytest.raises(NoAnswer, match="nobody answers"):
        await Interruptions(children).play(unanswered())


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_lost_child_ends_the_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubborn: bool
) -> None:
    """At once, with its name, even if the story does not let itself be ended."""
    monkeypatch.setattr(module, "CANCEL_TIMEOUT_S", 0.1)
    over = asyncio.Event()

    async def story() -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                if not stubborn:
                    raise

    children = Children(tmp_path, program=(sys.executable, "-c"))
    child = await children.start("sleeper", CHILD)
    playing = asyncio.create_task(Interruptions(children).play(story()))
    child.tell(signal.SIGKILL)
    async with asyncio.timeout(HANGS_AFTER_S):
        with pytest.raises(ChildFailed, match=r"sleeper was killed by signal 9, .*sleeper\.log"):
            await playing
    over.set()
    await children.stop()


async def test_no_answer_from_a_lost_child_is_its_end(tmp_path: Path) -> None:
    """Who asks a dead child hears nothing before the demo knows; what is said is the reason."""
    children = Children(tmp_path, program=(sys.executable, "-c"))
    child = await children.start("sleeper", CHILD)

    async def ask() -> None:
        child.tell(signal.SIGKILL)
        raise NoAnswer("connection refused")

    with pytest.raises(ChildFailed, match="sleeper was killed by signal 9"):
        await Interruptions(children).play(ask())
    await children.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
async def test_the_first_asks_and_the_second_ends(
    children: Children, number: signal.Signals
) -> None:
    """Once it has begun, the first signal is only noted; what listened before listens again
    afterwards.
    """
    before = [signal.getsignal(one) for one in end_signals()]
    interruptions = Interruptions(children)
    with interruptions.heard():
        interruptions.began = True
        playing = asyncio.create_task(interruptions.play(for_ever()))
        await asyncio.sleep(0)
        os.kill(os.getpid(), number)
        await until(lambda: interruptions.wanted)
        assert not playing.done()
        os.kill(os.getpid(), number)
        with pytest.raises(asyncio.CancelledError):
            await playing
    assert before == [signal.getsignal(one) for one in end_signals()]


async def test_before_it_has_begun_the_first_ends_it(children: Children) -> None:
    """There is nothing yet that could come to rest."""
    interruptions = Interruptions(children)
    with interruptions.heard():
        playing = asyncio.create_task(interruptions.play(for_ever()))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(asyncio.CancelledError):
            await playing


HANGS = """
import asyncio, sys, time
from pathlib import Path
from gateway.demo import interruptions
from gateway.demo.children import Children
interruptions.OVER_TIMEOUT_S = 0.1

async def hang():
    with interruptions.Interruptions(Children(Path(sys.argv[1]))).heard():
        print("hanging", flush=True)
        time.sleep(600)

asyncio.run(hang())
"""


async def test_a_loop_that_hangs_is_over_too(tmp_path: Path) -> None:
    """A screen that takes nothing holds the whole loop: the first signal is still the beginning of
    the end.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HANGS, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert b"hanging\n" == await process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(HANGS_AFTER_S):
        assert 128 + signal.SIGHUP == await process.wait()
