"""Who waits for a code is told when Alipay has answered, with one look for all."""

import asyncio
from collections.abc import Collection, Sequence

import pytest

from actors.ports import StoreError
from gateway.fleet.codes import AT_ONCE_MAX, LOOK_EVERY_S, CodeWatch

pytestmark = pytest.mark.virtual_time


class Looks:
    """What is known, and what was asked."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.asked: list[list[str]] = []
        self.away = False

    async def __call__(self, machine_ids: Sequence[str]) -> Collection[str]:
        """Return what is known of them."""
        self.asked.append(list(machine_ids))
        if self.away:
            raise StoreError("away")
        return self.known.intersection(machine_ids)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def test_all_who_wait_cost_one_look() -> None:
    """And the looking ends with the last of them."""
    looks = Looks()
    watch = CodeWatch(looks)
    names = [f"VM-{number}" for number in range(10)]
    waiting = [asyncio.create_task(watch.wait(name, 8)) for name in (*names, "VM-1")]
    await asyncio.sleep(1.01)
    looks.known.update(names)
    await asyncio.gather(*waiting)
    assert 1 + LOOK_EVERY_S >= _now_s() - 0.02
    assert sorted(names) == looks.asked[0]
    count = len(looks.asked)
    assert count <= 1.02 / LOOK_EVERY_S + 2
    await asyncio.sleep(10)
    assert count == len(looks.asked)


async def test_a_caller_waits_no_longer_than_they_want() -> None:
    """The others go on, and so does who asks for the same machine again."""
    looks = Looks()
    watch = CodeWatch(looks)
    patient = asyncio.create_task(watch.wait("VM-2", 8))
    began_s = _now_s()
    await watch.wait("VM-1", 0.5)
    assert 0.5 == pytest.approx(_now_s() - began_s)
    await watch.wait("VM-1", -1)
    looks.known.add("VM-2")
    await patient
    assert _now_s() - began_s < 1


async def test_a_database_that_is_away_is_told() -> None:
    """To all who wait; who comes later asks anew."""
    looks = Looks()
    looks.away = True
    watch = CodeWatch(looks)
    found = await asyncio.gather(
        *(watch.wait(name, 8) for name in ("VM-1", "VM-2")), return_exceptions=True
    )
    assert ["away", "away"] == [str(error) for error in found]
    looks.away = False
    looks.known.add("VM-1")
    await watch.wait("VM-1", 8)


async def test_more_than_fit_in_one_look_take_turns() -> None:
    """Nobody is forgotten."""
    looks = Looks()
    watch = CodeWatch(looks)
    names = [f"VM-{number:04}" for number in range(AT_ONCE_MAX + 5)]
    waiting = [asyncio.create_task(watch.wait(name, 8)) for name in names]
    await asyncio.sleep(0.1)
    looks.known.update(names)
    await asyncio.gather(*waiting)
    assert AT_ONCE_MAX == max(map(len, looks.asked))
    assert _now_s() < 2


async def test_a_caller_who_goes_is_asked_for_no_longer() -> None:
    """Their call was cancelled."""
    looks = Looks()
    watch = CodeWatch(looks)
    gone = asyncio.create_task(watch.wait("VM-1", 8))
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.sleep(1)
    assert looks.asked.count(["VM-1"]) <= 2
