"""Nobody takes the places of others."""

import asyncio

import pytest

from gateway.web.turnstile import BodyWaits, Full, Places, TooMany, Turnstile


def test_each_has_their_own_places() -> None:
    """Who has taken all of theirs gets no further one until one is free; others do."""
    turnstile = Turnstile(1)
    with turnstile.place("ann"):
        assert turnstile.is_full("ann")
        with pytest.raises(TooMany), turnstile.place("ann"):
            pass
        with turnstile.place("bea"):
            assert turnstile.is_full("bea")
    assert not turnstile.is_full("ann")


def test_a_place_is_free_again_after_an_error() -> None:
    """And nobody is remembered who has none."""
    turnstile = Turnstile(1)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"), turnstile.place("ann"):
            raise ValueError("x")
    assert not turnstile._taken


async def _turns() -> None:
    """Let everything go on as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_next_place_is_that_of_who_has_fewest() -> None:
    """A crowd waits for itself: of five that wait, the one whose name has no place comes first."""
    places = Places(3, of_one=3, within_s=60)
    taken = [await places.take("crowd") for _ in range(3)]
    waiting = {name: asyncio.create_task(places.take(name[:5])) for name in ("crowd1", "crowd2")}
    await _turns()
    waiting["quick"] = asyncio.create_task(places.take("quick"))
    await _turns()
    assert not any(task.done() for task in waiting.values())
    taken.pop().give_up()
    await _turns()
    assert ["quick"] == [name for name, task in waiting.items() if task.done()]
    (await waiting.pop("quick")).give_up()
    for place in taken:
        place.give_up()
    for task in (waiting["crowd1"], waiting["crowd2"]):
        (await task).give_up()
    assert not places._taken


async def test_nobody_waits_for_ever() -> None:
    """Who finds no place hears whether it is their own that are gone; nor do more wait of a name
    than it may have places.
    """
    places = Places(2, of_one=1, within_s=0)
    ann = await places.take("ann")
    with pytest.raises(TooMany):
        await places.take("ann")
    await places.take("bea")
    with pytest.raises(Full):
        await places.take("cid")
    ann.give_up()
    ann.give_up()
    assert ["bea"] == list(places._taken)
    patient = Places(1, of_one=1, within_s=60)
    first = await patient.take("ann")
    second = asyncio.create_task(patient.take("ann"))
    await _turns()
    with pytest.raises(TooMany):
        await patient.take("ann")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    first.give_up()
    assert not patient._taken
    assert not patient._waiting


async def test_a_place_that_came_too_late_goes_on() -> None:
    """Who gives up in the very moment in which they get it takes nothing along."""
    places = Places(1, of_one=1, within_s=60)
    first = await places.take("ann")
    second = asyncio.create_task(places.take("bea"))
    await _turns()
    first.give_up()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert not places._taken


async def test_outside_it_is_another_place() -> None:
    """Who waits for their caller holds nothing, and comes back when there is room."""
    places = Places(1, of_one=1, within_s=0)
    place = await places.take("ann")
    async with place.outside():
        other = await places.take("bea")
        other.give_up()
    assert ["ann"] == list(places._taken)
    with pytest.raises(Full):
        async with place.outside():
            await places.take("bea")
    place.give_up()
    assert ["bea"] == list(places._taken)


async def test_one_wait_too_many_ends_the_longest() -> None:
    """Which is told so; the others go on."""
    waits, ended = BodyWaits(2), asyncio.Event()

    async def wait() -> None:
        async with waits.within(60):
            await ended.wait()

    tasks = [asyncio.create_task(wait()) for _ in range(3)]
    while not tasks[0].done():
        await asyncio.sleep(0)
    assert isinstance(tasks[0].exception(), TimeoutError)
    ended.set()
    await asyncio.gather(*tasks[1:])
    assert not waits._under_way


async def test_a_wait_that_just_ended_gets_no_place() -> None:
    """A place comes free in the very turn of the loop in which the wait ends: it is not lost, and
    whoever gave it up hears nothing of it.
    """
    places = Places(1, of_one=1, within_s=60)
    first = await places.take("ann")
    second = asyncio.create_task(places.take("bea"))
    await _turns()
    second.cancel()
    first.give_up()
    await asyncio.gather(second, return_exceptions=True)
    assert second.cancelled()
    assert not places._taken
    assert not places._waiting


async def test_one_wait_too_many_while_the_longest_runs_out() -> None:
    """Its time is up in the same turn of the loop: there is nothing left to end."""
    waits = BodyWaits(1)

    async def wait() -> None:
        async with waits.within(60):
            await asyncio.Event().wait()

    slow = asyncio.create_task(wait())
    await _turns()
    (longest,) = waits._under_way
    longest.reschedule(0)
    while not longest.expired():
        await asyncio.sleep(0)
    assert not slow.done()
    async with waits.within(60):
        pass
    await asyncio.gather(slow, return_exceptions=True)
    assert isinstance(slow.exception(), TimeoutError)
    assert not waits._under_way
