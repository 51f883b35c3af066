"""Looking at a machine."""

import asyncio

import pytest

from gateway.simulator.happenings import Greeted, PowerLost
from gateway.simulator.watch import UNREAD_MAX, Watch

pytestmark = pytest.mark.virtual_time


async def test_an_onlooker_sees_what_it_waits_for() -> None:
    """Happenings before the wanted one are passed over."""
    watch = Watch(lambda _: None)
    waiting = asyncio.create_task(watch.until(PowerLost, within_s=5))
    await asyncio.sleep(0)
    watch.see(Greeted(boot_id="b1"))
    watch.see(PowerLost())

    assert PowerLost() == await waiting


async def test_nothing_comes_in_time() -> None:
    """After the time the answer is None; what came meanwhile is forgotten."""
    watch = Watch(lambda _: None)
    watch.see(Greeted(boot_id="b1"))

    assert await watch.until(PowerLost, within_s=0.01) is None


async def test_any_happening_will_do() -> None:
    """No kind named: the next one, whatever it is; also with no time left."""
    watch = Watch(lambda _: None)
    watch.see(PowerLost())

    assert PowerLost() == await watch.until(within_s=0)


async def test_the_queue_is_bounded() -> None:
    """Who never looks forgets the oldest."""
    looked_away: list[Watch] = []
    with Watch(looked_away.append) as watch:
        for number in range(UNREAD_MAX + 1):
            watch.see(Greeted(boot_id=f"b{number}"))

        assert Greeted(boot_id="b1") == await watch.until(within_s=0)
    assert [watch] == looked_away
