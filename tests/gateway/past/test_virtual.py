"""Time that passes when there is nothing to do."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gateway.past.virtual import NothingToWaitFor, PastClock, PastLoop

T = TypeVar("T")
WEEK_S = 7 * 86_400


def lived(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop of its own."""
    with asyncio.Runner(loop_factory=PastLoop) as runner:
        return runner.run(work)


def _here() -> PastLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PastLoop)
    return loop


def test_weeks_go_by_at_once_and_the_clock_shows_them() -> None:
    """Nobody waits; who waits for what has passed goes on."""

    async def work() -> tuple[int, int]:
        clock = PastClock(_here(), 1_000)
        await asyncio.sleep(WEEK_S)
        first = clock.now_ms()
        await clock.until(first + 5_000)
        await clock.until(0)
        return first, clock.now_ms()

    assert (1_000 + WEEK_S * 1_000, 6_000 + WEEK_S * 1_000) == lived(work())


def test_what_is_given_to_a_thread_is_done_before_the_clock_moves() -> None:
    """A thread would be done at a moment that no clock shows."""

    def slowly() -> str:
        time.sleep(0.01)
        return "done"

    async def work() -> tuple[str, float]:
        timer = asyncio.create_task(asyncio.sleep(1))
        said = await asyncio.to_thread(slowly)
        now_s = _here().time()
        await timer
        return said, now_s

    assert ("done", 0.0) == lived(work())


def test_an_error_of_the_work_is_the_askers() -> None:
    """As a thread's is."""

    def fails() -> None:
        raise LookupError("not there")

    async def work() -> None:
        await asyncio.to_thread(fails)

    with pytest.raises(LookupError, match="not there"):
        lived(work())


def test_a_wait_that_nobody_ends_is_said() -> None:
    """Instead of a program that hangs."""

    async def work() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingToWaitFor):
        lived(work())
