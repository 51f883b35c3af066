"""One rule says what a product costs, whoever asks."""

import pytest
from sqlalchemy import literal, select, union_all

from storage.database.engine import Database
from storage.office.costs import Costed, read_costs, with_costs
from storage.office.product_content import ProductChange, ProductContent
from storage.office.products import Products
from tests.storage.insight.goods_costs import lots_came
from tests.storage.office.places import by


async def known(db: Database) -> dict[tuple[str, str], int]:
    """What is known, by product and currency: the same, read by itself and beside other rows."""
    sold = union_all(
        *(
            select(literal(product).label("product"), literal(currency).label("currency"))
            for product in ("cola", "tea", "nuts")
            for currency in ("HKD", "JPY")
        )
    ).subquery()
    source, cost = with_costs(sold, sold.c.product, sold.c.currency)
    query = select(sold.c.product, sold.c.currency, cost).select_from(source)
    rows = await db.read(lambda connection: connection.execute(query).all())
    costs = await db.read(read_costs)
    beside = {(product, currency): minor for product, currency, minor in rows if minor is not None}
    assert (6, costs) == (len(rows), beside)
    return costs


@pytest.mark.slow_on_postgres
async def test_the_newest_lot_says_it(db: Database) -> None:
    """Whatever the catalogue says, and in each currency for itself; of lots that came at once the
    dearest one does. A lot without a cost says nothing.
    """
    assert {} == await known(db)
    cost = {"unit_cost_minor": 210, "unit_cost_currency": "HKD"}
    await Products(db).create("cola", ProductContent(**cost), by(action="made"))  # type: ignore[arg-type]
    await Products(db).create("tea", ProductContent(), by(action="made"))
    assert {("cola", "HKD"): 210} == await known(db)
    await lots_came(db, ("cola", "L2", 20, 250, "HKD"), ("cola", "L1", 30, 9, "JPY"))
    assert {("cola", "HKD"): 250, ("cola", "JPY"): 9} == await known(db)
    await lots_came(
        db,
        ("cola", "L3", 40, None, ""),
        ("cola", "L0", 19, 999, "HKD"),
        ("tea", "T1", 5, 0, "HKD"),
        ("tea", "T2", 7, 30, "JPY"),
        ("tea", "T3", 7, 20, "JPY"),
    )
    costs = {("cola", "HKD"): 250, ("cola", "JPY"): 9, ("tea", "HKD"): 0, ("tea", "JPY"): 30}
    assert costs == await known(db)


async def test_what_is_archived_still_has_its_cost(db: Database) -> None:
    """It was sold."""
    content = ProductContent(unit_cost_minor=210, unit_cost_currency="HKD")
    await Products(db).create("cola", content, by(action="made"))
    await Products(db).change("cola", ProductChange(archived=True), by(action="archived"))
    assert {("cola", "HKD"): 210} == await known(db)


def test_parts_add_up() -> None:
    """Each of its own kind; what cost more than it brought leaves less than nothing."""
    one = Costed(units=1, sales_minor=20, cost_minor=300)
    assert -280 == one.margin_minor
    assert Costed(units=5, sales_minor=70, cost_minor=900) == one.plus(
        Costed(units=4, sales_minor=50, cost_minor=600)
    )
