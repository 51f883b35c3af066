"""What comes from a supplier: a lot is one lot, and what has expired goes to no machine."""

from typing import Any

import pytest
from sqlalchemy import select

from storage.database.engine import Database
from storage.office.deeds import NotPossible
from storage.office.deliveries import new_lots
from storage.office.goods import GoodsLine
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.stays import begins_ms
from storage.tables import goods_lots
from tests.storage.office.places import by

NORTH, VAN = "WAREHOUSE:north", "VAN:7"
MORNING_MS = begins_ms("2027-01-31", "UTC")


async def comes(
    db: Database, to: str = NORTH, now_ms: int = MORNING_MS, **terms: Any
) -> list[dict[str, Any]]:
    """Return the lots that are new with lot L1 of cola, and keep them."""
    line = GoodsLine(product="cola", quantity=1, lot="L1", **terms)
    rows = await db.read(lambda connection: new_lots(connection, [line], to, now_ms))
    if rows:
        await db.write(lambda connection: connection.execute(goods_lots.insert(), rows))
    return rows


@pytest.fixture(autouse=True)
async def _cola(db: Database) -> None:
    await Products(db).create("cola", ProductContent(), by())


async def test_a_lot_that_has_expired_everywhere_comes_into_no_van(db: Database) -> None:
    """While its last day lasts anywhere on earth it does: until noon of the next in Greenwich. Into
    a warehouse it comes always, because it is there.
    """
    noon_ms = begins_ms("2027-02-01", "UTC") + 12 * 3_600_000
    with pytest.raises(NotPossible, match="was 2027-01-31: it comes into a WAREHOUSE") as refused:
        await comes(db, VAN, noon_ms, expires_on="2027-01-31")
    assert "LOT_EXPIRED" == refused.value.reason
    assert 1 == len(await comes(db, NORTH, noon_ms, expires_on="2027-01-31"))
    assert [] == await comes(db, VAN, noon_ms - 1, expires_on="2027-01-31")
    with pytest.raises(NotPossible, match="the last day"):
        await comes(db, VAN, noon_ms, expires_on="2027-01-31")


async def test_what_keeps_for_ever_always_comes(db: Database) -> None:
    """Also into a van."""
    assert 1 == len(await comes(db, VAN))


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
    assert [] == await comes(db, **first)
    kept = await db.read(lambda connection: connection.scalar(select(goods_lots.c.lot)))
    assert "L1" == kept
