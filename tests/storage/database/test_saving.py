"""Whether anything can be saved is proved by saving, and leaves nothing behind."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from actors.ports import StaleOwner, StoreError
from storage.database.engine import Database, StorageConfig
from storage.database.saving import SaveCheck
from storage.machines.holding import SqlLeases
from storage.tables import answers


def _nothing(_: Connection) -> None:
    """A transaction that saves nothing and is committed."""


async def test_a_database_in_order_saves(db: Database) -> None:
    """Also when nothing was saved yet; of the try nothing stays."""
    assert not db.saved_within(60)
    await SaveCheck(db).proved()
    assert db.saved_within(60)
    assert 0 == await db.read(
        lambda connection: connection.scalar(select(func.count()).select_from(answers))
    )


def _no_free_page(connection: Connection) -> None:
    """Fill what upgrades have left empty in the file."""
    free = connection.exec_driver_sql("PRAGMA freelist_count").scalar()
    connection.exec_driver_sql("CREATE TABLE filler (rest)")
    connection.exec_driver_sql(f"INSERT INTO filler VALUES (zeroblob(4096 * {free}))")


async def test_one_that_takes_nothing_in_does_not(db: Database) -> None:
    """A file without room, a standby: both answer questions, and neither saves."""
    check = SaveCheck(db, fresh_s=0.0)
    sqlite = db.dialect.name == "sqlite"
    if sqlite:
        await db.write(_no_free_page)
    stop = "PRAGMA max_page_count = 1" if sqlite else "SET default_transaction_read_only = on"
    await db.write(lambda connection: connection.exec_driver_sql(stop).close())
    await db.read(lambda connection: connection.scalar(select(func.count()).select_from(answers)))
    with pytest.raises(StoreError, match="full" if sqlite else "read-only"):
        await check.proved()
    if sqlite:
        again = "PRAGMA max_page_count = 1000000"
        await db.write(lambda connection: connection.exec_driver_sql(again).close())
        await check.proved()


async def test_a_beat_is_no_proof(db: Database) -> None:
    """It changes a number in place, which a full disk may well take, and comes every two seconds:
    beside a host in the same process nothing else was ever tried.
    """
    with pytest.raises(StaleOwner):
        await SqlLeases(db).beat("nobody")
    assert not db.saved_within(60)


async def test_what_could_not_be_saved_ends_the_proof(db: Database) -> None:
    """The next one who asks has it tried, however short ago something was saved."""
    await db.write(_nothing)
    assert db.saved_within(60)
    with pytest.raises(StoreError):
        await db.write(lambda connection: connection.exec_driver_sql("INSERT INTO nowhere"))
    assert not db.saved_within(60)


async def test_nothing_is_saved_in_a_file_that_was_removed(
    upgraded_file: Path, tmp_path: Path
) -> None:
    """SQLite would go on with it, and what was acknowledged would be gone with the process."""
    path = tmp_path / "removed.db"
    shutil.copy(upgraded_file, path)
    db = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
    try:
        await SaveCheck(db).proved()
        path.unlink()
        with pytest.raises(StoreError, match="was removed or replaced"):
            await db.write(_nothing)
        shutil.copy(upgraded_file, path)
        with pytest.raises(StoreError, match="was removed or replaced"):
            await SaveCheck(db, fresh_s=0.0).proved()
    finally:
        await db.close()


async def test_what_was_saved_a_moment_ago_is_proof_enough(
    upgraded_file: Path, tmp_path: Path
) -> None:
    """Nothing is tried while the database is at work; once that is long ago, it is tried once,
    however many ask, and whether they wait for it or not.
    """
    path = tmp_path / "vendgate.db"
    shutil.copy(upgraded_file, path)
    db = await Database.open(StorageConfig(url=f"sqlite:///{path}", busy_timeout_ms=60_000))
    await db.write(_nothing)
    asked: list[asyncio.Task[None]] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await SaveCheck(db, fresh_s=60.0).proved()  # nobody is waited for
        check = SaveCheck(db, fresh_s=0.0)
        asked += [asyncio.create_task(check.proved()) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asked[0].cancel()
        assert 1 == len(db._writing)
        other.execute("ROLLBACK")
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [True, False, False] == [isinstance(result, BaseException) for result in results]
    await db.close()
