"""The sound books of the audits' tests, and books of two months, written once for each kind of
database.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from storage.database.engine import Database
from tests.storage import written
from tests.storage.archiving.books import goes_on
from tests.storage.auditing.conftest import (
    sound,
    sound_file,
    sound_postgres,
    sound_url,
)
from tests.storage.conftest import ON_POSTGRES

__all__ = ["sound", "sound_file", "sound_postgres", "sound_url"]


@pytest.fixture(scope="session")
def books_file(sound_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with two months of books, to be copied."""
    path = tmp_path_factory.mktemp("months") / "vendgate.db"
    return written.file_with(goes_on, path=path, begun=sound_file)


@pytest.fixture(scope="session")
def books_postgres(
    request: pytest.FixtureRequest, sound_postgres: Callable[[], str]
) -> Callable[[], str]:
    """Make a PostgreSQL database with two months of books."""
    return written.postgres_with(goes_on, begun=sound_postgres, request=request)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=ON_POSTGRES)])
def books_url(request: pytest.FixtureRequest, books_file: Path, tmp_path: Path) -> str:
    """The URL of a database with two months of books."""
    path = tmp_path / "books.db"
    return written.copy_of(books_file, path, request=request, on_postgres="books_postgres")


@pytest.fixture
async def books(books_url: str) -> AsyncIterator[Database]:
    """That database, open."""
    async with written.opened(books_url) as database:
        yield database
