"""How far the journal can be followed, while several hosts write it at the same time."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from actors.machine.ids import MachineId
from actors.placement import partition_of
from actors.ports import StaleOwner, StoreError
from storage.database.engine import Database, StorageConfig
from storage.fleet.horizon import Horizon
from storage.fleet.queries import Queries
from tests.storage.owner import Owner, paid
from tests.storage.slow_commits import SlowCommit, on_postgres

MACHINES = ("VM-1", "VM-2", "VM-3")


@asynccontextmanager
async def hosts(url: str) -> AsyncIterator[tuple[list[Owner], list[SlowCommit], Database]]:
    """Three hosts, each the owner of one machine over connections of its own, and a gateway."""
    async with AsyncExitStack() as stack:

        async def opened(kind: type[Database]) -> Any:
            database = await kind.open(StorageConfig(url=url))
            stack.push_async_callback(database.close)
            return database

        databases = [await opened(SlowCommit) for _ in MACHINES]
        owners = [
            await Owner.of(database, machine_id, holder=f"h{number}", host=f"host-{number}")
            for number, (database, machine_id) in enumerate(zip(databases, MACHINES, strict=True))
        ]
        yield owners, databases, await opened(Database)


@pytest.fixture
def url(fresh_postgres: Callable[[], str]) -> str:
    """A PostgreSQL database with a partition for each machine."""
    assert len(MACHINES) == len({partition_of(MachineId(name), 8) for name in MACHINES})
    return fresh_postgres()


async def seen(queries: Queries, position: int) -> list[tuple[str, int]]:
    """What a follower is told behind the position, as machine and version."""
    upto = await queries.settled_position()
    return [
        (event.machine_id, event.version)
        for event in await queries.events_after(position, upto=upto, limit=100)
    ]


async def held_back(owner: Owner, database: SlowCommit) -> "asyncio.Task[Any]":
    """Let the host write a line that has its position, and not commit it."""
    database.held = True
    slow = asyncio.create_task(owner.do("VM-1", paid("slow")))
    await database.written.wait()
    return slow


@pytest.mark.slow_on_postgres
@on_postgres
async def test_a_slow_commit_between_quick_ones_is_not_missed(url: str) -> None:
    """What has a lower position and commits last is told first: nobody reads on over the hole, and
    no quick commit waits for the slow one.
    """
    async with hosts(url) as (owners, databases, gateway):
        queries = Queries(gateway)
        start = await queries.settled_position()
        before = (await owners[1].do("VM-2", paid("quick-1"))).decision.state.version
        slow = await held_back(owners[0], databases[0])
        await owners[1].do("VM-2", paid("quick-2", payer_id="payer-bob"))
        await owners[2].do("VM-3", paid("quick-3"))

        assert start + 4 == await queries.last_position()
        for _ in range(3):
            assert [] == await seen(queries, start + 1)
        told = await seen(queries, start)
        databases[0].go_on.set()
        await slow
        last = [
            ("VM-1", owners[0].states["VM-1"].version),
            ("VM-2", owners[1].states["VM-2"].version),
            ("VM-3", owners[2].states["VM-3"].version),
        ]
        assert [("VM-2", before), *last] == told + await seen(queries, start + len(told))


@pytest.mark.slow_on_postgres
@on_postgres
async def test_a_fresh_gateway_reads_on_over_no_hole(url: str) -> None:
    """A gateway that starts while a commit is slow knows of nothing before, and passes no hole."""
    async with hosts(url) as (owners, databases, gateway):
        start = await Queries(gateway).settled_position()
        slow = await held_back(owners[0], databases[0])
        await owners[1].do("VM-2", paid("quick"))
        fresh = Queries(gateway)
        for _ in range(3):
            assert [] == await seen(fresh, start)
        databases[0].go_on.set()
        await slow
        assert ["VM-1", "VM-2"] == [machine_id for machine_id, _ in await seen(fresh, start)]


@pytest.mark.slow_on_postgres
@on_postgres
async def test_steady_writing_holds_nobody_up(url: str) -> None:
    """Where at each look somebody is writing, though not the same transaction, a follower is told
    all up to the look before.
    """
    async with hosts(url) as (owners, databases, gateway):
        queries = Queries(gateway)
        start = await queries.settled_position()
        first = await held_back(owners[0], databases[0])
        assert [] == await seen(queries, start)
        databases[1].held = True
        second = asyncio.create_task(owners[1].do("VM-2", paid("second")))
        await databases[1].written.wait()
        databases[0].go_on.set()
        await first
        # The first look saw only what was there before the first one committed.
        assert [] == await seen(queries, start)
        databases[0].held = False
        await owners[2].do("VM-3", paid("third"))
        databases[1].go_on.set()
        await second
        assert ["VM-1", "VM-2", "VM-3"] == [name for name, _ in await seen(queries, start)]


@on_postgres
async def test_a_host_that_dies_in_the_middle_leaves_a_hole_that_is_passed(url: str) -> None:
    """Its transaction ends with its connection; nothing of it was saved, and what others saved is
    told.
    """
    async with hosts(url) as (owners, databases, gateway):
        queries = Queries(gateway)
        start = await queries.settled_position()
        slow = await held_back(owners[0], databases[0])
        await owners[1].do("VM-2", paid("quick"))
        assert [] == await seen(queries, start)

        def ended(connection: Connection) -> None:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'relation' "
                    "AND relation = 'journal'::regclass AND mode = 'RowExclusiveLock'"
                )
            )

        await gateway.write(ended)
        databases[0].go_on.set()
        with pytest.raises(StoreError):
            await slow
        version = owners[1].states["VM-2"].version
        assert [("VM-2", version)] == await seen(queries, start)


@pytest.mark.slow_on_postgres
@on_postgres
async def test_a_partition_that_moves_keeps_the_order_of_its_lines(url: str) -> None:
    """The new owner waits for the transaction that the old one is in, so its lines come behind,
    and the old owner writes no more.
    """
    async with hosts(url) as (owners, databases, gateway):
        queries = Queries(gateway)
        start = await queries.settled_position()
        slow = await held_back(owners[0], databases[0])
        moving = asyncio.create_task(
            Owner.claim(databases[1], "VM-1", holder="h9", host="vendgate-host-9")
        )
        await owners[2].do("VM-3", paid("quick"))
        assert [] == await seen(queries, start)
        databases[0].go_on.set()
        await slow
        moved = await moving
        moved.states["VM-1"] = owners[0].states["VM-1"]
        await moved.do("VM-1", paid("new", payer_id="payer-bob"))
        with pytest.raises(StaleOwner):
            await owners[0].do("VM-1", paid("stale", payer_id="payer-bob"))
        told = await seen(queries, start)
        assert {"VM-1", "VM-3"} == {machine_id for machine_id, _ in told}
        of_moved = [version for machine_id, version in told if machine_id == "VM-1"]
        assert [moved.states["VM-1"].version - 1, moved.states["VM-1"].version] == of_moved


async def test_on_sqlite_all_that_is_seen_can_be_followed(
    tmp_path: Path, upgraded_file: Path
) -> None:
    """One writer at a time gives positions out in the order of its commits."""
    path = tmp_path / "vendgate.db"
    shutil.copy(upgraded_file, path)
    database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
    horizon = Horizon(database)
    assert 0 == await horizon.position()
    await Owner.of(database, "VM-1")
    assert await Queries(database).last_position() == await horizon.position()
    await database.close()
