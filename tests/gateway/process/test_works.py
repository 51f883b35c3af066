"""What a process does by itself goes on, whatever ends it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import structlog

from gateway.process.works import WENT_WELL_S, Works
from tests.support.patience import HANGS_AFTER_S, until

AT_ONCE = (0.0, 0.0)


async def raises() -> None:
    """Fail in a way that nobody thought of."""
    raise KeyError("nobody thought of this")


async def returns() -> None:
    """Return, though there is always more to do."""


async def waits_for_what_is_cancelled() -> None:
    """Be ended by what it waited for."""
    waited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waited.cancel()
    await waited


@pytest.mark.parametrize("end", [raises, returns, waits_for_what_is_cancelled])
async def test_a_work_that_ends_by_itself_is_said_counted_and_begun_again(
    end: Callable[[], Awaitable[None]],
) -> None:
    """By an exception, by its end, or because something that it waited for was cancelled."""
    works, begun = Works(again_after_s=AT_ONCE), 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            await end()
        else:
            await asyncio.Event().wait()

    with structlog.testing.capture_logs() as logs:
        task = works.begin("counting", work)
        assert {"counting": 0} == works.counts
        await until(lambda: begun == 3)
    assert {"counting": 2} == works.counts
    assert ["counting", "counting"] == [line["work"] for line in logs if "ended" in line["event"]]
    task.cancel()
    async with asyncio.timeout(HANGS_AFTER_S):
        await asyncio.wait([task])
    assert task.cancelled()
    assert {"counting": 2} == works.counts


async def test_who_cancels_a_work_ends_it_in_the_middle_of_its_rest_too() -> None:
    """And it is not named any more among those that rest."""
    works = Works(again_after_s=(3_600.0, 3_600.0))
    task = works.begin("resting", raises)
    await until(lambda: bool(works.sentences()))
    assert "'resting' has ended by itself" in works.sentences()[0]
    task.cancel()
    await asyncio.wait([task])
    assert () == works.sentences()


async def test_a_work_that_may_end_ends_when_it_returns_and_not_when_it_fails() -> None:
    """It is begun again until it is done."""
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            await raises()

    async with asyncio.timeout(HANGS_AFTER_S):
        await Works(again_after_s=AT_ONCE).begin("once", work, ends=True)
    assert 2 == begun


async def test_it_rests_longer_each_time_unless_it_went_well() -> None:
    """Who fails at once fails a thousand times a second otherwise; and who failed a day ago is
    begun again soon.
    """
    now = 0.0
    lasts = iter((0.0, 0.0, 0.0, WENT_WELL_S, 0.0))

    async def work() -> None:
        nonlocal now
        last = next(lasts, None)
        if last is None:
            await asyncio.Event().wait()
        now += last or 0.0
        raise OSError("again")

    with structlog.testing.capture_logs() as logs:
        works = Works(again_after_s=(0.001, 0.003), monotonic=lambda: now)
        task = works.begin("failing", work)
        await until(lambda: len(logs) == 5)
    task.cancel()
    await asyncio.wait([task])
    assert [0.001, 0.002, 0.003, 0.001, 0.002] == [line["after_s"] for line in logs]
