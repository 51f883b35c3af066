"""A SQLite database moved into an empty PostgreSQL: every row of every table, in one transaction.

Flows in: two databases of this program's schema, of which the second holds nothing but what its
schema begins with. Flows out: the same rows with the same ids, or nothing at all. Triggers rest
meanwhile, because what they write is copied as well. Whoever calls keeps programs off both, and
proves the copy by ``vendgate audit``: its chains of digests hold over the move.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, func, insert, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from actors.ports import StoreError
from storage.database import dialects, schema, sqlite
from storage.database.postgres import postgres_engine
from storage.database.reader import describe
from storage.database.urls import parse
from storage.tables import audit, journal, machines, metadata

ONE_WAY = "A database is moved from SQLite to PostgreSQL, and in no other way."
ROWS_AT_ONCE = 500
STATEMENT_TIMEOUT_MS = 600_000
"""No single statement of a move takes longer."""


def move(source: str, target: str) -> int:
    """Write all rows of the SQLite database into the PostgreSQL; return how many there are. Raises
    StoreError: it is another kind of database, another schema, not empty, or cannot be done. Then
    the target is as it was. The source is only read.
    """
    there, here = parse(source), parse(target)
    if (
        there.get_backend_name() != dialects.SQLITE
        or here.get_backend_name() != dialects.POSTGRESQL
    ):
        raise StoreError(ONE_WAY)
    sqlite.require_file(there)
    try:
        return asyncio.run(_move(there, here))
    except (SQLAlchemyError, OSError) as error:
        raise StoreError(f"The database cannot be moved: {describe(error)}") from error


async def _move(source: URL, target: URL) -> int:
    reading = sqlite.sqlite_engine(source, busy_timeout_ms=STATEMENT_TIMEOUT_MS)
    writing = postgres_engine(target, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    try:
        with reading.connect() as rows:
            async with writing.begin() as connection:
                return await connection.run_sync(lambda there: copy(rows, there))
    finally:
        reading.dispose()
        await writing.dispose()


def copy(rows: Connection, target: Connection) -> int:
    """Write what one connection reads through the other; return how many rows there are. Raises
    StoreError.
    """
    for name, connection in (("SQLite", rows), ("PostgreSQL", target)):
        found = schema.found(connection)
        if found != schema.head():
            raise StoreError(
                f"The {name} database has schema {found or 'none'}, and this program moves those "
                f"of {schema.head()}: run 'vendgate db upgrade' on it first."
            )
    for table in (machines, journal, audit):
        if target.scalar(select(func.count()).select_from(table)):
            raise StoreError(
                f"The PostgreSQL database is in use: {table.name} has rows. Move into one that "
                "'vendgate db upgrade' has just made."
            )
    with _triggers_rest(target):
        for table in reversed(metadata.sorted_tables):
            target.execute(table.delete())
        copied = sum(_copy(table, rows, target) for table in metadata.sorted_tables)
    for table in metadata.sorted_tables:
        _count_on(table, target)
    return copied


@contextmanager
def _triggers_rest(connection: Connection) -> Iterator[None]:
    """Let no trigger of ours act in this transaction; those of foreign keys do. It needs the owner
    of the tables.
    """
    for table in metadata.sorted_tables:
        connection.execute(text(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER'))
    yield
    for table in metadata.sorted_tables:
        connection.execute(text(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER'))


def _copy(table: Table, rows: Connection, target: Connection) -> int:
    copied = 0
    ordered = select(table).order_by(*table.primary_key.columns)
    found = rows.execution_options(yield_per=ROWS_AT_ONCE).execute(ordered).mappings()
    for some in found.partitions():
        target.execute(insert(table), [dict(row) for row in some])
        copied += len(some)
    return copied


def _count_on(table: Table, target: Connection) -> None:
    """Have ids that the database gives go on behind those that were copied."""
    for column in inspect(target).get_columns(table.name):
        sequence = target.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": f'"{table.name}"', "column": column["name"]},
        )
        if sequence is None:
            continue
        last = target.scalar(select(func.max(table.c[column["name"]])))
        if last is not None:
            target.execute(text("SELECT setval(:name, :last)"), {"name": sequence, "last": last})
