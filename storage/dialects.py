"""The few places where SQLite and PostgreSQL differ; everything else is written once."""

from collections.abc import Sequence

from sqlalchemy import Connection, Insert, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

COMMIT_ORDER_LOCK = 0x76656E64
"""The name of the advisory lock on PostgreSQL, the same in every process of an installation."""


def upsert(dialect_name: str, table: Table, keys: Sequence[str]) -> Insert:
    """Return an insert of whole rows that overwrites the row with the same ``keys``."""
    insert = _insert(dialect_name, table)
    changed = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
    return insert.on_conflict_do_update(index_elements=list(keys), set_=changed)


def insert_or_ignore(dialect_name: str, table: Table, keys: Sequence[str]) -> Insert:
    """Return an insert that does nothing when the row with the same ``keys`` exists."""
    return _insert(dialect_name, table).on_conflict_do_nothing(index_elements=list(keys))


def order_commits(connection: Connection) -> None:
    """Let transactions that write the journal commit in the order of its ids, so that nobody who follows it misses a row.

    SQLite has one writer at a time anyway. PostgreSQL hands ids out before the commit: from here to the end of the transaction it has
    one writer too, so call it last.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(COMMIT_ORDER_LOCK)))


def _insert(dialect_name: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    if dialect_name == SQLITE:
        return sqlite.insert(table)
    if dialect_name == POSTGRESQL:
        return postgresql.insert(table)
    raise ValueError(f"No upsert is known for {dialect_name}: use SQLite or PostgreSQL.")
