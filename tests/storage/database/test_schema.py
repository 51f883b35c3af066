"""A program knows which version of the schema it needs, and finds which one is there."""

from storage.database import schema
from storage.database.engine import Database
from storage.database.schema import MIGRATIONS


async def test_an_upgraded_database_has_the_version_that_is_needed(db: Database) -> None:
    """Opened, it says how many partitions it has."""
    assert schema.head() == await db.read(schema.found)
    assert 8 == await db.read(schema.opened)


def test_the_newest_migration_is_what_is_needed() -> None:
    """Versions are numbered files, one after the other. The first one's number says how often the
    first schema was made anew, before anybody had a database in production.
    """
    files = sorted(path.name for path in (MIGRATIONS / "versions").glob("0*.py"))
    assert schema.head() == files[-1].partition("_")[0]
    first = int(files[0].partition("_")[0])
    assert [f"{number:04}" for number in range(first, first + len(files))] == [
        name.partition("_")[0] for name in files
    ]
