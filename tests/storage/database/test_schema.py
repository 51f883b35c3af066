"""A program knows which version of the schema it needs, and finds which one is there."""

from alembic.script import ScriptDirectory

from storage.database import migrate, schema
from storage.database.engine import Database


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
