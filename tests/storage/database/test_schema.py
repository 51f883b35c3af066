"""A program knows which version of the schema it needs, and finds which one is there; and the views
for tools of others are what their page says.
"""

import re
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from storage.database import migrate, schema
from storage.database.engine import Database
from storage.database.urls import parse
from storage.tables import vends
from tests.storage.conftest import ON_POSTGRES


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
    first = int(schema.versions()[0])
    numbered = [f"{number:04}" for number in range(first, first + len(schema.versions()))]
    assert numbered == list(schema.versions())


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
