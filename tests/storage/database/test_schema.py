"""A program knows which versions of the schema it works with, and finds which one is there; and the
views for tools of others are what their page says.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, column, inspect, table, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from actors.ports import StoreError
from storage.database import migrate, schema
from storage.database.engine import Database
from storage.database.urls import parse
from storage.tables import installation, vends
from tests.storage.conftest import ON_POSTGRES

KEPT: Table = table("alembic_version", column("version_num"))  # type: ignore[assignment]


async def test_an_upgraded_database_has_the_version_that_is_needed(db: Database) -> None:
    """Opened, it says how many partitions it has."""
    assert schema.head() == await db.read(schema.found)
    assert 8 == await db.read(schema.opened)


def test_the_newest_migration_is_what_is_needed() -> None:
    """Versions are numbered files, one after the other. The first one's number says how often the
    first schema was made anew, before anybody had a database in production.
    """
    steps = ScriptDirectory.from_config(migrate.alembic_config())
    assert schema.head() == steps.get_current_head()
    assert schema.versions() == tuple(step.revision for step in steps.walk_revisions())[::-1]
    assert sorted(schema.versions()) == list(schema.versions())


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where migrations of a program of tomorrow can be written."""
    (tmp_path / "versions").mkdir()
    monkeypatch.setattr(schema, "MIGRATIONS", tmp_path)
    for cached in (schema._files, schema.unused_since):
        cached.cache_clear()
    yield tmp_path / "versions"
    for cached in (schema._files, schema.unused_since):
        cached.cache_clear()


EXPAND = 'kind = "EXPAND"\n'


def contract(since: str) -> str:
    """The lines of a migration that takes away what nobody uses since a schema."""
    return f'kind = "CONTRACT"\nunused_since = "{since}"\n'


@pytest.mark.parametrize(
    ("migrations", "database", "program"),
    [
        ({}, "0017", "0017"),
        ({"0018": EXPAND}, "0018", "0017"),
        ({"0018": EXPAND, "0019": EXPAND}, "0019", "0017"),
        ({"0018": EXPAND, "0019": contract("0018")}, "0018", "0018"),
        ({"0018": contract("0017")}, "0017", "0017"),
        ({"0018": EXPAND, "0019": contract("0018"), "0020": EXPAND}, "0020", "0018"),
        ({"0018": EXPAND, "0019": contract("0018"), "0020": contract("0017")}, "0018", "0018"),
    ],
)
def test_what_migrations_say_is_what_works_together(
    files: Path, migrations: dict[str, str], database: str, program: str
) -> None:
    """The oldest database that a program works with, and the oldest program that works with the
    database that it makes.
    """
    for version, said in ({"0013": "", "0017": EXPAND} | migrations).items():
        (files / f"{version}_some.py").write_text(said)
    assert (database, program) == (schema.oldest_database(), schema.oldest_program())


@pytest.mark.parametrize("said", ["", 'kind = "OTHER"', 'kind = "CONTRACT"', contract("0018")])
def test_a_migration_that_says_nothing_is_no_migration(files: Path, said: str) -> None:
    """Each says its kind, and one that takes something away since when nobody uses it."""
    for version, said_there in {"0017": EXPAND, "0018": said}.items():
        (files / f"{version}_some.py").write_text(said_there)
    with pytest.raises(AssertionError):
        schema.oldest_program()


def _say(version: str, oldest: str) -> object:
    def work(connection: Connection) -> None:
        connection.execute(update(KEPT).values(version_num=version))
        connection.execute(update(installation).values(oldest_program=oldest))

    return work


@pytest.mark.parametrize(
    ("version", "oldest", "said"),
    [
        ("9999", "0017", ""),
        ("9999", "", "has schema 9999, .* it was made by another version of the program"),
        ("9999", "9998", "with which programs of schema 9998 and newer work, .* start the newer"),
        ("0013", "", "has schema 0013, this program needs .* run 'vendgate db upgrade'"),
        ("0001", "0001", "has schema 0001, .* it was made by another version of the program"),
    ],
)
async def test_a_database_of_another_schema_says_whether_it_suits(
    db: Database, version: str, oldest: str, said: str
) -> None:
    """A newer one that was expanded is worked with; any other one is refused with what to do, also
    of a program that has served it before.
    """
    await db.write(_say(version, oldest))  # type: ignore[arg-type]
    if not said:
        assert "" == await db.read(schema.refusal) == await db.read(schema.outdated)
        assert 8 == await db.read(schema.opened)
    else:
        with pytest.raises(StoreError, match=said):
            await db.read(schema.opened)
        assert await db.read(schema.refusal) == await db.read(schema.outdated) != ""
    with pytest.raises(StoreError, match="this program knows all that is in"):
        await db.read(schema.require_same)


async def test_a_contraction_that_was_not_made_yet_is_waited_for(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it takes away this program does not use."""
    monkeypatch.setattr(schema, "head", lambda: "9999")
    monkeypatch.setattr(schema, "oldest_database", lambda: "0017")
    assert "" == await db.read(schema.refusal)
    assert 8 == await db.read(schema.opened)


PAGE = (Path(__file__).parents[3] / "docs" / "views.md").read_text()
SECTION = re.compile(r"^### (bi_\w+)\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
TOLD = {
    name: re.findall(r"^\| (\w+) \|", section, re.MULTILINE)[1:]
    for name, section in SECTION.findall(PAGE)
}
"""Each view with its columns, as the page has them."""
HIDDEN = ("payer", "token", "contact", "buyer", "trade_id", "partner", "evidence", "address")


async def test_the_views_are_what_their_page_says(db: Database) -> None:
    """Column by column, in one order; each can be read, and none tells who paid or how somebody is
    reached.
    """

    def work(connection: Connection) -> dict[str, list[str]]:
        there = inspect(connection)
        names = [name for name in there.get_view_names() if name.startswith("bi_")]
        for name in names:
            connection.execute(text(f"SELECT * FROM {name} LIMIT 1")).all()
        return {name: [str(one["name"]) for one in there.get_columns(name)] for name in names}

    found = await db.read(work)
    assert found == TOLD
    assert len(found) > 10
    assert [] == [
        (view, column)
        for view, columns in found.items()
        for column in columns
        if any(word in column for word in HIDDEN)
    ]
    assert 1 == await db.read(lambda c: c.scalar(text("SELECT version FROM bi_contract")))


@pytest.mark.parametrize("url", [pytest.param("postgresql", marks=ON_POSTGRES)], indirect=True)
async def test_the_role_of_the_page_reads_the_views_alone(url: str) -> None:
    """It reads each view, no table, and changes nothing."""
    (block,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    elsewhere = create_async_engine(parse(url))
    async with elsewhere.connect() as connection:
        transaction = await connection.begin()
        for statement in block.strip().split(";\n"):
            await connection.execute(text(statement.rstrip(";")))
        await connection.execute(text("SET LOCAL ROLE vendgate_bi"))
        for name in TOLD:
            await connection.execute(text(f"SELECT * FROM {name}"))
        writes = "INSERT INTO bi_sites (site) VALUES ('x')"
        for forbidden in (f"SELECT * FROM {vends.name}", writes):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with connection.begin_nested():
                    await connection.execute(text(forbidden))
        await transaction.rollback()
    await elsewhere.dispose()
