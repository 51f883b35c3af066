"""The migrations make the tables that the program uses, once."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateTable

from actors.ports import StoreError
from storage.auditing import prove_within
from storage.books import chain
from storage.books.audit_rows import write_audit_row
from storage.codec import as_is
from storage.database import backup, migrate, schema
from storage.database.engine import Database, StorageConfig
from storage.database.urls import parse
from storage.tables import audit, holders, installation, metadata, partitions, transfers
from tests.storage.owner import START_MS
from tests.support.expansion import UNUSED, Shape, shapes, taken_away

T = TypeVar("T")
READ = {**metadata.tables, transfers.name: transfers}
"""The tables, and the view, in which the rows of schema 0006 are read by now."""


async def test_the_migrations_make_the_tables(db: Database) -> None:
    """Nothing is missing, types and server defaults included; nothing is left over, but for what
    waits for its contraction.
    """

    def work(connection: Connection) -> object:
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        return [one for one in found if _left_over(one) not in UNUSED]

    assert [] == await db.read(work)


def _left_over(difference: Any) -> str:
    """Return what a difference says is in the database only; empty if it says something else."""
    match difference:
        case ("remove_table", there):
            return str(there.name)
        case ("remove_column", _, name, there):
            return f"{name}.{there.name}"
    return ""


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


async def test_who_serves_is_read_of_any_schema(db: Database, url: str) -> None:
    """Those that are there; none of a database that is older than its holders."""
    row = {"holder": "h", "host": "host-0", "home": "a", "node": "n", "beat": 7}
    more = {"lease_ms": 1, "since_at_ms": 1}
    await db.write(lambda connection: connection.execute(insert(holders), [row | more]))
    assert {"h": migrate.Serving(7, "")} == await asyncio.to_thread(migrate.serving, url)
    dropped = text("ALTER TABLE holders DROP COLUMN program")
    await db.write(lambda connection: connection.execute(dropped))
    assert {"h": migrate.Serving(7, "")} == await asyncio.to_thread(migrate.serving, url)
    await db.write(holders.drop)
    assert {} == await asyncio.to_thread(migrate.serving, url)


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
    assert ("0040", "ca442ed0e0a87bde") == (schema.head(), told[:16])


def test_an_expansion_takes_nothing_away(url: str) -> None:
    """What a program of the schema before reads and writes it reads and writes after each migration
    that says that it expands; one that contracts takes away only what was listed as unused.
    """
    known = [version for version in schema.versions() if version >= schema.FIRST]
    _in(url, _go_to(schema.versions()[schema.versions().index(known[0]) - 1]))
    before = _in(url, shapes)
    for version in known:
        _in(url, _go_to(version))
        after = _in(url, shapes)
        since = schema.unused_since(version)
        allowed = {f"{name} is gone" for name, at in UNUSED.items() if since and at <= since}
        assert set() == set(taken_away(before, after)) - allowed, version
        before = after


BREAKS = {
    "one": "DROP TABLE one",
    "one.kept": "ALTER TABLE one DROP COLUMN kept",
    "one.wanted": "ALTER TABLE one ADD COLUMN wanted INTEGER NOT NULL",
    "one.plain": "ALTER TABLE one RENAME COLUMN plain TO fancy",
    "unique": "CREATE UNIQUE INDEX only_once ON one (plain)",
    "trigger": "CREATE TRIGGER never BEFORE INSERT ON one BEGIN SELECT RAISE(ABORT, 'no'); END",
}
ADDS = (
    "ALTER TABLE one ADD COLUMN more INTEGER",
    "ALTER TABLE one ADD COLUMN more INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE one ADD COLUMN more INTEGER CHECK (more > 0)",
    "CREATE TABLE two (id INTEGER PRIMARY KEY, one INTEGER NOT NULL)",
    "CREATE INDEX quicker ON one (plain)",
    "ALTER TABLE one ADD COLUMN more INTEGER REFERENCES one (id)",
)


@pytest.mark.parametrize("change", [*BREAKS.values(), *ADDS])
def test_what_would_stop_a_program_of_before_is_found(change: str) -> None:
    """Each way to take something away, and no way to add something."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE one (id INTEGER PRIMARY KEY, kept INTEGER, plain VARCHAR(8))"
        )
        before = shapes(connection)
        connection.exec_driver_sql(change)
        found = taken_away(before, shapes(connection))
    engine.dispose()
    if change in ADDS:
        assert [] == found
    else:
        (word,) = (word for word, other in BREAKS.items() if other == change)
        assert 1 == len(found)
        assert word in found[0]


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        (String(8), String(8), True),
        (String(8), String(9), True),
        (String(8), Text(), True),
        (String(8), String(7), False),
        (Text(), String(7), False),
        (Integer(), BigInteger(), True),
        (BigInteger(), Integer(), False),
        (Integer(), String(8), False),
        (Boolean(), Boolean(), True),
    ],
)
def test_a_narrower_type_is_found(old: Any, new: Any, holds: bool) -> None:
    """What fitted must fit, and null stays possible where it was."""
    of = [{"type": one, "nullable": True, "default": None} for one in (old, new)]
    before, after = ({"t": Shape(columns={"c": one}, rules={})} for one in of)
    assert holds == (taken_away(before, after) == [])
    of[1]["nullable"] = False
    assert "t.c cannot be null any more" in taken_away(before, after)


async def test_an_upgrade_gives_way_to_whoever_uses_a_table(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits a moment only, because every commit would wait behind it, and is made when the table
    is free; nothing is changed before.
    """
    if url.startswith("sqlite"):
        pytest.skip("one writer at a time, and an upgrade is refused while a gateway serves")
    await asyncio.to_thread(_in, url, _go_to("0013"))
    user = create_async_engine(parse(url))
    monkeypatch.setattr(migrate, "AGAIN_AFTER_S", 0.0)
    waits: list[float] = []
    reading = await user.connect()
    await reading.execute(select(installation.c.id))
    loop = asyncio.get_running_loop()

    def slept(span_s: float) -> None:
        assert "0013" == migrate.current(url)
        waits.append(span_s)
        asyncio.run_coroutine_threadsafe(reading.rollback(), loop).result()

    monkeypatch.setattr(time, "sleep", slept)
    await asyncio.to_thread(migrate.upgrade, url)
    assert [0.0] == waits
    await reading.close()
    await user.dispose()
    assert migrate.head() == await asyncio.to_thread(migrate.current, url)


def test_a_database_of_an_earlier_first_schema_is_refused(tmp_path: Path) -> None:
    """It says what to do, rather than that nothing is to be done."""
    url = f"sqlite:///{tmp_path}/vendgate.db"
    migrate.upgrade(url)
    with sqlite3.connect(tmp_path / "vendgate.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    with pytest.raises(StoreError, match=r"has schema 0001, .* it was made by another version"):
        migrate.upgrade(url)


def test_an_upgrade_can_be_taken_back(tmp_path: Path) -> None:
    """The first migration's way back leaves nothing, no trigger either."""
    url = f"sqlite:///{tmp_path}/vendgate.db"
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        config = migrate.alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert ["alembic_version"] == inspect(connection).get_table_names()
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        assert [] == connection.exec_driver_sql(triggers).all()
    engine.dispose()


FILLED = Path(__file__).with_name("schema_0006.json")
"""The rows of a database that a program with schema 0006 filled (``bench_size``'s stories: two
purchases that were paid first, two that were chosen first), by table.
"""


def _in(url: str, work: Callable[[Connection], T]) -> T:
    """Return what a function says in a transaction, whatever schema the database has."""
    if url.startswith("sqlite"):
        engine = create_engine(url, json_serializer=as_is, json_deserializer=as_is)
        with engine.begin() as connection:
            return work(connection)

    async def there() -> T:
        elsewhere = create_async_engine(parse(url), json_serializer=as_is, json_deserializer=as_is)
        async with elsewhere.begin() as connection:
            told = await connection.run_sync(work)
        await elsewhere.dispose()
        return told

    return asyncio.run(there())


def _go_to(version: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        config = migrate.alembic_config()
        config.attributes["connection"] = connection
        there = schema.found(connection) or ""
        (command.downgrade if version < there else command.upgrade)(config, version)

    return work


ADDED = {
    "store_id": "",
    "code_trouble": "",
    "planogram_shown": 1,
    "oldest_program": schema.oldest_program(),
    "program": "",
    "discount_minor": 0,
    "offer": "",
}
"""What a later schema has added, in rows that are there."""


def _as_typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the file, with booleans as such."""
    return {
        name: bool(value) if isinstance(table.c[name].type, Boolean) else value
        for name, value in row.items()
        if value is not None
    }


def _fill(connection: Connection) -> None:
    """Put the rows in; balances of goods are written by the moves."""
    there = MetaData()
    there.reflect(connection)
    rows = json.loads(FILLED.read_text())
    for name in ("installation", "partitions"):
        connection.execute(there.tables[name].delete())
    for table in there.sorted_tables:
        for row in () if table.name == "goods_balances" else rows.get(table.name, ()):
            connection.execute(table.insert().values(_as_typed(table, row)))


def _said(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of the tables that the file fills, as the program reads them."""
    said = {}
    for name in json.loads(FILLED.read_text()):
        rows = connection.execute(select(READ[name])).all()
        said[name] = sorted((dict(row._mapping) for row in rows), key=repr)
    return said


def test_filled_books_are_carried_over(url: str) -> None:
    """What schema 0006 holds is proved after the upgrade, digest by digest, and is word for word
    what it was; the way back and forth again changes nothing.
    """
    _in(url, _go_to("0006"))
    _in(url, _fill)
    migrate.upgrade(url)
    audit_of = _in(url, partial(prove_within, now_ms=START_MS, partition_count=8))
    assert [] == [one for check in audit_of.checks for one in check.findings]
    (lines,) = (one for one in audit_of.checks if one.name == "journals_are_as_written")
    assert 23 == lines.looked_at
    said = _in(url, _said)
    for name, rows in json.loads(FILLED.read_text()).items():
        table = READ[name]
        empty = dict.fromkeys(column.name for column in table.columns) | {
            name: value for name, value in ADDED.items() if name in table.c
        }
        assert sorted((empty | _as_typed(table, row) for row in rows), key=repr) == said[name], name
    _in(url, _go_to("0006"))
    migrate.upgrade(url)
    assert said == _in(url, _said)


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
