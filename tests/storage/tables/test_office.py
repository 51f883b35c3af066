"""The catalogue holds no product that cannot be."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import price_lists, prices, product_names, products
from tests.storage.tables.refused import refused, taken

COLA: dict[str, Any] = {
    "product": "cola",
    "revision": 1,
    "category": "",
    "tax_class": "",
    "barcode": "",
    "shelf_life_days": 0,
    "unit_cost_minor": None,
    "unit_cost_currency": "",
    "image_sha256": "",
    "created_at_ms": 1,
    "updated_at_ms": 1,
    "archived_at_ms": None,
}


@pytest.mark.slow_on_postgres
async def test_a_product_is_plausible(db: Database, subtests: pytest.Subtests) -> None:
    """A cost of 0 is one; less than nothing is not."""
    for wrong in ({"revision": 0}, {"shelf_life_days": -1}, {"unit_cost_minor": -1}):
        with subtests.test(wrong=wrong):
            await refused(db, products, {**COLA, **wrong})
    await taken(db, products, {**COLA, "unit_cost_minor": 0})


@pytest.mark.slow_on_postgres
async def test_a_name_is_of_a_product_and_one_for_each_language(db: Database) -> None:
    """Nothing unknown has a name."""
    name = {"product": "cola", "language": "en", "name": "Cola"}
    await refused(db, product_names, name)
    await taken(db, products, COLA)
    await taken(db, product_names, name)
    await refused(db, product_names, {**name, "name": "Coke"})


PRICE: dict[str, Any] = {
    "price_list": "day",
    "product": "cola",
    "currency": "HKD",
    "from_ms": 5,
    "price_minor": 1,
    "set_at_ms": 5,
    "set_by": "ann",
}
LIST: dict[str, Any] = {
    "price_list": "day",
    "revision": 1,
    "name": "",
    "created_at_ms": 1,
    "updated_at_ms": 1,
    "archived_at_ms": None,
}


@pytest.mark.slow_on_postgres
async def test_a_price_is_plausible(db: Database, subtests: pytest.Subtests) -> None:
    """Of a list and a product that are there, above nothing, and not for the past."""
    await taken(db, products, COLA)
    await taken(db, price_lists, LIST)
    wrongs: tuple[dict[str, Any], ...] = (
        {"price_minor": 0},
        {"from_ms": 4},
        {"product": "gum"},
        {"price_list": "night"},
    )
    for wrong in wrongs:
        with subtests.test(wrong=wrong):
            await refused(db, prices, {**PRICE, **wrong})
    await taken(db, prices, {**PRICE, "price_minor": None})
