"""A SQLite database becomes a PostgreSQL with the same rows, the same chains and the same ids."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from actors.machine.events import GoodsMoved
from actors.machine.goods import GoodsKind
from actors.ports import StoreError
from storage.database import moving
from storage.database.engine import Database, StorageConfig
from storage.fleet.registry import Registry
from storage.office.balances import balances_at
from storage.office.goods import Errand, Goods, GoodsLine
from storage.tables import audit, machines, metadata
from tests.storage.auditing.books import audited, broken, write_sound_books
from tests.storage.conftest import ON_POSTGRES
from tests.storage.experiments.fleets import content, created, told_until, with_screens
from tests.storage.insight.tagged import TODAY, Purchase, evaluate, have_bought, known, tag
from tests.storage.lake.pond import exported, lake_rows
from tests.storage.office.places import by
from tests.storage.owner import START_MS, Owner, new_machine

VAN, NORTH = "VAN:7", "WAREHOUSE:north"


def _unloaded(number: int) -> GoodsMoved:
    """A cola goes from VM-9 into the van."""
    return GoodsMoved(
        kind=GoodsKind.UNLOADED,
        cause=f"u{number}",
        version=0,
        column="A1",
        product="cola",
        quantity=1,
        into=False,
        place=VAN,
        lot="",
        visit="",
        actor="ann",
        reason="",
    )


def _north(cause: str, quantity: int) -> Errand:
    """So many colas go from the van to the warehouse."""
    lines = [GoodsLine(product="cola", quantity=quantity)]
    return Errand(cause=cause, from_place=VAN, to_place=NORTH, lines=lines)


async def _colas(db: Database, place: str) -> int:
    key = (place, "cola", "")
    return (await db.read(lambda connection: balances_at(connection, [key], lock=False))).get(
        key, 0
    )


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


async def _lived_in(file: Path, lake: Path) -> dict[str, list[Any]]:
    """Sales; goods that were counted and goods that arrived, of which nobody took any in yet; who
    has a tag; an experiment; and files of a lake.
    """
    db = await Database.open(StorageConfig(url=f"sqlite:///{file}"))
    await write_sound_books(db)
    owner = await Owner.of(db, "VM-9")
    for number in (1, 2):
        await owner.do("VM-9", _unloaded(number))
    await Goods(db).carry(_north("north", 1), by())
    await owner.do("VM-9", _unloaded(3))
    await tag(db)
    await known(db, "p-1")
    await have_bought(db, [Purchase(payer="p-1")])
    await evaluate(db)
    await told_until(db, TODAY)
    await with_screens(db, ["VM-1"])
    await created(db, "tried", content(), by().now_ms)
    await exported(db, lake)
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


@pytest.mark.parametrize("url", [pytest.param("postgresql", marks=ON_POSTGRES)], indirect=True)
async def test_what_triggers_write_is_moved_once(
    url: str, upgraded_file: Path, tmp_path: Path
) -> None:
    """Goods, tags, experiments and the lake are what they were, and the books are clean. With
    triggers awake each move of goods would be counted a second time.
    """
    pytest.importorskip("duckdb")
    file, lake = tmp_path / "vendgate.db", tmp_path / "lake"
    shutil.copy(upgraded_file, file)
    before = await _lived_in(file, lake)
    for name in ("goods_arrivals", "goods_balances", "payer_tags", "experiments", "lake_files"):
        assert before[name], name

    moved = await asyncio.to_thread(moving.move, f"sqlite:///{file}", url)
    assert sum(len(rows) for rows in before.values()) == moved
    db = await Database.open(StorageConfig(url=url))
    assert before == await db.read(_rows)
    assert len(before["sale_facts"]) == len(await lake_rows(db, lake))
    assert [] == broken(await audited(url))
    await Goods(db).carry(_north("again", 2), by())
    assert [0, 3] == [await _colas(db, VAN), await _colas(db, NORTH)]
    assert [] == broken(await audited(url))
    await db.close()


def test_only_this_way(tmp_path: Path) -> None:
    """From SQLite to PostgreSQL, and from a file that is there."""
    with pytest.raises(StoreError, match="in no other way"):
        moving.move("sqlite:///a.db", "sqlite:///b.db")
    with pytest.raises(StoreError, match="in no other way"):
        moving.move("postgresql+asyncpg://h/a", "postgresql+asyncpg://h/b")
    with pytest.raises(StoreError, match="none\\.db"):
        moving.move(f"sqlite:///{tmp_path / 'none.db'}", "postgresql+asyncpg://h/b")
