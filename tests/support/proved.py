"""What the audit finds in a SQLite file, for the many tests that end with it.

The engine is one for all files of this Python, because it keeps the compiled statements of the
audit; to compile them takes longer than to run them on a test's few rows.
"""

import functools
import sqlite3
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool

from gateway.process.clock import SystemClock
from storage import codec
from storage.auditing import prove_within

_where: list[Path] = []


@functools.cache
def _engine() -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{_where[-1]}?mode=ro", uri=True, isolation_level=None)

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=NullPool,
        json_serializer=codec.as_is,
        json_deserializer=codec.as_is,
    )
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def sentences(path: Path, *, partition_count: int, own_ids: frozenset[str]) -> tuple[str, ...]:
    """Return what the audit finds, in words; empty if the books are clean."""
    _where[:] = [path]
    with _engine().connect() as connection, connection.begin():
        return prove_within(
            connection,
            now_ms=SystemClock().now_ms(),
            partition_count=partition_count,
            own_ids=own_ids,
        ).sentences
