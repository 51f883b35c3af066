"""Which version of the schema a database has, and whether this program works with it. Both are read
without Alembic, which a program that only serves needs not load (``migrate`` does).

While a new program replaces an old one, both are alive on one database. So each migration says what
it is, in a line of its file:

* ``kind = "EXPAND"``: it only adds, and programs of the schema before go on working.
* ``kind = "CONTRACT"``: it takes something away, which programs use no more whose schema is
  ``unused_since`` or newer; older ones must have ended.

Flows in: the names and those lines of the files, and two rows. Flows out: versions, and sentences.
"""

import ast
import functools
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from actors.ports import StoreError
from storage.tables import installation

MIGRATIONS = Path(__file__).parents[1] / "migrations"
EXPAND, CONTRACT = "EXPAND", "CONTRACT"
FIRST = "0017"
"""Programs of earlier schemas work with no schema but their own, and migrations say no kind."""
_KEPT = table("alembic_version", column("version_num"))
"""Alembic's own table: one row, with the version that the database has."""


@functools.cache
def _files() -> dict[str, Path]:
    """Return the migrations by their versions, the oldest first. Each file's name begins with its
    version.
    """
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    found = dict(sorted((path.name.partition("_")[0], path) for path in files))
    assert found, "the package holds no migration"
    return found


def versions() -> tuple[str, ...]:
    """Return all versions that this program can upgrade a database to, the oldest first."""
    return tuple(_files())


def head() -> str:
    """Return the version that this program was written for."""
    return versions()[-1]


@functools.cache
def unused_since(version: str) -> str | None:
    """Return None for a migration that only adds; else the schema since which programs use no more
    what it takes away.
    """
    body = ast.parse(_files()[version].read_text(encoding="utf-8")).body
    said = {
        line.targets[0].id: line.value.value
        for line in body
        if isinstance(line, ast.Assign)
        and isinstance(line.targets[0], ast.Name)
        and isinstance(line.value, ast.Constant)
    }
    if said.get("kind") == EXPAND:
        return None
    since = said.get("unused_since")
    assert said.get("kind") == CONTRACT, f"{version} does not say its kind"
    assert isinstance(since, str), f"{version} does not say unused_since"
    assert FIRST <= since < version, f"nobody can have stopped using it in {since}"
    return since


def oldest_database() -> str:
    """Return the oldest version with which this program works: a contraction that was not made yet
    takes away what it does not use.
    """
    for version in reversed(versions()):
        if version <= FIRST or unused_since(version) is None:
            return version
    raise AssertionError(f"{FIRST} is there")


def oldest_program() -> str:
    """Return the schema of the oldest program that works with a database of ``head()``."""
    newer = [unused_since(version) for version in versions() if version > FIRST]
    return max([FIRST, *(since for since in newer if since is not None)])


def found(connection: Connection) -> str | None:
    """Return the version that the database has, None if it is empty."""
    if not inspect(connection).has_table(_KEPT.name):
        return None
    return _version(connection)


def _version(connection: Connection) -> str | None:
    version: str | None = connection.scalar(select(_KEPT.c.version_num))
    return version


def knows(version: str) -> bool:
    """Return whether this program can upgrade a database of that version."""
    return version in versions()


def refusal(connection: Connection) -> str:
    """Return why this program does not work with the database, and what to do, as a sentence; empty
    if it does.
    """
    return _why_not(connection, found(connection))


def outdated(connection: Connection) -> str:
    """Return the same of a database that was opened before and may have been upgraded since. It is
    quick: a program that serves asks it again and again.
    """
    return _why_not(connection, _version(connection))


def _why_not(connection: Connection, there: str | None) -> str:
    needed = head()
    if there is None:
        return "The database is empty: run 'vendgate db upgrade' first."
    if there == needed or (knows(there) and there >= oldest_database()):
        return ""
    if knows(there):
        return (
            f"The database has schema {there}, this program needs {needed}: run 'vendgate db "
            "upgrade' with the same settings."
        )
    oldest = _oldest_program_of(connection) if there > needed else ""
    if not oldest:
        return f"The database has schema {there}, this program needs {needed}: {STRANGE}"
    if oldest <= needed:
        return ""
    return (
        f"The database has schema {there}, with which programs of schema {oldest} and newer work, "
        f"and this one is of {needed}: start the newer program."
    )


STRANGE = (
    "it was made by another version of the program, and cannot be upgraded by this one. "
    "Start that version again, or give this one a new database."
)


def _oldest_program_of(connection: Connection) -> str:
    """Return what a newer schema says of itself; empty if it says nothing."""
    there = inspect(connection).get_columns(installation.name)
    if installation.c.oldest_program.name not in {each["name"] for each in there}:
        return ""
    return connection.scalar(select(installation.c.oldest_program)) or ""


def opened(connection: Connection) -> int:
    """Return the number of partitions; raises StoreError unless this program works with the
    database.
    """
    if refused := refusal(connection):
        raise StoreError(refused)
    partition_count: int | None = connection.scalar(select(installation.c.partition_count))
    assert partition_count is not None, "the upgrade writes it"
    return partition_count


def require_same(connection: Connection) -> None:
    """Raise StoreError unless the database has exactly this program's schema: who copies or deletes
    whole rows must know all that is in them.
    """
    there = found(connection)
    if there != head():
        raise StoreError(
            f"The database has schema {there}, and this program knows all that is in {head()}: "
            "use the program of that schema. Nothing was changed."
        )
