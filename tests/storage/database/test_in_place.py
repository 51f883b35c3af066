"""SQLite without threads: what is written is committed, what a read writes is not, and all of it is
there once it is closed.
"""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from actors.ports import StoreError
from storage.database.engine import Database, StorageConfig
from storage.database.in_place import InPlace, open_in_place
from storage.tables import installation


@pytest.fixture
def url(tmp_path: Path, upgraded_file: Path) -> str:
    """An upgraded file."""
    path = tmp_path / "vendgate.db"
    shutil.copy(upgraded_file, path)
    return f"sqlite:///{path}"


def _seven(connection: Connection) -> int:
    return connection.execute(installation.update().values(partition_count=7)).rowcount


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _count(connection: Connection) -> int | None:
    return connection.scalar(select(installation.c.partition_count))


async def test_what_is_written_is_there_for_the_real_engine_afterwards(url: str) -> None:
    """Writes are committed; a read is rolled back, whatever it did."""
    database = await open_in_place(url)
    assert 8 == database.partition_count
    assert 1 == await database.read(_seven)
    assert 8 == await database.read(_count)
    assert 1 == await database.write(_seven)
    assert 7 == await database.read(_count)
    await database.close()

    again = await Database.open(StorageConfig(url=url))
    assert 7 == again.partition_count
    await again.close()


async def test_nobody_waits_for_the_disk_and_the_log_is_folded_in_at_the_end(
    url: str, tmp_path: Path
) -> None:
    """``synchronous`` is off while it is lived, which the real engine never has."""
    place = InPlace(url)
    mode = await place.read(
        lambda connection: connection.exec_driver_sql("PRAGMA synchronous").scalar()
    )
    assert 0 == mode
    await place.write(_seven)
    await place.close()
    await place.close()
    assert ["vendgate.db"] == _names(tmp_path)


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """As by the real engine, with its sentence."""
    with pytest.raises(StoreError, match="There is no database"):
        await open_in_place(f"sqlite:///{tmp_path / 'none.db'}")
    assert [] == _names(tmp_path)
