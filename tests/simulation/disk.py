"""The database of the world: one real SQLite in memory, and for each process a way to it that
stalls, refuses and loses answers.

A process hands over units of work as to any ``storage.database.engine.Database``, and gets what
they return after the world's latency: reads and writes run in place, on no thread and no async
engine, so that a seed always tells the same story. A unit of work that was sent is on its way: it
may be done although the process that sent it is dead. After each COMMIT the checker looks at the
database.
"""

import asyncio
import functools
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from actors.ports import OffersSpent
from storage import codec
from storage.database.engine import Database
from storage.database.migrate import upgrade
from storage.database.reader import Work
from tests.simulation import transitions
from tests.simulation.faults import Faults
from tests.simulation.processes import Process, outside

T = TypeVar("T")
PARTITIONS = 4


@functools.cache
def _template() -> bytes:
    """A migrated, empty database, as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        upgrade(f"sqlite:///{path}", partition_count=PARTITIONS)
        source = sqlite3.connect(path)
        source.execute("PRAGMA journal_mode = DELETE")
        # A hundred tables and indexes hold next to nothing: each world copies and searches them.
        source.execute("PRAGMA page_size = 1024")
        source.execute("VACUUM")
        target = sqlite3.connect(":memory:")
        source.backup(target)
        source.close()
        transitions.watch(target)
        return target.serialize()


@functools.cache
def _connection() -> tuple[sqlite3.Connection, Connection]:
    """The one connection, kept for all worlds of this Python, because its compiled statements
    are.
    """
    raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    engine = create_engine(
        "sqlite://",
        creator=lambda: raw,
        poolclass=StaticPool,
        json_serializer=codec.as_is,
        json_deserializer=codec.as_is,
    )

    @event.listens_for(engine, "begin")
    def _begin(_: Connection) -> None:
        raw.execute("BEGIN IMMEDIATE")

    return raw, engine.connect()


class Disk:
    """What survives every crash. ``committed`` is called after each COMMIT that changed
    something.
    """

    def __init__(self) -> None:
        self.raw, self.connection = _connection()
        self._put_in(_template())
        self.committed: Callable[[], None] = lambda: None
        self.spent: Callable[[OffersSpent], None] = lambda _: None
        """Called with each COMMIT that the books refused because offers are used up."""
        self.commits = 0
        self.restores = 0
        """How often a backup was put back: what was on its way before then never arrives."""

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self.connection.dialect

    def write(self, work: Work[T]) -> T:
        """Run a unit of work now, and commit it."""
        before = self.raw.total_changes
        try:
            with self.connection.begin():
                result = work(self.connection)
        except OffersSpent as error:
            self.spent(error)
            raise
        if self.raw.total_changes != before:
            self.commits += 1
            self.committed()
        return result

    def read(self, work: Work[T]) -> T:
        """Run a unit of work now; it must not write."""
        before = self.raw.total_changes
        with self.connection.begin():
            result = work(self.connection)
        assert self.raw.total_changes == before, "a read wrote"
        return result

    def put_back(self, content: bytes) -> None:
        """Be what the database was when these bytes were taken."""
        self._put_in(content)
        self.restores += 1

    def _put_in(self, content: bytes) -> None:
        self.raw.deserialize(content)
        self.raw.execute("PRAGMA foreign_keys = ON")
        # What is deleted leaves nothing in free pages, where privacy's checker looks, too.
        self.raw.execute("PRAGMA secure_delete = ON")

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Look at the database, as a checker does."""
        return self.raw.execute(sql, values).fetchall()

    def open_for(self, process: Process, rng: Random, faults: Faults) -> Database:
        """Return the database as this process sees it."""
        way = _Way(self, process, rng, faults)
        database = Database(way, lists=way, money=way)
        database.partition_count = PARTITIONS
        return database


class _Way:
    """One process's way to the database: its writer and its reads."""

    def __init__(self, disk: Disk, process: Process, rng: Random, faults: Faults) -> None:
        self._disk = disk
        self._process = process
        self._rng = rng
        self._faults = faults
        self._one_at_a_time = asyncio.Lock()
        self.dialect = disk.dialect

    async def write(self, work: Work[T]) -> T:
        async with self._one_at_a_time:
            return await self._run(work, self._disk.write)

    async def read(self, work: Work[T]) -> T:
        return await self._run(work, self._disk.read)

    async def close(self) -> None:
        return

    async def _run(self, work: Work[T], do: Callable[[Work[T]], T]) -> T:
        await self._process.cross()
        faults, rng = self._faults, self._rng
        if faults.sql_away or rng.random() < faults.sql_refuses:
            await asyncio.sleep(0.05 + rng.random() * 0.5)
            raise _away("the database does not answer")
        if faults.sql_full and do == self._disk.write:
            raise _away("database or disk is full")
        sent = outside(self._do(work, do, faults.sql_latency_s(rng)))
        result = await asyncio.shield(sent)
        if rng.random() < faults.sql_loses:
            await asyncio.sleep(rng.random())
            raise _away("the connection broke after COMMIT was sent")
        if faults.slow_answers:
            await asyncio.sleep(faults.sql_latency_s(rng))
        await self._process.cross()
        return result

    async def _do(self, work: Work[T], do: Callable[[Work[T]], T], latency_s: float) -> T:
        restores = self._disk.restores
        await asyncio.sleep(latency_s)
        if restores != self._disk.restores:
            raise _away("the database was stopped and restored")
        return do(work)


def _away(words: str) -> OperationalError:
    return OperationalError("", {}, sqlite3.OperationalError(words))
