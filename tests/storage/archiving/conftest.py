"""The sound books of the audits' tests, and books of two months, written once for each kind of
database.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from storage.database.engine import Database, StorageConfig
from tests.storage.archiving.books import goes_on
from tests.storage.auditing.conftest import (
    sound,
    sound_file,
    sound_postgres,
    sound_url,
)
from tests.storage.conftest import ON_POSTGRES
from tests.support import postgres
from tests.support.reused import Reused

__all__ = ["sound", "sound_file", "sound_postgres", "sound_url"]


@pytest.fixture(scope="session")
def books_file(sound_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with two months of books, to be copied."""
    path = tmp_path_factory.mktemp("months") / "vendgate.db"
    shutil.copy(sound_file, path)
    asyncio.run(_go_on(f"sqlite:///{path}"))
    return path


async def _go_on(url: str) -> None:
    database = await Database.open(StorageConfig(url=url))
    await goes_on(database)
    await database.close()


@pytest.fixture(scope="session")
def books_postgres(
    request: pytest.FixtureRequest,
    sound_postgres: Callable[[], str],
) -> Callable[[], str]:
    """Make a PostgreSQL database with two months of books, as ``sound_postgres`` makes one."""

    def written() -> str:
        url = sound_postgres()
        asyncio.run(_go_on(url))
        return url

    if postgres.GIVEN_URL:
        return written

    written()
    reused: Reused = request.getfixturevalue("reused_postgres")
    contents = reused.taken()
    return lambda: reused.filled(contents)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=ON_POSTGRES)])
def books_url(request: pytest.FixtureRequest, books_file: Path, tmp_path: Path) -> str:
    """The URL of a database with two months of books."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(books_file, tmp_path / 'books.db')}"
    copied: Callable[[], str] = request.getfixturevalue("books_postgres")
    return copied()


@pytest.fixture
async def books(books_url: str) -> AsyncIterator[Database]:
    """That database, open; a read may take as long as its test."""
    database = await Database.open(StorageConfig(url=books_url, read_timeout_ms=600_000))
    yield database
    await database.close()
