"""SQLite in a file: the engine that writes, on a thread of its own, and the engines that read.

A transaction that writes runs on one thread, the whole function in one hop: 20 statements through a
driver that hops to a thread for each took 3.7 times as long. It begins with ``BEGIN IMMEDIATE``, so
that it waits for the lock at its start and never fails in its middle. Reads go through aiosqlite,
each in a snapshot (``BEGIN DEFERRED``), on connections that cannot write (``query_only``). The file
is in WAL mode: nobody who reads makes anybody wait who writes, nor the other way round.
"""

import asyncio
import contextlib
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from actors.ports import StoreError
from storage import codec
from storage.database import driving
from storage.database.one_hop import begin, one_hop
from storage.database.reader import Reading, T, Work

INTERRUPT_EVERY_S = 0.02
Identity = tuple[int, int]
"""Of a file, under whatever name: its device and its number there."""


def serving_mark(file: Path) -> Path:
    """Return the file beside a database whose lock says that a gateway serves it."""
    whole = file.resolve()
    return whole.with_name(f"{whole.name}-serving")


def make_private(url: URL) -> None:
    """Make the file, if there is none, for its owner alone; its log will have the same mode. Raises
    OSError.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(url.database or "", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def require_file(url: URL) -> None:
    """Raise StoreError if there is no file: SQLite would make an empty one."""
    if not Path(url.database or "").is_file():
        raise StoreError(
            f"There is no database {url.database}: name your settings with --config or "
            "VENDGATE_CONFIG, or make it with 'vendgate db upgrade'."
        )


def sqlite_engine(url: URL, *, busy_timeout_ms: int) -> Engine:
    """Return an engine of one connection, whose transactions hold the write lock from their
    beginning, and are durable when COMMIT returns.
    """
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        json_serializer=codec.as_is,
        json_deserializer=codec.as_is,
        # The connection is opened and closed by other threads than the one that uses it.
        # isolation_level None: the driver begins nothing itself.
        connect_args={
            "timeout": busy_timeout_ms / 1000,
            "check_same_thread": False,
            "isolation_level": None,
        },
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        _pragmas(connection, "journal_mode = WAL", *_PRAGMAS)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driving.execute(connection, "BEGIN IMMEDIATE")

    return engine


def sqlite_read_engine(
    url: URL, *, busy_timeout_ms: int, connections: int, read_only: bool
) -> AsyncEngine:
    """Return an engine whose transactions see one state each and cannot write.

    ``read_only`` opens the file itself so: it must be there, and keeps the journal mode that it
    has.
    """
    engine = create_async_engine(
        (_read_only(url) if read_only else url).set(drivername="sqlite+aiosqlite"),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        json_serializer=codec.as_is,
        json_deserializer=codec.as_is,
        connect_args={"timeout": busy_timeout_ms / 1000, "isolation_level": None},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        journal_mode = () if read_only else ("journal_mode = WAL",)
        _pragmas(connection, *journal_mode, *_PRAGMAS, "query_only = ON")

    event.listen(engine.sync_engine, "do_connect", one_hop)
    event.listen(engine.sync_engine, "begin", begin)
    return engine


_PRAGMAS = (
    "synchronous = FULL",  # NORMAL may lose the last commits when power fails
    "foreign_keys = ON",
    "recursive_triggers = ON",  # otherwise INSERT OR REPLACE deletes what is append-only
    "cache_size = -16384",  # KiB; a batch must not spill from the cache before its COMMIT
    "journal_size_limit = 67108864",
    "secure_delete = ON",  # who was erased stands in no free corner of the file either
)


def _pragmas(connection: Any, *pragmas: str) -> None:
    """Set them on a new connection: a driver's own, or one of aiosqlite's that looks like one."""
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _read_only(url: URL) -> URL:
    """Return the URL of the same file, opened without the right to write it
    (sqlite.org/uri.html).
    """
    return url.set(
        database=f"file:{quote(url.database or '')}", query={"mode": "ro", "uri": "true"}
    )


async def end(task: "asyncio.Task[Any]", reading: Reading) -> None:
    """Interrupt the read until it is over.

    One interrupt reaches only the statement that runs at this moment, and the next one may be on
    its way to the thread. The task is never cancelled: that would leave the statement running, and
    its connection in a transaction. Interrupted, the statement fails, and the connection is rolled
    back and used again.
    """
    while not task.done():
        if reading.driver is not None:
            with contextlib.suppress(ValueError, sqlite3.ProgrammingError):  # it was closed
                await reading.driver.interrupt()
        await asyncio.wait({task}, timeout=INTERRUPT_EVERY_S)


class SqliteWriter:
    """Writes on a synchronous engine, on a thread of its own."""

    def __init__(self, url: URL, *, busy_timeout_ms: int) -> None:
        self._engine = sqlite_engine(url, busy_timeout_ms=busy_timeout_ms)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vendgate-sqlite-write")
        self.dialect: Dialect = self._engine.dialect
        self._connection: Connection | None = None
        self._path = Path(url.database or "").absolute()
        self._file: Identity | None = None
        whole = self._path.resolve()
        self._log_path = whole.with_name(f"{whole.name}-wal")
        self._log: Identity | None = None
        event.listen(self._engine, "connect", self._connected)
        self._mark = serving_mark(self._path)
        self._marked = _identity(self._mark)

    async def write(self, work: Work[T]) -> T:
        """Run it in a transaction, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    async def close(self) -> None:
        """Close the connection. The last one to leave folds the write-ahead log into the file, so
        this is closed after all others.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._dispose)
        self._thread.shutdown(wait=False)

    def _transact(self, work: Work[T]) -> T:
        # It stays out of its pool while all goes well: taking it out and putting it back costs as
        # much as beginning and committing. After whatever went wrong the pool makes it clean.
        connection = self._connection = self._connection or self._engine.connect()
        try:
            with connection.begin():
                done = work(connection)
                self._check_place()
        except BaseException:
            self._put_back()
            raise
        return done

    def _put_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _dispose(self) -> None:
        self._put_back()
        self._engine.dispose()

    def _connected(self, _connection: object, _record: object) -> None:
        # The last connection to leave removes the log, and the next one has another.
        self._log = None

    def _check_place(self) -> None:
        """Before COMMIT: see that the file and its log are still those that are open, and its mark
        still the one that was there. In a file that was removed or replaced SQLite goes on saving,
        and all of it is lost with the process; without its mark the file may be another gateway's
        by now.
        """
        file = _identity(self._path)
        self._file = self._file or file
        if file is None or file != self._file:
            raise StoreError(
                f"The database file {self._path} was removed or replaced while it was open: stop "
                "the gateway, put the file or its newest backup back, and start again."
            )
        log = _identity(self._log_path)
        self._log = self._log or log
        if log is None or log != self._log:
            raise StoreError(
                f"The database's log {self._log_path} was removed or replaced while it was open, "
                "and what was saved last was in it: stop the gateway, put the newest backup back, "
                "and start again."
            )
        if self._marked is not None and _identity(self._mark) != self._marked:
            raise StoreError(
                f"{self._mark} was removed or replaced while the database beside it was open, so "
                "another gateway may serve it by now: stop this one, and every other one but one."
            )


def _identity(path: Path) -> Identity | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - three a commit, in half the time of Path.stat
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
