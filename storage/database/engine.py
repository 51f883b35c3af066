"""Connections and transactions. A caller hands over a function of a Core ``Connection`` and gets
what it returns.

Such a unit of work is a plain function, so that it is written once for both databases:

* What it writes is one transaction, which has been committed when ``write`` returns. A process
  writes one transaction after the other, in the order in which they were asked for. Once started,
  it runs to its end whatever becomes of the caller: cancelling ends the caller's waiting, never a
  COMMIT.
* What it reads it reads in one snapshot (``storage.database.reader``). Reads of the money's path
  have connections of their own, ``read_money``: a notification and a machine that is loaded wait
  for no list, however slow.

How the two databases do it is written in ``sqlite`` and ``postgres`` beside this file.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, Self

import structlog
from sqlalchemy import URL, Dialect
from sqlalchemy.exc import DBAPIError

from actors.ports import StoreError
from storage.database import dialects, durability, postgres, schema, sqlite
from storage.database.reader import Reader, Reads, T, Work, as_store_errors
from storage.database.urls import parse

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """Where the database is and how long to wait for it."""

    url: str
    """``sqlite:///vendgate.db`` or ``postgresql+asyncpg://user:password@host/name``."""
    busy_timeout_ms: int = 10_000
    """SQLite: how long a writer waits for another process. PostgreSQL: how long a statement that
    writes may take.
    """
    readers: int = 4
    """How many lists and look-ups run at the same time."""
    money_readers: int = 2
    """How many reads of the money's path run at the same time, beside those."""
    read_timeout_ms: int = 30_000
    """How long a read may take before it is ended."""
    read_only: bool = False
    """Never write, not even a SQLite file's header; a file that is not there is not made."""


class Writer(Protocol):
    """How one kind of database writes: SQLite on a thread, PostgreSQL over the network, or a
    simulated world's own.
    """

    dialect: Dialect

    async def write(self, work: Work[T]) -> T:
        """Run it in a transaction that may write, and commit it."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Database:
    """An open database. ``write``, ``read`` and ``read_money`` run one transaction each and raise
    StoreError; errors of the work's own pass through.
    """

    def __init__(
        self, writer: Writer, *, lists: Reads, money: Reads, read_only: bool = False
    ) -> None:
        self._writer = writer
        self._lists = lists
        self._money = money
        self._read_only = read_only
        self.partition_count = 0
        self._writing: set[asyncio.Task[Any]] = set()
        self._saved_at: float | None = None  # the loop's clock
        # How many transactions may be committed here alone (``durability``), and how many of them
        # are known to be durable, or not to be there. One task finds out, for all who wait.
        self._doubts = 0
        self._cleared = 0
        self._clearing: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, config: StorageConfig) -> Self:
        """Open the database, which must have been upgraded; raises StoreError with a sentence that
        says what to do.
        """
        url = parse(config.url)
        opened = _sqlite if url.get_backend_name() == dialects.SQLITE else _postgres
        if opened is _sqlite:
            sqlite.require_file(url)
        writer, lists, money = opened(url, config)
        db = cls(writer, lists=lists, money=money, read_only=config.read_only)
        try:
            db.partition_count = await db.read(schema.opened)
        except BaseException:
            await db.close()
            raise
        return db

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self._writer.dialect

    async def write(self, work: Work[T], *, proves: bool = True) -> T:
        """Run ``work`` in a transaction that may write, and commit it. It runs to its end even if
        the caller is cancelled. ``proves`` False: it takes no room, so that it may be saved when
        nothing else can.
        """
        if self._read_only:
            raise StoreError("The database was opened for reading only.")
        if self._closed:
            raise StoreError("The database is closed.")
        return await self._to_its_end(self._writer.write(work), proves=proves)

    def saved_within(self, span_s: float) -> bool:
        """Return whether this process saved something that short a time ago, and nothing that it
        could not save since.
        """
        return (
            self._saved_at is not None
            and asyncio.get_running_loop().time() - self._saved_at < span_s
        )

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction that sees one state of the database and cannot write. It
        is ended when the caller is cancelled, or when it takes longer than a read may.
        """
        return await self._read(self._lists, work)

    async def read_money(self, work: Work[T]) -> T:
        """Do the same for the path of the money, on connections that no other read can hold. What
        it returns is durable, also if it is of a transaction whose outcome nobody knew.
        """
        while self._cleared < self._doubts and not self._read_only:
            if self._clearing is None or self._clearing.done():
                self._clearing = asyncio.create_task(self._clear())
                self._clearing.add_done_callback(_seen)
            await asyncio.shield(self._clearing)
        return await self._read(self._money, work)

    async def close(self) -> None:
        """Wait for what is written, end what is read, then close all connections."""
        self._closed = True
        if self._writing:
            await asyncio.wait(self._writing)
        await self._lists.close()
        await self._money.close()
        await self._writer.close()

    async def _clear(self) -> None:
        doubts = self._doubts
        await self.write(durability.make_durable)
        self._cleared = doubts

    async def _read(self, reads: Reads, work: Work[T]) -> T:
        if self._closed:
            raise StoreError("The database is closed.")
        with as_store_errors():
            return await reads.read(work)

    async def _to_its_end(self, writing: Coroutine[Any, Any, T], *, proves: bool) -> T:
        task = asyncio.create_task(writing)
        self._writing.add(task)
        task.add_done_callback(lambda task: self._written(task, proves=proves))
        try:
            with as_store_errors():
                return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_report_unseen)
            raise

    def _written(self, task: "asyncio.Task[Any]", *, proves: bool) -> None:
        self._writing.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, DBAPIError | OSError):
            self._doubts += self.dialect.name == dialects.POSTGRESQL
            self._saved_at = None
        elif error is None and proves and not task.cancelled():
            self._saved_at = task.get_loop().time()


def _seen(task: "asyncio.Task[None]") -> None:
    """Whoever waits raises what it raised; perhaps nobody does any more."""
    if not task.cancelled():
        task.exception()


def _report_unseen(task: "asyncio.Task[Any]") -> None:
    """Nobody waits for this transaction any more: say how it went wrong, if it did."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("A transaction failed, and its caller had gone.", error=str(error))


def _sqlite(url: URL, config: StorageConfig) -> tuple[Writer, Reader, Reader]:
    def reader(connections: int) -> Reader:
        engine = sqlite.sqlite_read_engine(
            url,
            busy_timeout_ms=config.busy_timeout_ms,
            connections=connections,
            read_only=config.read_only,
        )
        return Reader(engine, at_once=connections, within_ms=config.read_timeout_ms, end=sqlite.end)

    writer = sqlite.SqliteWriter(url, busy_timeout_ms=config.busy_timeout_ms)
    return writer, reader(config.readers), reader(config.money_readers)


def _postgres(url: URL, config: StorageConfig) -> tuple[Writer, Reader, Reader]:
    def reader(connections: int) -> Reader:
        engine = postgres.postgres_read_engine(
            url,
            # The server's own bound comes later than ours: it is for a gateway that has died.
            statement_timeout_ms=config.read_timeout_ms + 1_000,
            connections=connections,
        )
        return Reader(
            engine, at_once=connections, within_ms=config.read_timeout_ms, end=postgres.end
        )

    writer = postgres.PostgresWriter(url, busy_timeout_ms=config.busy_timeout_ms)
    return writer, reader(config.readers), reader(config.money_readers)
