"""What those with a tag bought is told in steps that hide each of them."""

import pytest
from sqlalchemy import Connection, insert

from storage.database.engine import Database
from storage.insight.suppression import Gate
from storage.insight.tag_sales import TagSales, sales_of
from storage.insight.tag_sums import first_day, sums_of
from storage.insight.tagging import had_by_now
from storage.tables import payer_tags
from tests.storage.insight.tagged import TODAY, Purchase, have_bought, several


async def _have(db: Database, *names: str) -> None:
    same = {"tag": "SOME", "run_id": 1, "version": 1, "since_d": TODAY, "until_d": None}
    rows = [{"payer_id": name, **same} for name in names]
    await db.write(lambda connection: connection.execute(insert(payer_tags), rows))


async def _told(db: Database, gate: Gate) -> list[TagSales]:
    def work(connection: Connection) -> list[TagSales]:
        sums = sums_of(connection, had_by_now("SOME"), TODAY, position=9_999)
        return list(sales_of(sums, gate))

    return await db.read(work)


@pytest.mark.slow_on_postgres
async def test_sales_of_28_days_are_told_by_currency(db: Database) -> None:
    """Of those who have the tag alone; who bought nothing in a currency counts nowhere in it. That
    fewer than ten bought in another is not told either.
    """
    names = [f"p{number}" for number in range(30)]
    bought = [one for name in names for one in several(Purchase(payer=name, minor=700), 1, 28)]
    bought += several(Purchase(payer="p0", minor=99_900), 29, 300)
    bought += [Purchase(payer=name, currency="SGD", minor=300) for name in names[:9]]
    bought += [Purchase(payer=name, minor=1_000_000) for name in ("", "other")]
    await have_bought(db, bought)
    assert [] == await _told(db, Gate())
    await _have(db, *names, "silent")
    assert 20260603 == first_day(TODAY)
    # 60 items of 42,000: ten buy 20 items of 14,000 on average, and nobody more than 1,400.
    hkd = TagSales(currency="HKD", payers=30, units=60, sales_minor=40_000)
    assert [hkd] == await _told(db, Gate())


@pytest.mark.slow_on_postgres
async def test_who_buys_most_of_all_is_not_seen(db: Database) -> None:
    """A step is at least what they bought, so that with them and without them the same can be
    told.
    """
    names = [f"p{number}" for number in range(40)]
    await have_bought(db, [Purchase(payer=name, minor=100) for name in names])
    await _have(db, *names)
    (plain,) = await _told(db, Gate())
    assert (40, 40, 4_000) == (plain.payers, plain.units, plain.sales_minor)
    await have_bought(db, [Purchase(payer="p7", minor=8_000, units=80)], first=500)
    (told,) = await _told(db, Gate())
    assert (40, 100, 10_000) == (told.payers, told.units, told.sales_minor)


@pytest.mark.slow_on_postgres
async def test_goods_that_were_given_back_are_no_sales(db: Database) -> None:
    """Goodwill takes money off, and no item."""
    names = [f"p{number}" for number in range(20)]
    bought = [Purchase(payer=name) for name in names]
    back = [Purchase(payer=name, minor=-500, units=0, kind="GOODWILL") for name in names]
    await have_bought(db, bought + back)
    await _have(db, *names)
    (told,) = await _told(db, Gate())
    assert (20, 20, None) == (told.payers, told.units, told.sales_minor)
