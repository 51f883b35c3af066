"""The hosts as SQL knows them."""

from pathlib import Path

import pytest

from actors.leases import Claimant
from gateway.links.host_list import listed
from storage.database.engine import Database, StorageConfig
from storage.machines.holding import SqlLeases
from storage.machines.layout import Layout
from storage.machines.store import SqlMachineStore
from tests.support import upgraded


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    """One of four partitions that has a layout of two."""
    url = f"sqlite:///{tmp_path / 'v.db'}"
    upgraded.make(url, partition_count=4)
    opened = await Database.open(StorageConfig(url=url))
    await Layout(opened).agree(2, by="gw", now_ms=1)
    return opened


async def test_each_holder_is_listed_with_what_it_has(database: Database) -> None:
    """What it is to get and to give, as the layout has it; one that does not beat is silent."""
    store = SqlMachineStore(database, notify_base_url="https://x.example")
    claimant = Claimant(holder="h1", host="host-0", home="there", node="n/1")
    await store.claim(claimant, partitions=[0, 1], now_ms=1)
    found = await listed(database, look_s=0)
    assert (2, 1) == (found.host_count, found.version)
    (one,) = found.hosts
    assert ("host-0", 0, 2) == (one.holder.host, one.place, one.partitions)
    assert (1, 1, 1, 0) == (one.to_come, one.to_leave, one.epoch, one.machines)
    assert not one.beats
    await database.close()


async def test_nobody_is_looked_at_twice_for_nothing(database: Database) -> None:
    """Without holders it answers at once, however long it would look."""
    assert [] == (await listed(database, look_s=3_600)).hosts
    assert [] == await SqlLeases(database).holders()
    await database.close()
