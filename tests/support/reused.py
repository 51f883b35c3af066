"""One PostgreSQL database for test after test: to empty and fill it again takes a third of what a
new copy of it takes, and hundreds of tests want one. A test that changed its shape (a trigger, an
index, statistics of the planner) or left it large gets it thrown away, and the next a new copy.
The connection that does so is kept: a new one would learn a hundred tables each time.

Flows in: the URL of a server of our own. Flows out: the URL of a database with known contents.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import asyncpg  # type: ignore[import-untyped]

T = TypeVar("T")

_TEMPLATE, _NAME = "upgraded", "fresh"
_GROWN_MAX_BYTES = 2_000_000
"""Rows that were deleted keep their pages, by which the planner counts."""
_EMPTY_BYTES = len(b"PGCOPY\n\xff\r\n\0") + 4 + 4 + 2
"""COPY's head and its end, with no row between them."""
_SIZE = "SELECT pg_database_size(current_database())"
_OTHERS_OUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"""
_SEQUENCES = """
SELECT format('SELECT setval(%L, %s, %L)', schemaname || '.' || sequencename,
  coalesce(last_value, start_value), last_value IS NOT NULL) FROM pg_sequences"""
_EMPTIES = """
CREATE OR REPLACE FUNCTION pg_temp.emptied() RETURNS void LANGUAGE plpgsql AS $$
BEGIN SET LOCAL session_replication_role = replica; {deletes} END $$"""
"""One statement a table, which the connection plans once: there are a hundred of them."""
_SHAPE = """
SELECT concat_ws(' ',
  (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace),
  (SELECT count(*) || ':' || max(pg_attribute.xmin::text::bigint) FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0),
  (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_trigger),
  (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_constraint),
  (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace),
  (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_namespace
    WHERE nspname NOT LIKE 'pg_%'),
  (SELECT count(*) FROM pg_db_role_setting),
  (SELECT count(*) FROM pg_statistic JOIN pg_class ON pg_class.oid = starelid
    WHERE relnamespace = 'public'::regnamespace))"""
"""How many there are of each kind, and which transaction was the last to write one: whoever makes,
changes or takes away any of them changes one of both.
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """All rows of a database, by table in COPY's binary format; and the statements that put its
    sequences where they stand.
    """

    tables: dict[str, bytes]
    sequences: tuple[str, ...]


class Reused:
    """The database, and what it looked like when it was new."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._shape = ""
        self._size = 0
        # A loop of its own, which no test sees, and which goes on only while it is asked.
        self._loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._kept: asyncpg.Connection | None = None

    def make(self, upgrade: Callable[[str], None]) -> None:
        """Make the database that it is copied from when a test has changed its shape."""
        made = self._on("postgres", lambda db: db.execute(f"CREATE DATABASE {_TEMPLATE}"))
        self._loop.run(made)
        upgrade(f"{self._server}/{_TEMPLATE}")
        self._loop.run(self._copy())

    def taken(self) -> Contents:
        """Return what is in it, which nobody writes now."""
        return self._loop.run(self._on_kept(_taken))

    def filled(self, contents: Contents) -> str:
        """Return the URL of the database with these contents and nothing else."""
        self._loop.run(self._fill(contents))
        return f"{self._server}/{_NAME}"

    def close(self) -> None:
        """Let go of it, before its server is stopped."""
        self._loop.run(self._let_go())
        self._loop.close()

    async def _fill(self, contents: Contents) -> None:
        async def again(db: asyncpg.Connection) -> bool:
            await db.execute(_OTHERS_OUT)
            shape, size = await _looks(db)
            as_new = shape == self._shape and size <= self._size + _GROWN_MAX_BYTES
            if as_new:
                await _fill(db, contents)
            return as_new

        try:
            as_new = await self._on_kept(again)
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
            await self._let_go()  # a test hung up on everybody
            as_new = await self._on_kept(again)
        if not as_new:
            await self._copy()
            await self._on_kept(lambda db: _fill(db, contents))

    async def _copy(self) -> None:
        await self._let_go()
        await self._on("postgres", _copy)
        self._shape, self._size = await self._on_kept(_looks)

    async def _on_kept(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        if self._kept is None:
            self._kept = await asyncpg.connect(f"{self._server}/{_NAME}")
            tables = [row["relname"] for row in await self._kept.fetch(_TABLES)]
            deletes = " ".join(f'DELETE FROM public."{name}";' for name in tables)
            await self._kept.execute(_EMPTIES.format(deletes=deletes))
        return await work(self._kept)

    async def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.terminate()

    async def _on(self, name: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        db = await asyncpg.connect(f"{self._server}/{name}")
        try:
            return await work(db)
        finally:
            await db.close()


async def _copy(db: asyncpg.Connection) -> None:
    await db.execute(f"DROP DATABASE IF EXISTS {_NAME} WITH (FORCE)")
    await db.execute(f"CREATE DATABASE {_NAME} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")


async def _looks(db: asyncpg.Connection) -> tuple[str, int]:
    return await db.fetchval(_SHAPE), await db.fetchval(_SIZE)


async def _taken(db: asyncpg.Connection) -> Contents:
    tables = {}
    for row in await db.fetch(_TABLES):
        out = io.BytesIO()
        await db.copy_from_table(row["relname"], output=out, format="binary")
        tables[row["relname"]] = out.getvalue()
    return Contents(tables, tuple(row[0] for row in await db.fetch(_SEQUENCES)))


async def _fill(db: asyncpg.Connection, contents: Contents) -> None:
    """Past all triggers and references, which would keep the books from being emptied."""
    async with db.transaction():
        await db.execute("SELECT pg_temp.emptied()")
        for name, rows in contents.tables.items():
            if len(rows) > _EMPTY_BYTES:
                await db.copy_to_table(name, source=io.BytesIO(rows), format="binary")
        await db.execute("; ".join(contents.sequences))
