"""An upgraded database for each test: SQLite always, PostgreSQL too where it is installed or
VENDGATE_TEST_POSTGRES_URL names one.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.database.postgres import postgres_engine
from storage.database.urls import parse
from tests.support import postgres, upgraded
from tests.support.reused import Reused

ON_POSTGRES = [
    pytest.mark.skipif(
        not postgres.available(), reason="no PostgreSQL is installed, and none is named"
    ),
    pytest.mark.xdist_group(
        "postgres"
    ),  # one server, and one test at a time, each of which empties it
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to ``make soak`` what is ``slow_on_postgres``: there it repeats SQL that other tests of
    its room send to both (``tests/support/repeats.py`` tells which).
    """
    for item in items:
        if item.get_closest_marker("slow_on_postgres") is None:
            continue
        if item.get_closest_marker("xdist_group") is not None:  # ON_POSTGRES
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def upgraded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema and 8 partitions, to be copied."""
    path = tmp_path_factory.mktemp("upgraded") / "vendgate.db"
    return upgraded.make(f"sqlite:///{path}", partition_count=8)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL that tests may empty."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgres.running())
        except postgres.CannotStart as error:
            pytest.skip(str(error))
        yield url


async def emptied(url: str) -> None:
    """Throw away all that is in the test database."""
    engine = postgres_engine(parse(url), statement_timeout_ms=60_000)
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()


@pytest.fixture(scope="session")
def fresh_postgres(request: pytest.FixtureRequest, postgres_url: str) -> Callable[[], str]:
    """Make an upgraded PostgreSQL database. On a server of our own one is upgraded once and used
    again and again; a database that was named is emptied and upgraded each time, because it may
    be the only one.
    """
    if postgres.GIVEN_URL:

        def upgraded() -> str:
            asyncio.run(emptied(postgres_url))
            migrate.upgrade(postgres_url, partition_count=8)
            return postgres_url

        return upgraded

    reused: Reused = request.getfixturevalue("reused_postgres")
    contents = reused.taken()
    return lambda: reused.filled(contents)


@pytest.fixture(scope="session")
def reused_postgres(postgres_url: str) -> Iterator[Reused]:
    """An upgraded database on a server of our own, for one test after the other."""
    with contextlib.closing(Reused(postgres_url.rpartition("/")[0])) as reused:
        reused.make(lambda url: migrate.upgrade(url, partition_count=8))
        yield reused


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=ON_POSTGRES)])
def url(request: pytest.FixtureRequest, tmp_path: Path, upgraded_file: Path) -> str:
    """The URL of an upgraded database with 8 partitions and nothing else."""
    if request.param == "sqlite":
        path = tmp_path / "vendgate.db"
        shutil.copy(upgraded_file, path)
        return f"sqlite:///{path}"
    fresh: Callable[[], str] = request.getfixturevalue("fresh_postgres")
    return fresh()


@pytest.fixture
def on_server(fresh_postgres: Callable[[], str]) -> str:
    """The URL of an upgraded database on PostgreSQL, for what only that has."""
    return fresh_postgres()


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """The database, open."""
    database = await Database.open(StorageConfig(url=url))
    yield database
    await database.close()
