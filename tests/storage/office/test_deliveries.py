"""What comes from a supplier: a lot is one lot, and what has expired goes to no machine."""

import asyncio
import functools
from typing import Any

import pytest
from sqlalchemy import func, select

from storage.database.engine import Database, StorageConfig
from storage.office.deeds import NotPossible
from storage.office.deliveries import check_delivery
from storage.office.goods import Errand, Goods, GoodsLine
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.stays import begins_ms
from storage.tables import goods_lots
from tests.storage.office.places import by
from tests.storage.slow_commits import SlowCommit, on_postgres, waiting

NORTH, VAN = "WAREHOUSE:north", "VAN:7"
MORNING_MS = begins_ms("2027-01-31", "UTC")


async def comes(db: Database, to: str = NORTH, now_ms: int = MORNING_MS, **terms: Any) -> int:
    """Let lot L1 of cola come, and return how many lots are new."""
    line = GoodsLine(product="cola", quantity=1, lot="L1", **terms)
    before = await lots(db)
    for only_check in (True, False):
        await db.write(
            functools.partial(
                check_delivery, lines=[line], to_place=to, now_ms=now_ms, only_check=only_check
            )
        )
        if only_check:
            assert before == await lots(db)
    return await lots(db) - before


async def lots(db: Database) -> int:
    """Return how many lots there are."""
    count = select(func.count()).select_from(goods_lots)
    return await db.read(lambda connection: connection.scalar(count) or 0)


@pytest.fixture
async def db(db: Database) -> Database:
    """A database that knows cola."""
    await Products(db).create("cola", ProductContent(), by())
    return db


@pytest.mark.slow_on_postgres
async def test_a_lot_that_has_expired_everywhere_comes_into_no_van(db: Database) -> None:
    """While its last day lasts anywhere on earth it does: until noon of the next in Greenwich. Into
    a warehouse it comes always, because it is there.
    """
    noon_ms = begins_ms("2027-02-01", "UTC") + 12 * 3_600_000
    with pytest.raises(NotPossible, match="was 2027-01-31: it comes into a WAREHOUSE") as refused:
        await comes(db, VAN, noon_ms, expires_on="2027-01-31")
    assert "LOT_EXPIRED" == refused.value.reason
    assert 1 == await comes(db, NORTH, noon_ms, expires_on="2027-01-31")
    assert 0 == await comes(db, VAN, noon_ms - 1, expires_on="2027-01-31")
    with pytest.raises(NotPossible, match="the last day"):
        await comes(db, VAN, noon_ms, expires_on="2027-01-31")


@pytest.mark.slow_on_postgres
async def test_what_keeps_for_ever_always_comes(db: Database) -> None:
    """Also into a van."""
    assert 1 == await comes(db, VAN)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ({"expires_on": "2027-03-01"}, "with expires_on 2027-03-01 and no unit_cost: repeat just"),
        (
            {"unit_cost_minor": 120, "currency": "HKD"},
            "with no expires_on and a unit_cost of 120 minor units of HKD: repeat just these",
        ),
    ],
)
async def test_who_gives_a_lot_another_day_or_cost_hears_what_to_repeat(
    db: Database, first: dict[str, Any], said: str
) -> None:
    """And repeating it is enough."""
    await comes(db, **first)
    with pytest.raises(NotPossible, match=said) as refused:
        await comes(db, expires_on="2027-09-09")
    assert "LOT_DIFFERS" == refused.value.reason
    assert 0 == await comes(db, **first)
    kept = await db.read(lambda connection: connection.scalar(select(goods_lots.c.lot)))
    assert "L1" == kept


@on_postgres
@pytest.mark.parametrize("same", [True, False])
async def test_of_two_first_deliveries_of_one_lot_the_second_hears_of_the_first(
    on_server: str, same: bool
) -> None:
    """They come at once, to two warehouses: both are there if they say the same of the lot, else
    the second hears what to repeat.
    """
    slow = await SlowCommit.open(StorageConfig(url=on_server))
    other = await Database.open(StorageConfig(url=on_server))
    try:
        await Products(slow).create("cola", ProductContent(), by())
        slow.held = True
        first = asyncio.create_task(Goods(slow).carry(_delivery("north", "2090-01-01"), by()))
        await slow.written.wait()
        day = "2090-01-01" if same else "2091-01-01"
        second = asyncio.create_task(Goods(other).carry(_delivery("south", day), by()))
        await waiting(slow, 1)
        slow.go_on.set()
        await first
        if same:
            assert [1] == [one.quantity for one in await second]
        else:
            with pytest.raises(NotPossible, match="came before with expires_on 2090-01-01"):
                await second
    finally:
        slow.go_on.set()
        await slow.close()
        await other.close()


def _delivery(warehouse: str, day: str) -> Errand:
    return Errand(
        cause=warehouse,
        from_place="SUPPLIER",
        to_place=f"WAREHOUSE:{warehouse}",
        lines=[GoodsLine(product="cola", quantity=1, lot="L1", expires_on=day)],
    )
