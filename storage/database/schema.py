"""Which version of the schema a database has, and which one this program needs. Both are read
without Alembic, which a program that only serves needs not load (``migrate`` does).
"""

import functools
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from actors.ports import StoreError
from storage.tables import installation

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_KEPT = table("alembic_version", column("version_num"))
"""Alembic's own table: one row, with the version that the database has."""


@functools.cache
def versions() -> tuple[str, ...]:
    """Return all versions that this program can upgrade a database to, the oldest first. Each is a
    file whose name begins with it.
    """
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    found = tuple(sorted(path.name.partition("_")[0] for path in files))
    assert found, "the package holds no migration"
    return found


def head() -> str:
    """Return the version that this program needs."""
    return versions()[-1]


def found(connection: Connection) -> str | None:
    """Return the version that the database has, None if it is empty."""
    if not inspect(connection).has_table(_KEPT.name):
        return None
    version: str | None = connection.scalar(select(_KEPT.c.version_num))
    return version


def knows(version: str) -> bool:
    """Return whether this program can upgrade a database of that version."""
    return version in versions()


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
