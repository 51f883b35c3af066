"""Whether a program may have the machines of a database, before it makes any host."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.leases import Claimant, Holder
from gateway.links.turn import OwnedElsewhere, require_turn, sentence
from gateway.process.clock import SystemClock
from storage.books.audit_rows import Actor
from storage.database.engine import Database, StorageConfig
from storage.machines.holding import SqlLeases
from storage.machines.layout import LayoutDiffers
from storage.machines.store import SqlMachineStore
from tests.support import upgraded
from tests.support.patience import HANGS_AFTER_S

ANN = Actor(name="ann")
LEASE_MS = 300
LOOK_S = 0.01


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty installation."""
    url = f"sqlite:///{tmp_path}/v.db"
    upgraded.make(url, partition_count=4)
    database = await Database.open(StorageConfig(url=url))
    yield database
    await database.close()


async def claimed(database: Database, *, home: str, lease_ms: int = LEASE_MS) -> SqlLeases:
    """Let a host of this home hold everything."""
    store = SqlMachineStore(database, notify_base_url="https://x.example")
    claimant = Claimant(holder="h1", host="host-0", home=home, lease_ms=lease_ms)
    await store.claim(claimant, partitions=range(4), now_ms=1)
    return SqlLeases(database)


async def asked(
    database: Database,
    *,
    home: str | None = "here",
    host_count: int = 1,
    stop: asyncio.Event | None = None,
) -> None:
    """Ask for the turn."""
    async with asyncio.timeout(HANGS_AFTER_S):
        await require_turn(
            database,
            host_count=host_count,
            home=home,
            by="gw",
            clock=SystemClock(),
            stop=stop or asyncio.Event(),
            look_s=LOOK_S,
        )


async def test_an_empty_installation_is_anybodys(database: Database) -> None:
    """And has the layout of its first program from then on."""
    await asked(database, host_count=2)
    with pytest.raises(LayoutDiffers):
        await asked(database, host_count=1)


async def test_the_dead_of_the_own_home_are_not_waited_for(database: Database) -> None:
    """Whatever the host was called: the home proves that they are dead."""
    leases = await claimed(database, home="here")
    await asked(database)
    assert [] == await leases.holders()


async def test_a_takeover_is_left_for_the_hosts_that_it_is_for(database: Database) -> None:
    """They begin seconds later; whoever lost the machines would be back before them."""
    leases = await claimed(database, home="there")
    await leases.take_over("here", actor=ANN, reason="moved", lease_ms=60_000, now_ms=2)
    await asked(database)
    assert [("here", "")] == [(each.home, each.host) for each in await leases.holders()]


async def test_who_lives_elsewhere_is_not_disturbed(database: Database) -> None:
    """One beat is enough to know; the sentence says who and what to do."""
    leases = await claimed(database, home="there", lease_ms=60_000)

    async def beat() -> None:
        while True:
            await leases.beat("h1")
            await asyncio.sleep(LOOK_S)

    beating = asyncio.create_task(beat())
    with pytest.raises(
        OwnedElsewhere, match=r"host-0 of there holds .*'vendgate hosts takeover here'"
    ):
        await asked(database)
    beating.cancel()
    assert ["h1"] == [each.holder for each in await leases.holders()]


async def test_who_died_elsewhere_is_buried_after_the_lease(database: Database) -> None:
    """And not before."""
    leases = await claimed(database, home="there")
    began_s = asyncio.get_running_loop().time()
    await asked(database)
    assert LEASE_MS / 1_000 <= asyncio.get_running_loop().time() - began_s
    assert [] == await leases.holders()


async def test_hosts_of_a_cluster_wait_there(database: Database) -> None:
    """Only the layout is asked for here."""
    leases = await claimed(database, home="there")
    await asked(database, home=None)
    assert 1 == len(await leases.holders())


async def test_a_wait_ends_when_nobody_wants_it_any_more(database: Database) -> None:
    """A takeover is kept for a minute, and a signal ends a program within a moment."""
    await claimed(database, home="there", lease_ms=60_000)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(LOOK_S, stop.set)
    with pytest.raises(OwnedElsewhere):
        await asked(database, stop=stop)


def test_everybody_in_the_way_is_named() -> None:
    """In one sentence."""
    two = [Holder(holder=name, host=name, home="there") for name in ("a", "b")]
    assert "a of there holds machines since" in sentence(two, "here")
    assert "and b of there holds" in sentence(two, "here")
