"""Made-up sales are told as if the books had been followed."""

from pathlib import Path

from sqlalchemy import func, select

from storage.database.engine import Database
from storage.lake import made_up
from storage.lake.keeper import books_standing
from storage.tables import payers, sale_facts


async def test_sales_are_made_up(db: Database, tmp_path: Path) -> None:
    """So many, of days that there are, by payers who are known."""
    told: list[int] = []
    await made_up.make_up(db, 3_000, told.append)
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
    assert (3_000, made_up.FIRST, made_up.LAST, 3) == (facts, first, last, machines)
    assert 15_000 == (await db.read(books_standing)).position
    assert [150, 3_000] == told
