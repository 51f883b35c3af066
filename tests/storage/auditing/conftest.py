"""Sound books, written once for each kind of database, and copies that a test damages."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from storage.database.engine import Database
from tests.storage import written
from tests.storage.auditing.books import damage, write_sound_books
from tests.storage.conftest import ON_POSTGRES


@pytest.fixture(scope="session")
def sound_file(upgraded_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with sound books, to be copied."""
    path = tmp_path_factory.mktemp("sound") / "vendgate.db"
    return written.file_with(write_sound_books, path=path, begun=upgraded_file)


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
    """Make a PostgreSQL database with sound books."""
    return written.postgres_with(write_sound_books, begun=fresh_postgres, request=request)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=ON_POSTGRES)])
def sound_url(request: pytest.FixtureRequest, sound_file: Path, tmp_path: Path) -> str:
    """The URL of a database with sound books."""
    path = tmp_path / "sound.db"
    return written.copy_of(sound_file, path, request=request, on_postgres="sound_postgres")


@pytest.fixture
async def sound(sound_url: str) -> AsyncIterator[Database]:
    """That database, open."""
    async with written.opened(sound_url) as database:
        yield database
