"""Reads, on SQLAlchemy's async engine: one class for aiosqlite and asyncpg.

A ``Reader`` has a few connections of its own. As many reads run at the same time; the others wait
their turn. A read is a plain function of a Core ``Connection``, run in the engine's greenlet:
the loop goes on while the database works, and stands still while the function itself computes;
what makes values of many rows takes them ``in_turns``.
Each read is one transaction that sees one state, cannot write, and is rolled back at its end.

Nobody waits for ever. A read that takes longer than it may is ended, and the caller is told so; a
read whose caller was cancelled is ended too. Either way the caller goes at once, and the read keeps
its connection, and its turn, until the database has really stopped. How that is done is the one
thing in which the databases differ (``storage.database.sqlite.end``, ``postgres.end``).
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_
from sqlalchemy.util.concurrency import in_greenlet

from actors.ports import StoreError

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Connection], T]

log = structlog.get_logger()


class Reads(Protocol):
    """Runs reads: ``Reader`` against a database, or a simulated world's own."""

    async def read(self, work: Work[T]) -> T:
        """Run it in a transaction that sees one state and cannot write."""
        ...

    async def close(self) -> None:
        """End what runs, and let go of all connections."""
        ...


@dataclass(slots=True)
class Reading:
    """A read that was begun. ``driver`` is the driver's own connection while statements may run on
    it for this read, otherwise None. ``answered``: the database has answered a statement of it.
    """

    driver: Any = None
    answered: bool = False


End = Callable[["asyncio.Task[Any]", Reading], Coroutine[Any, Any, None]]
"""Stops a read that runs in this task, and returns when the task is done."""


_READING = "vendgate.reading"
"""Under this name a pooled connection knows the read that has it."""


def _answered(connection: Connection, *_: object) -> None:
    connection.info[_READING].answered = True


class Reader:
    """Reads on a pool of connections that nobody else uses.

    ``at_once``: how many reads run at the same time; the engine's pool must hold as many.
    ``within_ms``: how long a read may take, with the time that it waits for a connection.
    """

    def __init__(self, engine: AsyncEngine, *, at_once: int, within_ms: int, end: End) -> None:
        self._engine = engine
        self._free = asyncio.Semaphore(at_once)
        self._within_ms = within_ms
        self._end = end
        self._running: dict[asyncio.Task[Any], Reading] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        event.listen(engine.sync_engine, "after_cursor_execute", _answered)

    async def read(self, work: Work[T]) -> T:
        """Return what ``work`` returns. Raises StoreError if the database fails or takes too long;
        errors of the work's own pass through.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._within_ms / 1000
        await self._wait_for_turn(until_s)
        task = self._start(work)
        try:
            await asyncio.wait({task}, timeout=until_s - loop.time())
        except asyncio.CancelledError:
            self._stop(task)
            raise
        if not task.done():
            self._stop(task)
            log.warning("A read took longer than it may and was ended.", within_ms=self._within_ms)
            raise StoreError(
                f"The read was ended because it took longer than {self._within_ms} ms: ask for "
                "less at a time, or later."
            )
        if self._closed and (task.cancelled() or task.exception() is not None):
            raise StoreError("The database was closed while it was read.")
        with as_store_errors():
            return task.result()

    async def close(self) -> None:
        """End the reads that run, and close all connections."""
        self._closed = True
        for task in list(self._running):
            self._stop(task)
        if self._ending:
            await asyncio.wait(self._ending)
        await self._engine.dispose()

    async def _wait_for_turn(self, until_s: float) -> None:
        try:
            async with asyncio.timeout_at(until_s):
                await self._free.acquire()
        except TimeoutError:
            log.warning("A read found every connection busy.", within_ms=self._within_ms)
            raise StoreError(
                f"No connection became free for the read within {self._within_ms} ms: too much is "
                "read at the same time. Ask later."
            ) from None
        if self._closed:
            self._free.release()
            raise StoreError("The database is closed.")

    def _start(self, work: Work[T]) -> "asyncio.Task[T]":
        reading = Reading()
        task = asyncio.create_task(self._transact(work, reading))
        self._running[task] = reading
        task.add_done_callback(self._over)
        return task

    async def _transact(self, work: Work[T], reading: Reading) -> T:
        """Run the work, on a fresh connection if the one that was kept turns out to be dead, as
        after a restart of the server. That costs a read nothing while all is well, where a ping
        would be a round trip. Once anything was answered the work is not run again: it may have
        passed on what it read.
        """
        try:
            return await self._once(work, reading)
        except DBAPIError as error:
            if not error.connection_invalidated or reading.answered:
                raise
        return await self._once(work, reading)

    async def _once(self, work: Work[T], reading: Reading) -> T:
        """Run the work in a transaction: its first statement begins one, and leaving the
        connection rolls it back.
        """
        async with self._engine.connect() as connection:
            pooled = connection.sync_connection
            assert pooled is not None, "it is open"
            reading.driver = pooled.connection.driver_connection
            pooled.info[_READING] = reading
            try:
                return await connection.run_sync(work)
            finally:
                # From here on the connection may already be another read's, which must not be hit.
                reading.driver = None

    def _over(self, task: "asyncio.Task[Any]") -> None:
        del self._running[task]
        self._free.release()
        if not task.cancelled():
            task.exception()  # seen, even if the caller has gone

    def _stop(self, task: "asyncio.Task[Any]") -> None:
        """Let the read be ended; nobody waits for that, except whoever needs its connection."""
        if task not in self._running:
            return
        ending = asyncio.create_task(self._end(task, self._running[task]))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


def in_turns(rows: Iterable[R], at_a_time: int = 50) -> Iterator[R]:
    """Yield the rows, and let the event loop come round after every few of them.

    Making values of rows is computing, and a read computes on the loop: a page of whole machines
    would hold everything else up until it is made. Outside of an async engine it only yields.
    """
    for number, row in enumerate(rows, 1):
        yield row
        if number % at_a_time == 0 and in_greenlet():
            await_(asyncio.sleep(0))


@contextmanager
def as_store_errors() -> Iterator[None]:
    """Raise what a database or its driver raises as StoreError."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"The database did not do it, or its answer was lost: {describe(error)}"
        ) from error


_OF_A_POOLER = ("unsupported startup parameter", 'prepared statement "__asyncpg_')
"""What PgBouncer says of settings that last for a session, and PostgreSQL of statements that
another client has prepared on the same connection.
"""
_POOLER = "write ?pooler=transaction behind the database URL"


def describe(error: BaseException) -> str:
    """Return the driver's own words, without statements and parameters. SQLite's module cannot
    read them itself where they quote what is broken in a file.
    """
    if isinstance(error, UnicodeDecodeError):
        return "its file is damaged; put its backup back"
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    if any(mark in said for mark in _OF_A_POOLER):
        return f"{said}. There is a pooler before it that shares connections: {_POOLER}"
    return said
