"""What a gateway knows of hosts: SQL, Ray and the hosts themselves put together."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from actors.leases import Claimant
from actors.link import Figure
from actors.placement import HostProcess
from gateway.links.cluster_hosts import ClusterHosts
from gateway.links.host_desk import HostCounts, HostDesk, HostState
from gateway.links.linked import LinkStats
from gateway.process.clock import SystemClock
from storage.database.engine import Database, StorageConfig
from storage.machines.layout import Layout
from storage.machines.store import SqlMachineStore
from tests.support import upgraded


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    """Four partitions, a layout of two, and a host that has place 0."""
    url = f"sqlite:///{tmp_path / 'v.db'}"
    upgraded.make(url, partition_count=4)
    opened = await Database.open(StorageConfig(url=url))
    await Layout(opened).agree(2, by="gw", now_ms=1)
    store = SqlMachineStore(opened, notify_base_url="https://x.example")
    claimant = Claimant(holder="h1", host="vendgate-host-0", home="there", node="n/1")
    await store.claim(claimant, partitions=[0, 2], now_ms=1)
    return opened


def desk(database: Database, *known: HostProcess, spares: bool = True) -> HostDesk:
    """A gateway of a cluster whose Ray told this just now; of none, if nothing."""

    async def nothing() -> Sequence[Sequence[Figure] | None]:
        return [None, None]

    clock, cluster = SystemClock(), None
    if known:
        cluster = ClusterHosts(
            told=lambda: known,
            stand_by=None,  # type: ignore[arg-type]  # nobody scales here
            end_above=None,  # type: ignore[arg-type]
            clock=clock,
            spares=spares,
        )
        cluster.known, cluster.told_at_ms = known, clock.now_ms()
    return HostDesk(database=database, told=nothing, clock=clock, cluster=cluster, look_s=0)


def link(host: int, *, attached: bool) -> LinkStats:
    """The link to one host."""
    nothing = dict.fromkeys(LinkStats.__dataclass_fields__, 0)
    return LinkStats(**{**nothing, "host": host, "attached": attached})  # type: ignore[arg-type]


def process(name: str, *, runs: bool = True) -> HostProcess:
    """What Ray tells of a host."""
    return HostProcess(host=name, runs=runs, node="n1" if runs else "", address="10.0.0.1")


async def test_outside_of_a_cluster_it_is_what_sql_has(database: Database) -> None:
    """A host whose beat stands still is silent."""
    rows = await desk(database).hosts()
    assert (2, None) == (rows.host_count, rows.ray_told_at_ms)
    assert [("vendgate-host-0", HostState.SILENT)] == [(one.host, one.state) for one in rows.hosts]
    await database.close()


async def test_hosts_that_hold_nothing_are_seen_too(database: Database) -> None:
    """A spare waits for its place's host; where nobody serves yet, a host is being started; one of
    a place that the layout does not have is too many.
    """
    names = ["vendgate-host-2", "vendgate-host-1", "vendgate-host-0-2", "vendgate-host-0"]
    late = process("vendgate-host-0-3", runs=False)
    rows = await desk(database, late, *map(process, names)).hosts()
    assert [
        ("vendgate-host-0", HostState.SILENT, False),
        ("vendgate-host-0-2", HostState.SPARE, False),
        ("vendgate-host-0-3", HostState.WAITING, False),
        ("vendgate-host-1", HostState.WAITING, False),
        ("vendgate-host-2", HostState.WAITING, True),
    ] == [(one.host, one.state, one.surplus) for one in rows.hosts]
    assert "n1" == (rows.hosts[0].process and rows.hosts[0].process.node)
    assert rows.ray_told_at_ms is not None
    await database.close()


async def test_what_lacks_is_counted(database: Database) -> None:
    """Hosts that this gateway is not attached to, hosts that wait, and places without a spare."""
    links = [link(0, attached=True), link(1, attached=False), link(2, attached=True)]
    assert HostCounts(hosts_wanted=2, hosts_serving=1) == await desk(database).counts(links)
    known = [process("vendgate-host-0"), process("vendgate-host-0-2")]
    waits = process("vendgate-host-1", runs=False)
    assert HostCounts(
        hosts_wanted=2, hosts_serving=1, hosts_waiting=1, places_without_spare=1
    ) == await desk(database, *known, waits).counts(links)
    without = await desk(database, *known, spares=False).counts(links)
    assert without is not None
    assert without.places_without_spare is None
    await database.close()


async def test_a_database_that_is_away_counts_nothing(database: Database) -> None:
    """The scrape shows what is known without it."""
    await database.close()
    assert await desk(database).counts([]) is None
