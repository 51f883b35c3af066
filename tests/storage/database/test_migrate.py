"""The migrations make the tables that the program uses, once."""

import asyncio
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    CheckConstraint,
    Connection,
    create_engine,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from actors.ports import StoreError
from storage.books import chain
from storage.books.audit_rows import write_audit_row
from storage.database import backup, migrate, schema
from storage.database.engine import Database, StorageConfig
from storage.tables import audit, holders, metadata, partitions


async def test_the_migrations_make_the_tables(db: Database) -> None:
    """Nothing is missing and nothing is left over, types and server defaults included."""

    def work(connection: Connection) -> object:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert [] == await db.read(work)


async def test_the_migrations_name_every_constraint(db: Database) -> None:
    """Checks, which no comparison sees, are the same too."""

    def work(connection: Connection) -> dict[str, set[str]]:
        there = inspect(connection)
        return {
            table: {str(check["name"]) for check in there.get_check_constraints(table)}
            for table in metadata.tables
        }

    expected = {
        name: {str(check.name) for check in table.constraints if isinstance(check, CheckConstraint)}
        for name, table in metadata.tables.items()
    }
    assert expected == await db.read(work)


async def test_an_upgrade_can_be_repeated(db: Database, url: str) -> None:
    """The second one changes nothing, also inside a running loop."""
    before = await db.read(lambda connection: connection.execute(select(partitions)).all())
    migrate.upgrade(url)
    assert before == await db.read(lambda connection: connection.execute(select(partitions)).all())
    assert 8 == len(before)
    assert migrate.head() == await asyncio.to_thread(migrate.current, url)


async def test_the_beats_of_holders_are_read_of_any_schema(db: Database, url: str) -> None:
    """Those that are there; none of a database that is older than its holders."""
    row = {"holder": "h", "host": "host-0", "home": "a", "node": "n", "beat": 7}
    more = {"lease_ms": 1, "since_at_ms": 1}
    await db.write(lambda connection: connection.execute(insert(holders), [row | more]))
    assert {"h": 7} == await asyncio.to_thread(migrate.beats, url)
    await db.write(holders.drop)
    assert {} == await asyncio.to_thread(migrate.beats, url)


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    """SQLite quotes what is broken, and its module cannot read that."""
    path = tmp_path / "v.db"
    url = f"sqlite:///{path}"
    migrate.upgrade(url, partition_count=8)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE holders", b"CREATE TABL\x91 \x91olders"))
    said = "its file is damaged; put its backup back"
    with pytest.raises(StoreError, match=said):
        migrate.current(url)
    with pytest.raises(StoreError, match=said):
        asyncio.run(Database.open(StorageConfig(url=url)))
    with pytest.raises(StoreError, match=said):
        backup.copy(url, tmp_path / "copy.db", now_ms=1)
    assert not (tmp_path / "copy.db").exists()


async def test_the_number_of_partitions_is_fixed(db: Database, url: str) -> None:
    """Another number is refused, because machines would change their partitions."""
    with pytest.raises(StoreError, match="created with 8 partitions"):
        await asyncio.to_thread(migrate.upgrade, url, partition_count=16)


def test_the_default_is_256_partitions(tmp_path: Path) -> None:
    """A database that nobody gave a number has 256."""
    path = tmp_path / "vendgate.db"
    assert migrate.current(f"sqlite:///{path}") is None
    migrate.upgrade(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert (256,) == connection.execute("SELECT count(*) FROM partitions").fetchone()
    connection.close()


def test_processes_that_upgrade_at_once_agree(tmp_path: Path) -> None:
    """Each of them waits for the others and finds the work done."""
    script = "import sys; from storage.database import migrate; migrate.upgrade(sys.argv[1])"
    url = f"sqlite:///{tmp_path}/vendgate.db"
    several = [
        subprocess.Popen([sys.executable, "-c", script, url], cwd=Path(__file__).parents[3])
        for _ in range(3)
    ]
    assert [0, 0, 0] == [process.wait(60) for process in several]
    assert migrate.head() == migrate.current(url)


def test_another_schema_has_another_number() -> None:
    """Else a database that was made before a change passes for one that was made after it: it is
    served, and its first statement about the new column fails. Who changes a table writes the next
    number and the new digest here.
    """
    dialect = sqlite.dialect()
    made = [CreateTable(table).compile(dialect=dialect) for table in metadata.sorted_tables]
    told = sha256("\n".join(map(str, made)).encode()).hexdigest()
    assert ("0007", "189a86dcebf90aea") == (schema.head(), told[:16])


def test_a_database_of_an_earlier_first_schema_is_refused(tmp_path: Path) -> None:
    """It says what to do, rather than that nothing is to be done."""
    url = f"sqlite:///{tmp_path}/vendgate.db"
    migrate.upgrade(url)
    with sqlite3.connect(tmp_path / "vendgate.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    with pytest.raises(StoreError, match="has schema 0001: it was made by another version"):
        migrate.upgrade(url)


def test_an_upgrade_can_be_taken_back(tmp_path: Path) -> None:
    """The first migration's way back leaves nothing, no trigger either."""
    url = f"sqlite:///{tmp_path}/vendgate.db"
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        config = schema.alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert ["alembic_version"] == inspect(connection).get_table_names()
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        assert [] == connection.exec_driver_sql(triggers).all()
    engine.dispose()


EVE = (2, "eve", "enable", "", "", "", "", "DONE")


def test_a_row_without_a_digest_stays_so(tmp_path: Path) -> None:
    """Nobody can vouch for it; whoever writes next begins the chain."""
    url = f"sqlite:///{tmp_path}/vendgate.db"
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit (at_ms, actor, action, machine_id, detail) VALUES (1, 'bob', "
            "'enable', '', '')"
        )
        write_audit_row(connection, at_ms=2, actor="eve", action="enable", machine_id="", detail="")
        first, second = connection.execute(select(audit).order_by(audit.c.id)).all()
    engine.dispose()
    assert ("bob", "") == (first.actor, first.digest)
    assert chain.digest("", chain.audit_content(EVE)) == second.digest


def test_a_place_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    """The sentence says what could not be done."""
    with pytest.raises(StoreError, match=r"nowhere/vendgate\.db cannot be read or upgraded"):
        migrate.upgrade(f"sqlite:///{tmp_path}/nowhere/vendgate.db")
