"""Databases with books that were written once for each kind of database, and given to test after
test.

Flows in: an upgraded database, or one that was made here, and what is to be written into it. Flows
out: a file to be copied, or what makes a database on PostgreSQL: filled with what was written once
on a server of our own, and written each time in one that was named.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage.database.engine import Database, StorageConfig
from tests.support import postgres
from tests.support.reused import Reused

Work = Callable[[Database], Awaitable[object]]


def file_with(work: Work, *, path: Path, begun: Path) -> Path:
    """Copy the file that was begun, and write more into the copy."""
    shutil.copy(begun, path)
    asyncio.run(_write(f"sqlite:///{path}", work))
    return path


def postgres_with(
    work: Work, *, begun: Callable[[], str], request: pytest.FixtureRequest
) -> Callable[[], str]:
    """Return what makes a database like the one that was begun, with more in it."""

    def written() -> str:
        url = begun()
        asyncio.run(_write(url, work))
        return url

    if postgres.GIVEN_URL:
        return written

    written()
    reused: Reused = request.getfixturevalue("reused_postgres")
    contents = reused.taken()
    return lambda: reused.filled(contents)


def copy_of(file: Path, path: Path, *, request: pytest.FixtureRequest, on_postgres: str) -> str:
    """Return the URL of a database with these books, of the kind that is the fixture's parameter.
    ``on_postgres`` names the fixture that makes one there.
    """
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(file, path)}"
    made: Callable[[], str] = request.getfixturevalue(on_postgres)
    return made()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open it; a read may take as long as its test."""
    database = await Database.open(StorageConfig(url=url, read_timeout_ms=600_000))
    yield database
    await database.close()


async def _write(url: str, work: Work) -> None:
    database = await Database.open(StorageConfig(url=url))
    await work(database)
    await database.close()
