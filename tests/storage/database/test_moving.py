"""A SQLite database becomes a PostgreSQL with the same rows, the same chains and the same ids."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from actors.ports import StoreError
from storage.database import moving
from storage.database.engine import Database, StorageConfig
from storage.fleet.registry import Registry
from storage.tables import audit, machines, metadata
from tests.storage.conftest import ON_POSTGRES
from tests.storage.owner import START_MS, new_machine


def _rows(connection: Connection) -> dict[str, list[Any]]:
    return {
        table.name: [
            tuple(row)
            for row in connection.execute(select(table).order_by(*table.primary_key.columns))
        ]
        for table in metadata.sorted_tables
    }


async def _filled(file: Path) -> dict[str, list[Any]]:
    db = await Database.open(StorageConfig(url=f"sqlite:///{file}"))
    for number in range(3):
        await Registry(db).register(new_machine(f"VM-{number}"), actor="ann", now_ms=START_MS)
    told = await db.read(_rows)
    await db.close()
    return told


@pytest.mark.parametrize("url", [pytest.param("postgresql", marks=ON_POSTGRES)], indirect=True)
async def test_all_rows_are_moved_and_ids_go_on(
    url: str, upgraded_file: Path, tmp_path: Path
) -> None:
    """The same rows in every table; the next row has the next id; a second move is refused, and
    leaves what is there.
    """
    file = tmp_path / "vendgate.db"
    shutil.copy(upgraded_file, file)
    before = await _filled(file)

    moved = await asyncio.to_thread(moving.move, f"sqlite:///{file}", url)
    assert sum(len(rows) for rows in before.values()) == moved

    db = await Database.open(StorageConfig(url=url))
    assert before == await db.read(_rows)
    await Registry(db).register(new_machine("VM-9"), actor="ann", now_ms=START_MS)
    assert [1, 2, 3, 4] == await db.read(
        lambda connection: list(connection.scalars(select(audit.c.id).order_by(audit.c.id)))
    )
    with pytest.raises(StoreError, match="is in use: machines has rows"):
        await asyncio.to_thread(moving.move, f"sqlite:///{file}", url)
    assert 4 == await db.read(lambda c: c.scalar(select(func.count()).select_from(machines)))
    await db.close()


def test_only_this_way(tmp_path: Path) -> None:
    """From SQLite to PostgreSQL, and from a file that is there."""
    with pytest.raises(StoreError, match="in no other way"):
        moving.move("sqlite:///a.db", "sqlite:///b.db")
    with pytest.raises(StoreError, match="in no other way"):
        moving.move("postgresql+asyncpg://h/a", "postgresql+asyncpg://h/b")
    with pytest.raises(StoreError, match="none\\.db"):
        moving.move(f"sqlite:///{tmp_path / 'none.db'}", "postgresql+asyncpg://h/b")
