"""A host's hold on its partitions, on a virtual clock: waiting, taking over, beating, giving up.

Two hosts of different homes share one store here; in ``tests/simulation/test_two_homes.py`` they
share SQL, and freeze and die by chance.
"""

import asyncio
import random

import pytest
import structlog

from actors.host.host import Host
from actors.host.services import HostLimits, HostServices
from actors.leases import LEASE_MS, Ended, Holder
from actors.link import LinkBroken
from actors.ports import ClaimRefused, Ownership, StaleOwner, StoreError
from tests.support.memory_store import MemoryStore
from tests.support.stage import Stage

pytestmark = pytest.mark.virtual_time
LEASE_S = LEASE_MS / 1_000


@pytest.fixture
def stage(quiet_stage: Stage) -> Stage:
    """A host of the home "stage" that serves one machine."""
    return quiet_stage


class Another:
    """A host of another home, or of another name, on the same store."""

    def __init__(
        self,
        stage: Stage,
        *,
        home: str = "elsewhere",
        name: str = "host-0",
        place: int | None = None,
        ended: Ended | None = None,
    ) -> None:
        self.fatal: list[str] = []

        async def close() -> None:
            return

        services = HostServices(
            store=stage.store,
            leases=stage.store,
            performer=stage.provider,
            clock=stage.clock,
            policy=stage.policy,
            partition_count=stage.store.partition_count,
            close=close,
        )
        self.host = Host(
            name=name,
            services=services,
            partitions=stage.partitions,
            limits=HostLimits(),
            rng=random.Random(7),
            on_fatal=self.fatal.append,
            home=home,
            place=place,
            host_count=None if place is None else 1,
            ended=ended,
        )
        self.starting = asyncio.get_running_loop().create_task(self.host.start())

    async def stop(self) -> None:
        """End it, whether it started or not."""
        self.starting.cancel()
        await asyncio.gather(self.starting, return_exceptions=True)
        await self.host.stop()


def owner(store: MemoryStore) -> str:
    """The home that holds the partitions, by the store's word; empty if nobody does."""
    homes = {each.home for each in store.held.values()}
    assert len(homes) <= 1
    return "".join(homes)


def freeze(store: MemoryStore, *, for_s: float = 3_600) -> None:
    """Let who holds the partitions now beat no more, as if it had been killed."""
    beat, frozen = store.beat, set(store.held)

    async def unless_frozen(holder: str) -> int | None:
        if holder in frozen:
            await asyncio.sleep(for_s)
        return await beat(holder)

    store.beat = unless_frozen  # type: ignore[method-assign]


async def test_a_host_of_another_home_waits_for_as_long_as_the_beat_goes_on(stage: Stage) -> None:
    """An hour long nothing is taken from the one that serves, and no epoch moves."""
    epochs = dict(stage.store.epochs)
    another = Another(stage)
    await asyncio.sleep(3_600)

    assert not another.starting.done()
    assert epochs == stage.store.epochs
    assert [] == stage.fatal
    with pytest.raises(LinkBroken, match="host-0 of stage holds them"):
        await another.host.attach("gw")
    await another.stop()


async def test_it_says_once_why_it_waits(stage: Stage) -> None:
    """One line in the log, not one for each look."""
    with structlog.testing.capture_logs() as lines:
        another = Another(stage)
        await asyncio.sleep(60)
    assert 1 == len([line for line in lines if line["event"] == "the host waits"])
    await another.stop()


async def test_what_is_given_up_is_taken_at_the_next_look(stage: Stage) -> None:
    """An orderly stop lets the next one in within a second."""
    another = Another(stage)
    await asyncio.sleep(5)
    await stage.host.stop()
    await asyncio.sleep(1)

    assert another.starting.done()
    assert "elsewhere" == owner(stage.store)
    await another.stop()
    assert "" == owner(stage.store)


async def test_a_lease_that_has_run_out_is_taken(stage: Stage) -> None:
    """A holder that beats no more, as one that was killed, is superseded after its lease; it ends
    at its first beat when it was only frozen.
    """
    freeze(stage.store, for_s=60)
    another = Another(stage)
    began_s = asyncio.get_running_loop().time()
    await another.starting
    took_s = asyncio.get_running_loop().time() - began_s

    assert LEASE_S <= took_s <= LEASE_S + 3
    assert "elsewhere" == owner(stage.store)
    assert [] == stage.fatal
    await asyncio.sleep(60)
    assert 1 == len(stage.fatal)
    assert "holds nothing" in stage.fatal[0]
    assert "elsewhere" == owner(stage.store)
    await another.stop()


async def test_the_same_host_of_the_same_home_waits_for_nobody(stage: Stage) -> None:
    """Ray starts a killed host again, and it serves at once; whoever it was ends at its beat."""
    began_s = asyncio.get_running_loop().time()
    again = Another(stage, home="stage")
    await again.starting
    assert began_s == pytest.approx(asyncio.get_running_loop().time(), abs=0.1)
    await asyncio.sleep(LEASE_S)
    assert 1 == len(stage.fatal)
    await again.stop()


async def test_a_database_that_was_away_ends_no_lease(stage: Stage) -> None:
    """Neither could beat, so the one that waits knows nothing of the other."""
    another = Another(stage)
    for _ in range(3):
        await asyncio.sleep(5)
        stage.store.away = True
        await asyncio.sleep(120)
        stage.store.away = False
    await asyncio.sleep(60)

    assert "stage" == owner(stage.store)
    assert not another.starting.done()
    assert [] == stage.fatal
    await another.stop()


async def test_what_was_seen_before_an_outage_grants_nothing_after_it(stage: Stage) -> None:
    """A lease had run out, and the claim met a database that hung: the holder could not beat since,
    and does so as soon as it can.
    """
    beat, claim, back = stage.store.beat, stage.store.claim, asyncio.Event()

    async def late(holder: str) -> None:
        await back.wait()
        await asyncio.sleep(1)
        await beat(holder)

    async def hangs(*_: object, **__: object) -> Ownership:
        stage.store.claim = claim  # type: ignore[method-assign]
        await asyncio.sleep(60)
        back.set()
        raise StoreError("away")

    stage.store.beat = late  # type: ignore[method-assign]
    another = Another(stage)
    await asyncio.sleep(1)
    stage.store.claim = hangs  # type: ignore[method-assign]
    await asyncio.sleep(LEASE_S + 60)
    assert back.is_set()
    stage.store.beat = beat  # type: ignore[method-assign]
    await asyncio.sleep(60)

    assert "stage" == owner(stage.store)
    assert not another.starting.done()
    assert [] == stage.fatal
    await another.stop()


async def test_a_host_that_nobody_needs_knows_whether_it_could_save(stage: Stage) -> None:
    """By its beat, so that a disk which fills at night wakes somebody before the first customer."""
    assert 1 == stage.host.stats()["saves"]
    stage.store.away = True
    await asyncio.sleep(10)
    assert 0 == stage.host.stats()["saves"]
    stage.store.away = False
    await asyncio.sleep(10)
    assert 1 == stage.host.stats()["saves"]


async def test_a_host_that_shall_not_wait_says_who_is_in_the_way(stage: Stage) -> None:
    """Beside a gateway nothing could be served meanwhile."""
    another = Another(stage)
    another.starting.cancel()
    with pytest.raises(ClaimRefused, match="host-0 of stage"):
        await another.host.start(waits=False)
    assert "stage" == owner(stage.store)


async def test_who_is_superseded_while_it_loads_never_serves(stage: Stage) -> None:
    """Its beat ends it, before it has taken its first turn."""
    loading = asyncio.Event()

    async def slow(_: object) -> list[object]:
        await loading.wait()
        return []

    stage.store.load_active = slow  # type: ignore[method-assign,assignment]
    again = Another(stage, home="stage")
    await asyncio.sleep(1)
    stage.store.held.clear()
    stage.store.take_over(stage.partitions)
    await asyncio.sleep(LEASE_S)
    loading.set()
    with pytest.raises(StaleOwner):
        await again.starting
    assert 1 == len(again.fatal)
    await again.stop()


async def test_a_database_that_is_away_at_the_end_does_not_hold_up_a_stop(stage: Stage) -> None:
    """The next one waits for the lease instead."""
    stage.store.delay_s = 3_600
    began_s = asyncio.get_running_loop().time()
    await stage.host.stop()
    assert 10 > asyncio.get_running_loop().time() - began_s
    assert "stage" == owner(stage.store)


@pytest.mark.parametrize(
    ("home", "place", "at_once"), [("stage", 0, True), ("elsewhere", 0, False)]
)
async def test_a_spare_takes_over_once_the_process_has_ended(
    stage: Stage, home: str, place: int, at_once: bool
) -> None:
    """Without waiting for a look or a lease; of another home it hears nothing."""
    freeze(stage.store)
    ended = asyncio.Event()
    asked: list[str] = []

    async def until_ended(holder: Holder) -> None:
        asked.append(holder.host)
        await ended.wait()

    spare = Another(stage, home=home, name="host-0-2", place=place, ended=until_ended)
    await asyncio.sleep(1)
    assert not spare.starting.done()
    ended.set()
    await asyncio.sleep(0.1)

    assert at_once == spare.starting.done()
    assert (["host-0"] if at_once else []) == asked
    await spare.starting
    assert home == owner(stage.store)
    await spare.stop()


async def test_a_spare_that_hears_nothing_waits_for_the_lease(stage: Stage) -> None:
    """A watch that breaks is said once, and the beat counts."""
    freeze(stage.store)

    async def broken(_: Holder) -> None:
        raise RuntimeError("no Ray")

    with structlog.testing.capture_logs() as lines:
        began_s = asyncio.get_running_loop().time()
        spare = Another(stage, home="stage", name="host-0-2", place=0, ended=broken)
        await spare.starting
    took_s = asyncio.get_running_loop().time() - began_s
    assert LEASE_S <= took_s <= LEASE_S + 3
    assert 1 == len([line for line in lines if line["event"] == "a process cannot be watched"])
    await spare.stop()


async def test_a_spare_that_was_told_wrong_has_the_machines_alone(stage: Stage) -> None:
    """The one that lives is superseded, and ends at its next beat: nothing is written twice."""

    async def at_once(_: Holder) -> None:
        return

    epochs = dict(stage.store.epochs)
    spare = Another(stage, home="stage", name="host-0-2", place=0, ended=at_once)
    await spare.starting
    await asyncio.sleep(LEASE_S)

    assert 1 == len(stage.fatal)
    assert [] == spare.fatal
    assert all(stage.store.epochs[number][1] > epoch for number, (_, epoch) in epochs.items())
    await spare.stop()
