"""A process of the world that is killed leaves nothing of what it was asked."""

import asyncio
import inspect

import pytest

from tests.simulation.processes import Died, Process, task_factory


async def test_work_of_one_killed_before_its_turn_is_closed() -> None:
    """It never begins, and Python has no forgotten coroutine to warn of."""
    asyncio.get_running_loop().set_task_factory(task_factory)  # type: ignore[arg-type]
    process = Process("gateway", lambda _: None)
    work = process.cross()
    asking = asyncio.create_task(process.ask(work))
    # Before the next turn of the loop, in which the work would begin.
    asyncio.get_running_loop().call_soon(process.kill)
    with pytest.raises(Died):
        await asking
    await process.buried()
    assert 0 == process.crossings
    assert inspect.CORO_CLOSED == inspect.getcoroutinestate(work)
