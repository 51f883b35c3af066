"""Sound books, written once for each kind of database, and copies that a test damages."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from storage.database.engine import Database, StorageConfig
from tests.storage.auditing.books import damage, write_sound_books
from tests.storage.conftest import ON_POSTGRES
from tests.support import postgres
from tests.support.reused import Reused


@pytest.fixture(scope="session")
def sound_file(upgraded_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with sound books, to be copied."""
    path = tmp_path_factory.mktemp("sound") / "vendgate.db"
    shutil.copy(upgraded_file, path)
    asyncio.run(_write(f"sqlite:///{path}"))
    return path


async def _write(url: str) -> None:
    database = await Database.open(StorageConfig(url=url))
    await write_sound_books(database)
    await database.close()


@pytest.fixture
def spoilt(sound_file: Path, tmp_path: Path) -> Callable[..., str]:
    """Copy the sound file, damage the copy, and return its URL."""

    def spoil(*statements: str) -> str:
        path = tmp_path / "spoilt.db"
        shutil.copy(sound_file, path)
        damage(path, *statements)
        return f"sqlite:///{path}"

    return spoil


@pytest.fixture(scope="session")
def sound_postgres(
    request: pytest.FixtureRequest, fresh_postgres: Callable[[], str]
) -> Callable[[], str]:
    """Make a PostgreSQL database with sound books: filled with what was written once on a server
    of our own, and written each time in a database that was named.
    """

    def written() -> str:
        url = fresh_postgres()
        asyncio.run(_write(url))
        return url

    if postgres.GIVEN_URL:
        return written

    written()
    reused: Reused = request.getfixturevalue("reused_postgres")
    contents = reused.taken()
    return lambda: reused.filled(contents)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=ON_POSTGRES)])
def sound_url(request: pytest.FixtureRequest, sound_file: Path, tmp_path: Path) -> str:
    """The URL of a database with sound books."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(sound_file, tmp_path / 'sound.db')}"
    copied: Callable[[], str] = request.getfixturevalue("sound_postgres")
    return copied()


@pytest.fixture
async def sound(sound_url: str) -> AsyncIterator[Database]:
    """That database, open; a read may take as long as its test."""
    database = await Database.open(StorageConfig(url=sound_url, read_timeout_ms=600_000))
    yield database
    await database.close()
