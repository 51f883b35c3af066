"""PostgreSQL: readers see one state each and cannot write, and every wait has an end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.util import await_

from actors.ports import StoreError
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.fleet.queries import Queries
from tests.storage.conftest import ON_POSTGRES
from tests.storage.owner import Owner
from tests.support import pooler

pytestmark = ON_POSTGRES
SETTINGS = (
    "transaction_isolation",
    "transaction_read_only",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
)


@pytest.fixture
def url(fresh_postgres: Callable[[], str]) -> str:
    """An upgraded database on the server; these tests are PostgreSQL's alone."""
    return fresh_postgres()


def settings(connection: Connection) -> list[object]:
    """What the server says of this transaction."""
    return [connection.scalar(text(f"SHOW {name}")) for name in SETTINGS]


async def test_reads_and_writes_are_bounded_by_the_server_too(db: Database) -> None:
    """A gateway that has died holds nothing for long."""
    reads = ["repeatable read", "on", "31s", "31s"]
    assert reads == await db.read(settings) == await db.read_money(settings)
    assert ["read committed", "off", "10s", "5s"] == await db.write(settings)


async def test_a_process_holds_a_known_number_of_connections(url: str) -> None:
    """One writes; of those that read there are never more than configured."""
    db = await Database.open(StorageConfig(url=url, readers=2, money_readers=1))
    mine = text(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vendgate' "
        "AND datname = current_database()"
    )
    await asyncio.gather(*(db.read(settings) for _ in range(9)), db.write(settings))
    assert 2 + 1 + 1 >= (await db.read_money(lambda connection: connection.scalar(mine)) or 0)
    await db.close()


async def ended(url: str) -> None:
    """End every connection to the database, as a restart of the server does."""
    other = await Database.open(StorageConfig(url=url))
    kill = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = 'vendgate' AND pid <> pg_backend_pid() "
        "AND datname = current_database()"
    )
    await other.read(lambda connection: connection.scalar(kill))
    await other.close()


async def test_a_read_whose_connection_has_died_meanwhile_is_read_on_another(
    db: Database, url: str
) -> None:
    """After a restart of the server nobody is told of the connections that were kept."""
    await asyncio.gather(*(db.read(settings) for _ in range(4)), db.read_money(settings))
    await ended(url)
    read = await asyncio.gather(*(db.read(settings) for _ in range(4)), db.read_money(settings))
    assert [["repeatable read", "on", "31s", "31s"]] * 5 == read


async def test_a_process_writes_again_after_a_restart_of_the_server(db: Database, url: str) -> None:
    """Nothing was written meanwhile, so the connection is known to be closed before it is used: who
    asks first hears of it, as StoreError, and the next one has another.
    """
    driver = await db.write(lambda connection: connection.connection.driver_connection)
    assert driver is not None
    await ended(url)
    async with asyncio.timeout(10):
        while not driver.is_closed():
            await asyncio.sleep(0.01)
    with pytest.raises(StoreError):
        await db.write(settings)
    assert ["read committed", "off", "10s", "5s"] == await db.write(settings)


async def test_a_read_that_was_answered_is_not_run_again(db: Database, url: str) -> None:
    """It may have passed on what it read: its caller decides."""
    runs: list[object] = []

    def work(connection: Connection) -> None:
        runs.append(connection.scalar(text("SELECT 1")))
        await_(ended(url))
        connection.scalar(text("SELECT 2"))

    with pytest.raises(StoreError):
        await db.read(work)
    assert [1] == runs
    assert 1 == await db.read(lambda connection: connection.scalar(text("SELECT 1")))


async def test_a_frozen_server_does_not_hold_up_who_leaves(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does leaving it end in a traceback."""
    async with _behind(url) as (port, frozen):
        there = make_url(url).set(host="127.0.0.1", port=port)
        db = await Database.open(StorageConfig(url=there.render_as_string(hide_password=False)))
        await db.read(settings)
        await db.write(settings)
        frozen.set()
        await db.close()
    assert [] == caplog.records


@asynccontextmanager
async def _behind(url: str) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Give the port of a way to the server, and what freezes it: then nothing comes back, and
    connections stay open.
    """
    frozen, left, there = asyncio.Event(), asyncio.Event(), make_url(url)
    ways: list[asyncio.Task[None]] = []

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while (some := await reader.read(65_536)) and not frozen.is_set():
                writer.write(some)

    async def way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(there.host, there.port)
        both = [passed_on(reader, to_server), passed_on(from_server, writer)]
        passing = [asyncio.create_task(one) for one in both]
        await left.wait()
        for one in passing:
            one.cancel()
        await asyncio.wait(passing)
        for end in (to_server, writer):
            end.close()
            with suppress(OSError):
                await end.wait_closed()

    def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ways.append(asyncio.create_task(way(reader, writer)))

    async with await asyncio.start_server(opened, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], frozen
        left.set()
        await asyncio.wait(ways)


@pytest.fixture
def pooled_url(url: str) -> Iterator[str]:
    """The same database behind a pooler in transaction mode."""
    if pooler.program() is None:
        pytest.skip("no PgBouncer is installed")
    with pooler.pooled(url) as shared:
        yield shared


async def test_limits_hold_behind_a_pooler_that_shares_connections(pooled_url: str) -> None:
    """Each transaction says them anew, whoever had the connection before, and keeps none."""
    db = await Database.open(StorageConfig(url=pooled_url))
    pid = text("SELECT pg_backend_pid()")
    for _ in range(5):
        read = await asyncio.gather(
            *(db.read(settings) for _ in range(4)),
            *(db.read_money(settings) for _ in range(2)),
            db.write(lambda connection: settings(connection)[1:]),
        )
        assert [["repeatable read", "on", "31s", "31s"]] * 6 == read[:6]
        assert ["off", "10s", "5s"] == read[6]
    pids = await asyncio.gather(*(db.read(lambda one: one.scalar(pid)) for _ in range(20)))
    assert len(set(pids)) <= pooler.SERVER_CONNECTIONS
    await db.close()


async def test_a_machine_sells_behind_a_pooler_that_shares_connections(pooled_url: str) -> None:
    """Claims, commits and lists need nothing that lasts for a session."""
    dbs = [await Database.open(StorageConfig(url=pooled_url)) for _ in range(2)]
    owner = await Owner.of(dbs[0], "VM-1")
    for number in range(1, 4):
        for event in owner.purchase("VM-1", number):
            await asyncio.gather(
                owner.commit([owner.decide("VM-1", event)]),
                *(dbs[1].read(settings) for _ in range(6)),
            )
    vends = await Queries(dbs[1]).vends(limit=10)
    assert [("VM-1-v3", "SUCCEEDED"), ("VM-1-v2", "SUCCEEDED"), ("VM-1-v1", "SUCCEEDED")] == [
        (one.vend_id, one.status) for one in vends
    ]
    for db in dbs:
        await db.close()


async def test_an_upgrade_goes_through_a_pooler(pooled_url: str) -> None:
    """It is one transaction under a lock of that transaction."""
    await asyncio.to_thread(migrate.upgrade, pooled_url)
    assert migrate.head() == await asyncio.to_thread(migrate.current, pooled_url)
