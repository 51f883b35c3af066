"""Sound books in a file, and copies of it that a test damages."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.database.engine import Database, StorageConfig
from tests.storage.auditing.books import damage, write_sound_books


@pytest.fixture(scope="session")
def sound_file(upgraded_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with sound books, to be copied."""
    path = tmp_path_factory.mktemp("sound") / "vendgate.db"
    shutil.copy(upgraded_file, path)

    async def write() -> None:
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await write_sound_books(database)
        await database.close()

    asyncio.run(write())
    return path


@pytest.fixture
def spoilt(sound_file: Path, tmp_path: Path) -> Callable[..., str]:
    """Copy the sound file, damage the copy, and return its URL."""

    def spoil(*statements: str) -> str:
        path = tmp_path / "spoilt.db"
        shutil.copy(sound_file, path)
        damage(path, *statements)
        return f"sqlite:///{path}"

    return spoil


@pytest.fixture
async def sound(db: Database) -> Database:
    """A database with sound books."""
    await write_sound_books(db)
    return db
