"""The database before it is opened."""

import asyncio
import fcntl
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from actors.ports import StoreError
from gateway.books import database
from gateway.books.database import SchemaMismatch
from storage.database import migrate, moving
from storage.database.engine import Database, StorageConfig

ROOT = Path(__file__).parents[3]
HOLDS = """
import signal, sys
from gateway.books import database
with database.served_alone(sys.argv[1]):
    print("holds", flush=True)
    signal.pause()
"""


def test_upgrade_makes_what_is_not_there(tmp_path: Path) -> None:
    """The folder, the file, the schema; again it changes nothing."""
    config = StorageConfig(url=f"sqlite:///{tmp_path}/new/folder/v.db")
    assert (None, migrate.head()) == database.upgrade(config)
    assert (migrate.head(), migrate.head()) == database.upgrade(config)


async def test_an_empty_file_is_made_by_itself(tmp_path: Path) -> None:
    """A developer's first start needs no second command."""
    config = StorageConfig(url=f"sqlite:///{tmp_path}/run/v.db")
    await database.require_schema(config)
    assert migrate.head() == migrate.current(config.url)
    await database.require_schema(config)


async def test_another_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that may be others' too is upgraded by a person."""
    config = StorageConfig(url=f"sqlite:///{tmp_path}/v.db")
    database.upgrade(config)
    monkeypatch.setattr("storage.database.schema.head", lambda: "9999")
    monkeypatch.setattr("storage.database.schema.oldest_database", lambda: "9999")
    with pytest.raises(
        SchemaMismatch,
        match=r"has schema \d+, this program needs 9999: run 'vendgate db upgrade'",
    ):
        await database.require_schema(config)


async def test_an_empty_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a file of this computer is made without being asked for."""
    monkeypatch.setattr("storage.database.migrate.refusal", lambda url: "It is empty")
    monkeypatch.setattr("storage.database.migrate.current", lambda url: None)
    with pytest.raises(SchemaMismatch, match="is empty"):
        await database.require_schema(StorageConfig(url="postgresql://host/name"))


async def test_one_gateway_serves_a_file(tmp_path: Path) -> None:
    """A second one is refused with a sentence, by whatever way it names the file; after the first
    one's end it may.
    """
    (tmp_path / "other").symlink_to(tmp_path)
    with database.served_alone(f"sqlite:///{tmp_path}/v.db"):
        for name in ("v.db", "other/v.db", "v.db?timeout=3"):
            with (
                pytest.raises(StoreError, match="Another gateway serves the database"),
                database.served_alone(f"sqlite:///{tmp_path}/{name}"),
            ):
                pass
        with database.served_alone(f"sqlite:///{tmp_path}/w.db"):
            pass
    with database.served_alone(f"sqlite:///{tmp_path}/v.db"):
        pass


def test_a_gateway_that_was_killed_holds_no_lock(tmp_path: Path) -> None:
    """The kernel takes it back."""
    url = f"sqlite:///{tmp_path}/v.db"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdout is not None
    assert "holds\n" == holder.stdout.readline()
    with pytest.raises(StoreError), database.served_alone(url):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with database.served_alone(url):
        pass


async def test_of_two_gateways_on_a_file_one_saves(tmp_path: Path) -> None:
    """Who removed the mark under the first one let a second one in: that one goes on alone."""
    config = StorageConfig(url=f"sqlite:///{tmp_path}/v.db")
    await database.require_schema(config)
    with database.served_alone(config.url):
        first = await Database.open(config)
        (tmp_path / "v.db-serving").unlink()
        with database.served_alone(config.url):
            second = await Database.open(config)
            with pytest.raises(StoreError, match="another gateway may serve it by now"):
                await first.write(lambda _: None)
            await second.write(lambda _: None)
            await second.close()
        await first.close()


def test_a_mark_that_is_removed_while_it_is_locked_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock would be on a file that nobody else finds."""
    lock = fcntl.flock

    def removed_then_locked(descriptor: int, operation: int) -> None:
        (tmp_path / "v.db-serving").unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed_then_locked)
    with (
        pytest.raises(StoreError, match="serving was removed just now"),
        database.served_alone(f"sqlite:///{tmp_path}/v.db"),
    ):
        pass


def test_a_server_is_shared() -> None:
    """Hosts on one PostgreSQL know of each other."""
    with (
        database.served_alone("postgresql://host/name"),
        database.served_alone("postgresql://host/name"),
    ):
        pass


async def test_a_database_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    """Whoever served it hears that it is gone, and how to begin with an empty one all the same."""
    file = tmp_path / "v.db"
    config = StorageConfig(url=f"sqlite:///{file}")
    await database.require_schema(config)
    with database.served_alone(config.url):
        pass
    file.unlink()
    with pytest.raises(SchemaMismatch, match=r"v\.db is gone, and it was served before"):
        await database.require_schema(config)
    assert not file.exists()
    (tmp_path / "v.db-serving").unlink()
    await database.require_schema(config)
    assert file.exists()


@pytest.mark.parametrize("left", [None, b""])
async def test_nor_is_an_empty_file_in_its_place_filled(tmp_path: Path, left: bytes | None) -> None:
    """Neither by ``serve`` nor by ``db upgrade``, whatever stands where the database was."""
    file = tmp_path / "v.db"
    config = StorageConfig(url=f"sqlite:///{file}")
    await database.require_schema(config)
    with database.served_alone(config.url):
        pass
    file.unlink()
    if left is not None:
        file.write_bytes(left)
    with pytest.raises(SchemaMismatch, match="it was served before"):
        await database.require_schema(config)
    with pytest.raises(SchemaMismatch, match="it was served before"):
        database.upgrade(config)
    (tmp_path / "v.db-serving").unlink()
    assert (None, migrate.head()) == database.upgrade(config)


def _of_before(url: str) -> None:
    """Make an older database of it, for all that is asked before an upgrade."""
    database.upgrade(StorageConfig(url=url))
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")


def test_nobody_upgrades_what_a_gateway_serves(tmp_path: Path) -> None:
    """The gateway is of before, and would go on writing without what the new schema counts."""
    config = StorageConfig(url=f"sqlite:///{tmp_path}/v.db")
    _of_before(config.url)
    with (
        database.served_alone(config.url),
        pytest.raises(StoreError, match=r"Another gateway serves .* end it first"),
    ):
        database.upgrade(config)
    assert "0002" == migrate.current(config.url)


@pytest.mark.parametrize("beats", [True, False])
@pytest.mark.parametrize("program", ["", "0016", "0017"])
def test_nobody_upgrades_a_server_on_which_an_older_host_beats(
    monkeypatch: pytest.MonkeyPatch, beats: bool, program: str
) -> None:
    """It is named; one that is dead, or ended, or works with the new schema, is no reason to
    wait.
    """
    counts = iter([{"host-0": migrate.Serving(7 + n * beats, program)} for n in range(2)])
    upgraded: list[str] = []
    monkeypatch.setattr(migrate, "serving", lambda _: next(counts))
    monkeypatch.setattr(migrate, "current", lambda _: "0002")
    monkeypatch.setattr(migrate, "upgrade", upgraded.append)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    config = StorageConfig(url="postgresql://app@db/vendgate")
    refused = beats and program < "0017"
    if refused:
        with pytest.raises(StoreError, match=r"served by host-0 .* Nothing was changed"):
            database.upgrade(config)
    else:
        assert ("0002", migrate.head()) == database.upgrade(config)
    assert ([] if refused else [config.url]) == upgraded


def _of_tomorrow(url: str, *, oldest_program: str) -> None:
    database.upgrade(StorageConfig(url=url))
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE installation SET oldest_program = ?", [oldest_program])


async def test_a_version_that_nobody_here_knows_is_said(tmp_path: Path) -> None:
    """To upgrade it would help nobody: neither ``serve`` nor ``db upgrade`` sends a person there,
    and the file stays as it is.
    """
    config = StorageConfig(url=f"sqlite:///{tmp_path}/v.db")
    _of_tomorrow(config.url, oldest_program="9998")
    said = "has schema 9999.* programs of schema 9998 and newer .* start the newer program"
    with pytest.raises(SchemaMismatch, match=said):
        await database.require_schema(config)
    with pytest.raises(StoreError, match=said):
        database.upgrade(config)
    with pytest.raises(StoreError, match=said):
        await Database.open(config)
    assert "9999" == migrate.current(config.url)


async def test_a_newer_schema_that_was_expanded_is_served(tmp_path: Path) -> None:
    """An old gateway starts again beside new ones, and its upgrade, which a supervisor may order,
    has nothing to do. A check says it.
    """
    config = StorageConfig(url=f"sqlite:///{tmp_path}/v.db")
    _of_tomorrow(config.url, oldest_program=migrate.head())
    await database.require_schema(config)
    await (await Database.open(config)).close()
    assert ("9999", "9999") == database.upgrade(config)
    said = await asyncio.to_thread(database.check, config, durable=True)
    mine = migrate.head()
    assert (
        f"the database has schema 9999; this program works with it and was written for {mine}"
        == (said)
    )


def test_a_check_that_connects_says_what_serve_would_say(tmp_path: Path) -> None:
    """A file that is served promises what it should; one that is not there is said."""
    config = StorageConfig(url=f"sqlite:///{tmp_path / 'vendgate.db'}")
    with pytest.raises(StoreError):
        assert f"the database has schema {migrate.head()}" == database.check(config, durable=True)
    assert [] == list(tmp_path.iterdir())
    database.upgrade(config)
    assert f"the database has schema {migrate.head()}" == database.check(config, durable=True)


def _moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "move", lambda source, target: 3)


def test_a_database_that_was_moved_is_kept_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what stands beside it, so that nobody serves it by mistake; a second move finds none."""
    _moves(monkeypatch)
    file = tmp_path / "vendgate.db"
    for ending in ("", "-wal", "-shm"):
        (tmp_path / f"vendgate.db{ending}").write_text(ending)
    source, target = StorageConfig(url=f"sqlite:///{file}"), StorageConfig(url="postgresql://h/d")

    assert (3, tmp_path / "vendgate.db.moved") == database.move(source, target)
    assert ["", "-shm", "-wal"] == sorted(
        one.read_text() for one in tmp_path.glob("vendgate.db.moved*")
    )
    with pytest.raises(StoreError, match="There is no database"):
        database.move(source, target)
    file.write_text("another")
    with pytest.raises(StoreError, match=r"vendgate\.db\.moved is there already"):
        database.move(source, target)


def test_a_database_that_is_served_is_not_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on selling; and a PostgreSQL is moved nowhere."""
    _moves(monkeypatch)
    file = tmp_path / "vendgate.db"
    file.touch()
    source, target = StorageConfig(url=f"sqlite:///{file}"), StorageConfig(url="postgresql://h/d")
    with database.served_alone(source.url), pytest.raises(StoreError, match="serves the database"):
        database.move(source, target)
    assert file.exists()
    with pytest.raises(StoreError, match="in no other way"):
        database.move(target, source)
