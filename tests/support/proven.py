"""The audit of a SQLite file, as cheap as a suite needs that proves the books after most tests.

The statements are compiled once for all files: SQLAlchemy keeps them by dialect, and each engine of
the product has a dialect of its own.
"""

import sqlite3
from collections.abc import Collection
from contextvars import ContextVar
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from storage import codec
from storage.auditing import Audit, prove_within
from storage.database import schema

_file: ContextVar[Path] = ContextVar("the file whose books are read")


def _open() -> sqlite3.Connection:
    return sqlite3.connect(f"file:{_file.get()}?mode=ro", uri=True)


_ENGINE = create_engine(
    "sqlite://",
    creator=_open,
    poolclass=NullPool,
    json_serializer=codec.as_is,
    json_deserializer=codec.as_is,
)


def prove_file(path: Path, *, now_ms: int, own_ids: Collection[str] = ()) -> Audit:
    """Return what all checks find in one moment of the file. Whoever serves it may go on."""
    token = _file.set(path)
    try:
        with _ENGINE.connect() as connection:
            return prove_within(
                connection,
                now_ms=now_ms,
                partition_count=schema.opened(connection),
                own_ids=own_ids,
            )
    finally:
        _file.reset(token)
