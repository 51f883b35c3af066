"""One person's share of the administrators' door."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.fleet.errors import CallRefused
from gateway.trust import shares
from gateway.trust.shares import (
    BYTES_PER_LOOK,
    CALLS_AT_ONCE,
    CALLS_WAITING_MAX,
    CHANGE_COSTS,
    LOOKS_BURST,
    LOOKS_PER_S,
    PersonShares,
)


@dataclass
class Door:
    """A door with a clock that only its pauses move, and who was slowed at it."""

    now: float = 0.0
    slowed: list[str] = field(default_factory=list)
    shares: PersonShares = field(init=False)

    def __post_init__(self) -> None:
        self.shares = PersonShares(
            monotonic=lambda: self.now, slowed=self.slowed.append, pause=self._pass
        )

    async def _pass(self, seconds: float) -> None:
        self.now += seconds

    async def called(
        self, person: str, *, changes: bool = False, size: int = 0, times: int = 1
    ) -> None:
        """Make so many calls, one after the other."""
        for _ in range(times):
            async with self.shares.turn(person, changes=changes, stays=False, size=size):
                pass


async def _stays_in(door: Door, person: str, over: asyncio.Event, *, stays: bool = False) -> None:
    async with door.shares.turn(person, changes=False, stays=stays):
        await over.wait()


async def test_whoever_calls_much_is_slowed_and_named_and_nobody_else() -> None:
    """A burst is nobody's concern; beyond it so many a second are answered, and none is refused."""
    door = Door()
    await door.called("ann", times=LOOKS_BURST)
    assert (0.0, []) == (door.now, door.slowed)
    await door.called("ann", times=2 * LOOKS_PER_S)
    assert 2.0 == pytest.approx(door.now)
    assert {"ann"} == set(door.slowed)
    before = door.now
    await door.called("bob", times=LOOKS_BURST)
    assert before == door.now


async def test_a_change_costs_more_than_a_look() -> None:
    """What is written stays."""
    door = Door()
    await door.called("ann", changes=True, times=LOOKS_BURST // CHANGE_COSTS)
    assert 0.0 == door.now
    await door.called("ann", changes=True, times=LOOKS_PER_S // CHANGE_COSTS)
    assert 1.0 == pytest.approx(door.now)


async def test_a_large_request_costs_what_it_brings() -> None:
    """Whoever sends files for ever fills a disk slowly."""
    door = Door()
    size = (LOOKS_PER_S - 1) * BYTES_PER_LOOK
    await door.called("ann", size=size, times=LOOKS_BURST // LOOKS_PER_S)
    assert 0.0 == door.now
    await door.called("ann", size=size)
    assert 1.0 == pytest.approx(door.now)


async def test_a_person_is_answered_a_few_calls_at_once() -> None:
    """The next one when one of them is over; others have places of their own, and what stays takes
    none.
    """
    door, over, watched = Door(), asyncio.Event(), asyncio.Event()
    watches = [
        asyncio.create_task(_stays_in(door, "ann", watched, stays=True))
        for _ in range(CALLS_AT_ONCE)
    ]
    several = [asyncio.create_task(_stays_in(door, "ann", over)) for _ in range(CALLS_AT_ONCE)]
    late = asyncio.create_task(door.called("ann"))
    await door.called("bob")
    assert not late.done()
    over.set()
    await asyncio.gather(late, *several)
    watched.set()
    await asyncio.gather(*watches)


async def test_whoever_has_too_many_waiting_is_refused_and_named() -> None:
    """And who gave up waiting leaves their place to the next."""
    door, over = Door(), asyncio.Event()
    several = [
        asyncio.create_task(_stays_in(door, "ann", over))
        for _ in range(CALLS_AT_ONCE + CALLS_WAITING_MAX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(CallRefused) as refused:
        await door.called("ann")
    assert "TOO_MANY_CALLS" == refused.value.refusal.reason
    assert ["ann"] == door.slowed
    several[-1].cancel()
    await asyncio.gather(several[-1], return_exceptions=True)
    late = asyncio.create_task(door.called("ann"))
    over.set()
    await asyncio.gather(late, *several[:-1])


async def test_a_few_people_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not called for longest is forgotten, but nobody whose calls are open."""
    monkeypatch.setattr(shares, "PEOPLE_REMEMBERED_MAX", 2)
    door, over = Door(), asyncio.Event()
    open_ = asyncio.create_task(_stays_in(door, "ann", over))
    await asyncio.sleep(0)
    for person in ("bob", "eve", "joe"):
        await door.called(person)
    assert ["ann", "joe"] == list(door.shares._of)
    over.set()
    await open_
