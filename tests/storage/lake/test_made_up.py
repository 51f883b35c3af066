"""Made-up sales are told as if the books had been followed."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.lake import made_up
from storage.lake.keeper import books_standing
from storage.lake.made_up import MadeUp
from storage.tables import payers, sale_facts
from tests.storage.lake.pond import SMALL, exported, keeping, lake_rows


async def test_sales_are_made_up(db: Database, tmp_path: Path) -> None:
    """So many, of days that there are, by payers who are known."""
    told: list[int] = []
    shape = MadeUp(sales=3_000, days=40)
    await made_up.make_up(db, shape, told.append)
    facts, first, last, machines = await db.read(
        lambda connection: connection.execute(
            select(
                func.count(),
                func.min(sale_facts.c.d),
                func.max(sale_facts.c.d),
                func.count(sale_facts.c.machine_id.distinct()),
            ).select_from(sale_facts.join(payers, payers.c.payer_id == sale_facts.c.payer_id))
        ).one()
    )
    assert (3_000, 20260101, 20260212, 3) == (facts, first, last, machines)
    assert (first, last) == (shape.first_day, shape.last_day)
    assert 15_000 == (await db.read(books_standing)).position
    assert [150, 3_000] == told


async def test_a_year_has_twelve_months_of_28_days(db: Database) -> None:
    """In Python as in SQL, whichever database it is."""
    shape = MadeUp(sales=400, days=400)
    days = f"SELECT {shape.fact()['d']} FROM (SELECT CAST(:i AS BIGINT) AS i) AS n"
    for number, d in ((0, 20260101), (28, 20260201), (335, 20261228), (336, 20270101)):
        assert d == shape.day(number)
        told = {"i": number}
        assert d == await db.read(
            lambda connection, told=told: connection.scalar(text(days), told)  # type: ignore[misc]
        )


async def test_files_are_made_up_alike(db: Database, tmp_path: Path) -> None:
    """Files that nothing was exported for have the facts that an export of the database writes."""
    pytest.importorskip("duckdb")
    shape = MadeUp(sales=200, days=30)
    await made_up.make_up(db, shape, lambda _: None)
    assert 200 == await exported(db, tmp_path / "exported")
    rows = await lake_rows(db, tmp_path / "exported")
    own = f"sqlite:///{tmp_path}/files.db"
    await asyncio.to_thread(migrate.upgrade, own, partition_count=8)
    other = await Database.open(StorageConfig(url=own))
    told: list[int] = []
    try:
        async with keeping(other, tmp_path / "made") as keeper:
            await made_up.make_up_files(keeper, shape, bounds=SMALL, tell=told.append)
            assert 5 * 200 == keeper.position
        assert rows == await lake_rows(other, tmp_path / "made")
    finally:
        await other.close()
    assert (shape.a_day, 200, 29) == (told[0], told[-1], len(told))
