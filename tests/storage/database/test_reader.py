"""Reads end: by themselves, when nobody waits for them any more, when their time is up, and when
the database is closed. Whatever ended them, their connection serves the next read.

One class reads on both databases, so every test runs on both. ``readers=1`` makes the proof: the
only connection is free again only when the read before has really stopped.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.util import await_

from actors.ports import StoreError
from storage.database.engine import Database, StorageConfig
from storage.database.reader import Reader, describe
from storage.tables import installation, partitions
from tests.storage.database.slow import Endless


@pytest.fixture
async def narrow(url: str) -> AsyncIterator[Database]:
    """A database that reads on one connection."""
    database = await Database.open(StorageConfig(url=url, readers=1))
    yield database
    await database.close()


async def count_up(db: Database) -> int:
    """Write something that a later read must see."""

    def work(connection: Connection) -> int:
        connection.execute(
            installation.update().values(created_at_ms=installation.c.created_at_ms + 1)
        )
        return created_at(connection)

    return await db.write(work)


def created_at(connection: Connection) -> int:
    """What ``count_up`` has written."""
    at_ms: int | None = connection.scalar(select(installation.c.created_at_ms))
    assert at_ms is not None
    return at_ms


async def test_a_read_whose_caller_has_gone_is_ended(narrow: Database) -> None:
    """The caller goes at once; the statement stops, and its connection reads what is written
    afterwards.
    """
    work = Endless()
    reading = asyncio.create_task(narrow.read(work))
    await work.begun()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    written = await count_up(narrow)
    assert written == await narrow.read(created_at)


async def test_postgresql_stops_the_statement_of_a_read_that_was_ended(narrow: Database) -> None:
    """The server says that nothing of it runs any more."""
    if narrow.dialect.name != "postgresql":
        pytest.skip("SQLite has no server; its statement runs on the connection that is used again")
    work = Endless()
    reading = asyncio.create_task(narrow.read(work))
    await work.begun()
    seen = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE query LIKE 'WITH RECURSIVE numbers%' AND state = 'active'"
    )
    while not await narrow.read_money(lambda connection: connection.scalar(seen)):
        await asyncio.sleep(0.01)
    reading.cancel()
    await narrow.read(created_at)
    while await narrow.read_money(lambda connection: connection.scalar(seen)):
        await asyncio.sleep(0.01)


async def test_a_read_may_be_cancelled_at_any_moment(narrow: Database) -> None:
    """Cancelled after 0, 1, 2, ... turns of the loop, between statements and within them: no
    connection is lost, none keeps its old snapshot, and no later read is hit.
    """

    def three(connection: Connection) -> int:
        for _ in range(2):
            connection.execute(select(partitions)).all()
        return created_at(connection)

    for turns in range(80):
        written = await count_up(narrow)
        reading = asyncio.create_task(narrow.read(three))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        assert written == await narrow.read(three)
        (ended,) = await asyncio.gather(reading, return_exceptions=True)
        assert ended == written or isinstance(ended, asyncio.CancelledError)


async def test_a_read_that_waits_for_a_connection_can_be_cancelled(narrow: Database) -> None:
    """It leaves the queue, and the one behind it comes sooner."""
    work, go = Endless(), asyncio.Event()

    def held(connection: Connection) -> int:
        at_ms = created_at(connection)
        await_(go.wait())
        return at_ms

    first = asyncio.create_task(narrow.read(held))
    second = asyncio.create_task(narrow.read(work))
    third = asyncio.create_task(narrow.read(created_at))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go.set()
    assert await first == await third


async def test_a_read_that_takes_too_long_is_ended_and_says_so(url: str) -> None:
    """The sentence says how long it may take and what to do; the connection is free again."""
    db = await Database.open(StorageConfig(url=url, readers=1))
    assert isinstance(db._lists, Reader)
    db._lists._within_ms = 400  # not before it was opened, which may take longer
    with pytest.raises(StoreError, match="longer than 400 ms: ask for less"):
        await db.read(Endless())
    db._lists._within_ms = 60_000
    assert 8 == await db.read(
        lambda connection: connection.scalar(select(func.count()).select_from(partitions))
    )
    await db.close()


async def test_a_read_that_finds_no_connection_says_so(url: str) -> None:
    """Its waiting counts; and a read that was ended keeps its connection until it has stopped."""
    db = await Database.open(StorageConfig(url=url, readers=1))
    assert isinstance(db._lists, Reader)
    db._lists._within_ms = 100  # not before it was opened, which may take longer
    begun, go = asyncio.Event(), asyncio.Event()

    def stubborn(_: Connection) -> None:
        begun.set()
        while not go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await_(go.wait())

    holding = asyncio.create_task(db.read(stubborn))
    try:
        await begun.wait()
        with pytest.raises(StoreError, match="No connection became free for the read within 100"):
            await db.read(created_at)
        with pytest.raises(StoreError, match="longer than 100 ms"):
            await holding
    finally:
        go.set()
    await db.close()


async def test_closing_ends_what_is_read(url: str) -> None:
    """Nobody waits for a list when the process stops: those that run and those that wait are told
    so.
    """
    db = await Database.open(StorageConfig(url=url, readers=1))
    work = Endless()
    running = asyncio.create_task(db.read(work))
    await work.begun()
    waiting = asyncio.create_task(db.read(created_at))
    await asyncio.sleep(0)
    await db.close()
    with pytest.raises(StoreError, match="closed while it was read"):
        await running
    with pytest.raises(StoreError, match="closed"):
        await waiting


async def test_an_error_of_the_work_s_own_passes_through(narrow: Database) -> None:
    """It is no StoreError, and the connection is free again."""

    def work(connection: Connection) -> None:
        raise LookupError(created_at(connection))

    for _ in range(3):
        with pytest.raises(LookupError):
            await narrow.read(work)


@pytest.mark.parametrize(
    "said",
    [
        "unsupported startup parameter: idle_in_transaction_session_timeout",
        'prepared statement "__asyncpg_stmt_1__" already exists',
    ],
)
def test_a_pooler_that_shares_connections_is_known_by_what_it_says(said: str) -> None:
    """The driver's words lead nowhere: what to write does."""
    assert describe(OSError(said)).startswith(f"{said}. ")
    assert "?pooler=transaction" in describe(OSError(said))
    assert "pooler" not in describe(OSError("connection refused"))
