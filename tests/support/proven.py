"""The audit, as cheap as a suite needs that proves the books after most tests.

It reads a SQLite file in the test's own thread: each statement of the product's readers goes to
another one and back several times, which takes longer than all checks. Compiled statements are kept
for all files: SQLAlchemy keeps them by dialect, and each engine of the product has a dialect of its
own. What a check said of the same rows before it is not asked again (``remembered``).
"""

import sqlite3
from collections.abc import Collection
from contextvars import ContextVar
from pathlib import Path

from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from storage import codec
from storage.auditing import WHOLE, Audit, Scope, prove, prove_within
from storage.database import dialects, schema
from storage.database.engine import Database
from tests.support.remembered import Memory

_file: ContextVar[Path] = ContextVar("the file whose books are read")


def _open() -> sqlite3.Connection:
    return sqlite3.connect(f"file:{_file.get()}?mode=ro", uri=True, isolation_level=None)


_MEMORY = Memory()
_ENGINE = create_engine(
    "sqlite://",
    creator=_open,
    poolclass=NullPool,
    json_serializer=codec.as_is,
    json_deserializer=codec.as_is,
)


def path_of(url: str) -> Path | None:
    """Return the file that a database's URL names, None if it is no SQLite."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == dialects.SQLITE else None


def prove_file(
    path: Path, *, now_ms: int, own_ids: Collection[str] = (), scope: Scope = WHOLE
) -> Audit:
    """Return what all checks find in one moment of the file. Whoever serves it may go on."""
    token = _file.set(path)
    try:
        with _ENGINE.connect() as connection, _MEMORY.used():
            # Otherwise each statement sees a moment of its own, and whoever serves the file saves.
            connection.exec_driver_sql("BEGIN")
            return prove_within(
                connection,
                now_ms=now_ms,
                partition_count=schema.opened(connection),
                own_ids=own_ids,
                scope=scope,
            )
    finally:
        _file.reset(token)


async def proved(db: Database, *, now_ms: int, scope: Scope = WHOLE) -> Audit:
    """Return what all checks find in one moment of an open database."""
    if db.dialect.name != dialects.SQLITE:
        return await prove(db, now_ms=now_ms, scope=scope)
    return await db.write(
        lambda connection: prove_within(
            connection, now_ms=now_ms, partition_count=db.partition_count, scope=scope
        )
    )
