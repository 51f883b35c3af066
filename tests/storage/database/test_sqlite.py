"""SQLite in a file: durable, closed to readers that write, and its refusals are StoreErrors."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, make_url

from actors.machine.ids import MachineId
from actors.ports import StoreError
from storage.database import migrate, sqlite
from storage.database.engine import Database, StorageConfig
from storage.database.sqlite import SqliteWriter, make_private, serving_mark
from storage.tables import installation
from tests.storage.owner import Owner, paid
from tests.support import quick_disk


@pytest.fixture
def url(tmp_path: Path, upgraded_file: Path) -> str:
    """An upgraded file; these tests are SQLite's alone."""
    path = tmp_path / "vendgate.db"
    shutil.copy(upgraded_file, path)
    return f"sqlite:///{path}"


async def test_sqlite_is_durable(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """WAL with full synchronisation and foreign keys, set explicitly."""
    monkeypatch.setattr(sqlite, "_PRAGMAS", quick_disk.AS_BUILT)
    db = await Database.open(StorageConfig(url=url))

    def pragmas(connection: Connection) -> list[object]:
        return [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert ["wal", 2, 1] == await db.write(pragmas)
    await db.close()


async def test_what_is_opened_for_reading_only_writes_nothing(
    tmp_path: Path, upgraded_file: Path
) -> None:
    """Whatever the folder is called: reads are answered, a write is refused, and a file that is not
    there is not made.
    """
    folder = tmp_path / "a 50% folder?#&"
    folder.mkdir()
    shutil.copy(upgraded_file, folder / "vendgate.db")
    database = await Database.open(
        StorageConfig(url=f"sqlite:///{folder / 'vendgate.db'}".replace("?", "%3F"), read_only=True)
    )
    assert 8 == database.partition_count
    with pytest.raises(StoreError, match="opened for reading only"):
        await database.write(
            lambda connection: connection.execute(installation.update().values(partition_count=1))
        )
    await database.close()
    with pytest.raises(StoreError, match=r"no database .*none\.db: name your settings"):
        await Database.open(StorageConfig(url=f"sqlite:///{tmp_path / 'none.db'}", read_only=True))
    assert not (tmp_path / "none.db").exists()


async def test_a_full_disk_is_a_store_error(db: Database) -> None:
    """Nothing is saved, the error says why, and when there is room again all goes on."""
    owner = await Owner.of(db, "VM-1")
    before = owner.states["VM-1"]

    def limit(connection: Connection, pages: int) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar() or 0)

    await db.write(lambda connection: limit(connection, 1))  # SQLite makes it the present size

    async def fill() -> None:
        for number in range(1_000):
            await owner.do("VM-1", paid(f"t{number}"))

    with pytest.raises(StoreError, match="full"):
        await fill()
    loaded = await owner.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert before.version <= loaded.state.version < owner.states["VM-1"].version
    await db.write(lambda connection: limit(connection, 1_000_000))
    owner.states["VM-1"] = loaded.state
    await owner.do("VM-1", paid("later"))


async def test_a_read_only_file_is_a_store_error(db: Database) -> None:
    """So is a database that must not be written."""
    owner = await Owner.of(db, "VM-1")
    await db.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"))
    with pytest.raises(StoreError, match="readonly"):
        await owner.do("VM-1", paid("t1"))


async def test_a_lock_that_is_not_let_go_is_a_store_error(url: str) -> None:
    """After the busy timeout the caller may try again."""
    db = await Database.open(StorageConfig(url=url, busy_timeout_ms=50))
    hog = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await db.write(lambda _: None)
    hog.execute("ROLLBACK")
    hog.close()
    await db.write(lambda _: None)
    await db.close()


async def test_connections_that_read_are_prepared_too(db: Database) -> None:
    """Each of them begins a snapshot, waits for a lock and cannot write."""

    def look(connection: Connection) -> tuple[list[object], bool]:
        names = ("journal_mode", "foreign_keys", "recursive_triggers", "query_only", "busy_timeout")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]
        adapted = connection.connection.dbapi_connection
        assert adapted is not None
        return values, adapted.driver_connection.in_transaction

    for read in (db.read, db.read_money):
        assert (["wal", 1, 1, 1, 10_000], True) == await read(look)


async def test_the_last_to_leave_folds_the_log_into_the_file(url: str) -> None:
    """A closed database is one file, which may be copied."""
    db = await Database.open(StorageConfig(url=url))
    await Owner.of(db, "VM-1")
    path = Path(url.removeprefix("sqlite:///"))
    assert path.with_name("vendgate.db-wal").exists()
    await db.close()
    assert not path.with_name("vendgate.db-wal").exists()


async def test_nothing_is_saved_once_the_log_is_another(url: str, tmp_path: Path) -> None:
    """As when somebody puts a backup in the place of what is served. SQLite would go on, and all of
    it be lost with the process. A log that came back with its connection is no other one.
    """
    linked = tmp_path / "linked.db"
    linked.symlink_to(url.removeprefix("sqlite:///"))
    writer = SqliteWriter(make_url(f"sqlite:///{linked}"), busy_timeout_ms=1_000)
    log = Path(f"{url.removeprefix('sqlite:///')}-wal")
    await writer.write(lambda _: None)
    writer._dispose()  # the last connection to leave takes the log with it
    await writer.write(lambda _: None)
    await asyncio.to_thread(log.unlink)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"-wal was removed or replaced.*the newest backup"):
            await writer.write(lambda _: None)
    await writer.close()


def _schema_again(url: str) -> None:
    """Take the newest schemas back and make them again, and the file anew, on another
    connection.
    """

    def work(connection: Connection) -> None:
        config = migrate.alembic_config()
        config.attributes["connection"] = connection
        for version in ("-2", "head"):
            (command.downgrade if version < "0" else command.upgrade)(config, version)

    migrate._transact(make_url(url), work)
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        other.execute("VACUUM")


async def test_what_is_prepared_outlives_a_change_of_the_schema(url: str) -> None:
    """The one who writes keeps its connection and its statements, while 'db upgrade' changes the
    tables beside it: what it saves afterwards is all there.
    """
    db = await Database.open(StorageConfig(url=url))
    owner = await Owner.of(db, "VM-1", "VM-2")
    for number in range(3):
        await asyncio.to_thread(_schema_again, url)
        at_once = [owner.decide(name, paid(f"{name}-{number}")) for name in ("VM-1", "VM-2")]
        await owner.commit(at_once)
        await owner.do("VM-1", paid(f"alone-{number}"))
    for name, state in owner.states.items():
        loaded = await owner.store.load(MachineId(name))
        assert loaded is not None
        assert state == loaded.state
    await db.close()


async def test_nothing_is_saved_once_the_mark_is_another(url: str) -> None:
    """Whoever removed it let another gateway in; what was not marked is bound to no mark."""
    mark = serving_mark(Path(url.removeprefix("sqlite:///")))
    unmarked = await Database.open(StorageConfig(url=url))
    with mark.open("w"):  # who serves holds it open, so that no other file gets its number
        db = await Database.open(StorageConfig(url=url))
        await db.write(lambda _: None)
        mark.unlink()
        with pytest.raises(StoreError, match=r"-serving was removed or replaced.*another gateway"):
            await db.write(lambda _: None)
        mark.touch()
        with pytest.raises(StoreError, match="-serving was removed or replaced"):
            await db.write(lambda _: None)
    await unmarked.write(lambda _: None)
    await db.close()
    await unmarked.close()


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_the_file_and_its_log_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask of whoever makes them; a file that is there keeps its mode."""
    path = tmp_path / "vendgate.db"
    before = os.umask(0)
    try:
        migrate.upgrade(f"sqlite:///{path}", partition_count=8)
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        modes = _modes(tmp_path)
        await database.close()
    finally:
        os.umask(before)
    assert dict.fromkeys(["vendgate.db", "vendgate.db-wal", "vendgate.db-shm"], 0o600) == modes
    make_private(make_url(f"sqlite:///{path}"))
    assert path.stat().st_size
