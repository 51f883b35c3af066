"""Which version of the schema a database has, and which one this program needs."""

import functools
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select

from actors.ports import StoreError
from storage.tables import installation

MIGRATIONS = Path(__file__).parents[1] / "migrations"


def alembic_config() -> Config:
    """Return Alembic's configuration; the migrations are found beside this folder, installed or
    not.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@functools.cache
def head() -> str:
    """Return the version that this program needs. It is found by reading the migrations, which
    takes longer than opening a database.
    """
    revision = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert revision is not None, "the package holds no migration"
    return revision


def found(connection: Connection) -> str | None:
    """Return the version that the database has, None if it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def knows(version: str) -> bool:
    """Return whether this program can upgrade a database of that version."""
    steps = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return version in {step.revision for step in steps}


def to_do(there: str) -> str:
    """Return what to do with a database of another version, as the end of a sentence."""
    if knows(there):
        return "run 'vendgate db upgrade' with the same settings."
    return (
        "it was made by another version of the program, and cannot be upgraded by this one. "
        "Start that version again, or give this one a new database."
    )


def opened(connection: Connection) -> int:
    """Return the number of partitions; raises StoreError unless the database has the version that
    this program needs.
    """
    needed, there = head(), found(connection)
    if there is None:
        raise StoreError("The database is empty: run 'vendgate db upgrade' first.")
    if there != needed:
        raise StoreError(
            f"The database has schema {there}, this program needs {needed}: {to_do(there)}"
        )
    partition_count: int | None = connection.scalar(select(installation.c.partition_count))
    assert partition_count is not None, "the upgrade writes it"
    return partition_count
