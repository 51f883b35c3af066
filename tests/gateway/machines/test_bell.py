"""One who waits is woken each time, and only then."""

import asyncio

from gateway.machines.bell import Bell
from tests.support.patience import HANGS_AFTER_S


async def test_who_waits_is_woken_by_each_ring() -> None:
    """And not by one from before the wait."""
    bell, woken = Bell(), 0

    async def waiting() -> None:
        nonlocal woken
        while woken < 2:
            await bell.wait()
            woken += 1

    bell.ring()
    task = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    assert 0 == woken
    bell.ring()
    bell.ring()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 1 == woken
    bell.ring()
    async with asyncio.timeout(HANGS_AFTER_S):
        await task
    assert 2 == woken


async def test_a_wait_that_was_given_up_does_no_harm() -> None:
    """A ring after it wakes nobody, and the next wait is as the first."""
    bell = Bell()
    task = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    task.cancel()
    bell.ring()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    again = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    bell.ring()
    async with asyncio.timeout(HANGS_AFTER_S):
        await again
