"""Connections and transactions. Flows in: functions of a Core ``Connection``. Flows out: what they
return, once it is committed.

A unit of work is a plain function, so that it runs the same way on both databases:

* SQLite: on threads, the whole function in one hop. One thread writes (``BEGIN IMMEDIATE``, so that
  it waits for the lock at its start and never fails in its middle), a few read (``BEGIN``, a
  snapshot, ``query_only``). A driver that hops to a thread for each statement costs several times
  as much, and a cancelled hop can leave its connection in a transaction.
* PostgreSQL: in an async engine's greenlet. Readers are ``REPEATABLE READ`` and read only.

Either way a process writes one transaction after the other, in the order in which it asked. Once
started, a unit of work runs to its end whatever becomes of the caller: cancelling reaches the
caller's waiting, never a COMMIT.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote

import structlog
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from actors.ports import StoreError
from storage import codec
from storage.database import dialects, schema

T = TypeVar("T")
Work = Callable[[Connection], T]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """Where the database is and how long to wait for it."""

    url: str
    """``sqlite:///vendgate.db`` or ``postgresql+asyncpg://user:password@host/name``."""
    busy_timeout_ms: int = 10_000
    """SQLite: how long a writer waits for another process. PostgreSQL: how long any statement may
    take.
    """
    readers: int = 4
    """How many reads run at the same time."""
    read_only: bool = False
    """Never write, not even a SQLite file's header; a file that is not there is not made."""


class Ways(Protocol):
    """How one kind of database runs a unit of work: SQLite on threads, PostgreSQL over the network,
    or a test's own in place.
    """

    dialect: Dialect

    async def write(self, work: Work[T]) -> T:
        """Run it in a transaction that may write, and commit it."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run it in a transaction that sees one state and cannot write."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class Database:
    """An open database. ``write`` and ``read`` run one transaction each and raise StoreError;
    errors of the work's own pass through.
    """

    def __init__(self, ways: Ways, *, read_only: bool = False) -> None:
        self._ways = ways
        self._read_only = read_only
        self.partition_count = 0
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    @classmethod
    async def open(cls, config: StorageConfig) -> Self:
        """Open the database, which must have been upgraded; raises StoreError with a sentence that
        says what to do.
        """
        url = parse(config.url)
        db = cls(
            _Sqlite(url, config)
            if url.get_backend_name() == dialects.SQLITE
            else _Postgres(url, config),
            read_only=config.read_only,
        )
        try:
            db.partition_count = await db.read(schema.opened)
        except BaseException:
            await db.close()
            raise
        return db

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self._ways.dialect

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction that may write, and commit it. It runs to its end even if
        the caller is cancelled.
        """
        if self._read_only:
            raise StoreError("The database was opened for reading only.")
        return await self._run(self._ways.write(work))

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction that sees one state of the database and cannot write."""
        return await self._run(self._ways.read(work))

    async def close(self) -> None:
        """Wait for what is running, then close all connections."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)
        await self._ways.close()

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            work.close()
            raise StoreError("The database is closed.")
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_report_unseen)
            raise
        except (DBAPIError, PoolTimeout, OSError) as error:
            raise StoreError(
                f"The database did not do it, or its answer was lost: {describe(error)}"
            ) from error


def _report_unseen(task: "asyncio.Task[Any]") -> None:
    """Nobody waits for this transaction any more: say how it went wrong, if it did."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("transaction_failed_unseen", error=str(error))


def describe(error: BaseException) -> str:
    """Return the driver's own words, without statements and parameters."""
    return str(getattr(error, "orig", None) or error).strip() or type(error).__name__


def parse(url: str) -> URL:
    """Return the URL with the driver that is used here; raises StoreError for what is neither
    SQLite in a file nor PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            "The database URL cannot be read: write sqlite:///path/to/file or "
            "postgresql://user@host/name."
        ) from None
    match parsed.get_backend_name():
        case dialects.SQLITE if parsed.database and parsed.database != ":memory:":
            return parsed.set(drivername="sqlite+pysqlite")
        case dialects.SQLITE:
            raise StoreError(
                "The database must be in a file that several processes can open: write "
                "sqlite:///path/to/file."
            )
        case dialects.POSTGRESQL:
            return (
                parsed.set(drivername="postgresql+asyncpg")
                if parsed.drivername == dialects.POSTGRESQL
                else parsed
            )
        case other:
            raise StoreError(f"No support for {other}: use SQLite or PostgreSQL.")


def sqlite_engine(
    url: URL,
    *,
    busy_timeout_ms: int,
    connections: int,
    begin: str,
    query_only: bool = False,
    read_only: bool = False,
) -> Engine:
    """Return an engine whose transactions start with ``begin`` and are durable when COMMIT returns.

    ``read_only`` opens the file itself so: it must be there, and keeps the journal mode that it
    has.
    """
    engine = create_engine(
        _read_only(url) if read_only else url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        json_serializer=codec.as_is,
        json_deserializer=codec.as_is,
        # A connection moves between the threads of one executor, one at a time. isolation_level
        # None: the driver begins nothing itself.
        connect_args={
            "timeout": busy_timeout_ms / 1000,
            "check_same_thread": False,
            "isolation_level": None,
        },
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "PRAGMA synchronous = FULL"
        )  # NORMAL may lose the last commits when power fails
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(
            "PRAGMA recursive_triggers = ON"
        )  # else INSERT OR REPLACE deletes what is append-only
        connection.execute(
            "PRAGMA cache_size = -16384"
        )  # KiB; a batch must not spill from the cache before its COMMIT
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if query_only:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _read_only(url: URL) -> URL:
    """Return the URL of the same file, opened without the right to write it
    (sqlite.org/uri.html).
    """
    return url.set(
        database=f"file:{quote(url.database or '')}", query={"mode": "ro", "uri": "true"}
    )


class _Sqlite:
    """Synchronous engines on threads of their own."""

    def __init__(self, url: URL, config: StorageConfig) -> None:
        self._writer = sqlite_engine(
            url, busy_timeout_ms=config.busy_timeout_ms, connections=1, begin="BEGIN IMMEDIATE"
        )
        self._reader = sqlite_engine(
            url,
            busy_timeout_ms=config.busy_timeout_ms,
            connections=config.readers,
            begin="BEGIN DEFERRED",
            query_only=True,
            read_only=config.read_only,
        )
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="vendgate-sqlite-write")
        self._read_threads = ThreadPoolExecutor(
            config.readers, thread_name_prefix="vendgate-sqlite-read"
        )
        self.dialect: Dialect = self._writer.dialect

    async def write(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._write_thread, _transact, self._writer, work
        )

    async def read(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._read_threads, _transact, self._reader, work
        )

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._read_threads, self._reader.dispose)
        # The writer goes last: the last connection to leave folds the write-ahead log into the
        # file.
        await loop.run_in_executor(self._write_thread, self._writer.dispose)
        self._read_threads.shutdown(wait=False)
        self._write_thread.shutdown(wait=False)


def _transact(engine: Engine, work: Work[T]) -> T:
    with engine.begin() as connection:
        return work(connection)


class _Postgres:
    """One async engine; readers are the same connections in another kind of transaction."""

    def __init__(self, url: URL, config: StorageConfig) -> None:
        self._writer = postgres_engine(
            url, statement_timeout_ms=config.busy_timeout_ms, connections=config.readers + 1
        )
        self._reader = self._writer.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writes = asyncio.Lock()
        self._reads = asyncio.Semaphore(config.readers)
        self.dialect: Dialect = self._writer.dialect

    async def write(self, work: Work[T]) -> T:
        async with self._writes, self._writer.begin() as connection:
            return await connection.run_sync(work)

    async def read(self, work: Work[T]) -> T:
        async with self._reads, self._reader.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._writer.dispose()


def postgres_engine(url: URL, *, statement_timeout_ms: int, connections: int) -> AsyncEngine:
    """Return an engine whose waits all have an end.

    ``idle_in_transaction_session_timeout`` is part of the ownership protocol: a frozen owner inside
    an open transaction holds its share of the fence, and a takeover waits exactly so long. Locks
    give up before statements do, so that no COMMIT is ever cancelled for a lock.
    """
    connect_args: dict[str, Any] = {}
    if url.get_driver_name() == "asyncpg":
        connect_args = {
            "timeout": 5,
            "command_timeout": statement_timeout_ms / 1000 + 1,
            "server_settings": {
                "application_name": "vendgate",
                "idle_in_transaction_session_timeout": "5000",
                "lock_timeout": str(max(statement_timeout_ms - 1000, 1000)),
                "statement_timeout": str(statement_timeout_ms),
            },
        }
    return create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=10,
        connect_args=connect_args,
        json_serializer=codec.as_is,
        json_deserializer=codec.as_is,
    )
