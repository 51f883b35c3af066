"""What is asked for together is done together, and each caller hears of their own."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.exc import IntegrityError

from actors.ports import StoreError
from storage.database.gathering import Gathered

pytestmark = pytest.mark.virtual_time


class Doing:
    """Doubles numbers, a second for each transaction; keeps what each one was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.raising: dict[int, Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        """Return the doubles; a number below zero is refused, one of ``raising`` breaks it all."""
        self.asked.append(list(items))
        await asyncio.sleep(1)
        await self.gate.wait()
        for item in items:
            if item in self.raising:
                raise self.raising[item]
        return [ValueError(f"{item} is below zero") if item < 0 else 2 * item for item in items]


async def test_what_comes_meanwhile_goes_into_the_next_one() -> None:
    """The first one waits for nobody; no transaction is larger than it may be."""
    doing = Doing()
    gathered = Gathered[int, int](doing, most=3)
    assert [2 * number for number in range(6)] == list(
        await asyncio.gather(*(gathered.do(number) for number in range(6)))
    )
    assert [[0, 1, 2], [3, 4, 5]] == doing.asked
    assert 14 == await gathered.do(7)


async def test_a_refusal_is_one_callers_own() -> None:
    """The others have what they asked for."""
    gathered = Gathered[int, int](Doing(), most=3)
    found = await asyncio.gather(*map(gathered.do, (1, -1, 2)), return_exceptions=True)
    assert [2, "-1 is below zero", 4] == [
        str(one) if isinstance(one, ValueError) else one for one in found
    ]


@pytest.mark.parametrize("over_a_key", [True, False])
async def test_what_one_item_breaks_is_done_again_with_each_alone(*, over_a_key: bool) -> None:
    """A constraint, or a defect: only the one whose it is hears of it."""
    doing = Doing()
    error: Exception = TypeError("a defect")
    if over_a_key:
        error = StoreError("a key was hit")
        error.__cause__ = IntegrityError("INSERT", {}, Exception("unique"))
    doing.raising[2] = error
    gathered = Gathered[int, int](doing, most=3)
    found = await asyncio.gather(*map(gathered.do, (1, 2, 3)), return_exceptions=True)
    assert [2, error, 6] == found
    assert [[1, 2, 3], [1], [2], [3]] == doing.asked


async def test_a_database_that_is_away_is_everybodys_error() -> None:
    """It is not asked once more for each of them."""
    doing = Doing()
    doing.raising[2] = StoreError("away")
    gathered = Gathered[int, int](doing, most=3)
    found = await asyncio.gather(*map(gathered.do, (1, 2, 3)), return_exceptions=True)
    assert [doing.raising[2]] * 3 == found
    assert 1 == len(doing.asked)


async def test_a_caller_who_goes_stops_nobody() -> None:
    """What was begun runs to its end; what was not is not begun."""
    doing = Doing()
    gathered = Gathered[int, int](doing, most=1)
    callers = [asyncio.create_task(gathered.do(number)) for number in (1, 2, 3)]
    await asyncio.sleep(0.5)
    callers[0].cancel()
    callers[1].cancel()
    assert 6 == await callers[2]
    assert [[1], [3]] == doing.asked


async def test_too_many_are_told_to_come_later() -> None:
    """A bound on those who wait."""
    doing = Doing()
    gathered = Gathered[int, int](doing, most=1, waiting_max=2)
    callers = [asyncio.create_task(gathered.do(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="2 others wait already"):
        await gathered.do(3)
    assert [2, 4] == await asyncio.gather(*callers)


async def test_who_waits_when_it_is_ended_waits_no_longer() -> None:
    """Its task is cancelled with the program's other tasks."""
    doing = Doing()
    doing.gate.clear()
    gathered = Gathered[int, int](doing, most=1)
    others = asyncio.all_tasks()
    callers = [asyncio.create_task(gathered.do(number)) for number in (1, 2)]
    await asyncio.sleep(2)
    (doer,) = asyncio.all_tasks() - others - set(callers)
    doer.cancel()
    await asyncio.wait(callers)
    assert [True, True] == [caller.cancelled() for caller in callers]
