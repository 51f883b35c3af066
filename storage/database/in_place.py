"""SQLite for one program that has the file to itself: reads and writes run where they are asked
for, on no thread, and nobody waits for the disk. For a past that is lived on virtual time, where
threads would have a time of their own.

What was written is safe once ``close`` has returned. Until then a computer that loses its power may
leave a file of no use: it is to be made again.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect, event

from storage.database import schema, sqlite
from storage.database.engine import Database
from storage.database.reader import T, Work
from storage.database.urls import parse

BUSY_MS = 1_000


class InPlace:
    """The one connection, as a ``Writer`` and as ``Reads``."""

    def __init__(self, url: str) -> None:
        parsed = parse(url)
        sqlite.require_file(parsed)
        self._path = Path(parsed.database or "")
        self._engine = sqlite.sqlite_engine(parsed, busy_timeout_ms=BUSY_MS)
        self.dialect: Dialect = self._engine.dialect
        event.listen(self._engine, "connect", _waits_for_no_disk)
        self._open = True

    async def write(self, work: Work[T]) -> T:
        """Run it in a transaction, and commit it."""
        with self._engine.begin() as connection:
            return work(connection)

    async def read(self, work: Work[T]) -> T:
        """Run it in a transaction that is rolled back."""
        with self._engine.connect() as connection:
            return work(connection)

    async def close(self) -> None:
        """Close the connection, which folds the log into the file, and see both on the disk."""
        if not self._open:
            return
        self._open = False
        self._engine.dispose()
        for path in (self._path, self._path.parent):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


async def open_in_place(url: str) -> Database:
    """Open a SQLite file, which must have been upgraded and must be nobody else's. Raises
    StoreError.
    """
    place = InPlace(url)
    database = Database(place, lists=place, money=place)
    try:
        database.partition_count = await database.read(schema.opened)
    except BaseException:
        await database.close()
        raise
    return database


def _waits_for_no_disk(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")
