"""A database for what machines show."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database.engine import Database, StorageConfig


@pytest.fixture
async def db(upgraded_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """An upgraded one."""
    path = tmp_path / "vendgate.db"
    shutil.copy(upgraded_file, path)
    database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
    yield database
    await database.close()
