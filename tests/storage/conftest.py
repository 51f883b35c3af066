"""An upgraded database for each test: SQLite always, PostgreSQL too when VENDGATE_TEST_POSTGRES_URL is set."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from storage import migrate
from storage.engine import Database, StorageConfig

POSTGRES_URL = os.environ.get("VENDGATE_TEST_POSTGRES_URL", "")


@pytest.fixture(scope="session")
def upgraded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema and 8 partitions, to be copied."""
    path = tmp_path_factory.mktemp("upgraded") / "vendgate.db"
    migrate.upgrade(f"sqlite:///{path}", partition_count=8)
    return path


async def _empty_postgres() -> None:
    """Throw away all that is in the test database."""
    engine = create_async_engine(make_url(POSTGRES_URL).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.skipif(not POSTGRES_URL, reason="no PostgreSQL given"))])
def url(request: pytest.FixtureRequest, tmp_path: Path, upgraded_file: Path) -> str:
    """The URL of an upgraded database with 8 partitions and nothing else."""
    if request.param == "sqlite":
        path = tmp_path / "vendgate.db"
        shutil.copy(upgraded_file, path)
        return f"sqlite:///{path}"
    asyncio.run(_empty_postgres())
    migrate.upgrade(POSTGRES_URL, partition_count=8)
    return POSTGRES_URL


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """The database, open."""
    database = await Database.open(StorageConfig(url=url))
    yield database
    await database.close()
