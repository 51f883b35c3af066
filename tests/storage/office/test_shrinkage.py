"""What counts found missing, and what they found too much."""

from typing import Any

import pytest
from sqlalchemy import insert

from storage.database.engine import Database
from storage.office import shrinkage
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.shrinkage import Shrinkage, ShrinkageLine
from storage.tables import goods_moves
from tests.storage.insight.goods_costs import lots_came
from tests.storage.office.places import by
from tests.storage.owner import Owner

COLUMN = "COLUMN:VM-1/A1"


def move(number: int, come_from: str, to: str, quantity: int, **more: Any) -> dict[str, Any]:
    """Return the row of one move of cola."""
    return {
        "id": 100 + number,
        "at_ms": 1_000 + number,
        "kind": "COUNTED",
        "cause": f"c{number}",
        "product": "cola",
        "quantity": quantity,
        "from_place": come_from,
        "to_place": to,
        "machine_id": "VM-1",
        "version": number,
        "lot": "",
        "visit": "",
        "actor": "",
        "reason": "",
        **more,
    }


async def moved(db: Database, *rows: dict[str, Any]) -> None:
    """Write the moves down."""
    for row in rows:
        written = insert(goods_moves).values(row)
        await db.write(lambda connection, written=written: connection.execute(written))  # type: ignore[misc]


@pytest.mark.slow_on_postgres
async def test_counts_are_summed_less_what_was_taken_back(db: Database) -> None:
    """What a planogram opened is no find, and a sale is no loss; what is older does not count."""
    cost = ProductContent(unit_cost_minor=120, unit_cost_currency="HKD")
    await Products(db).create("cola", cost, by(action="made"))
    await Owner.of(db, "VM-1")
    await moved(
        db,
        move(1, "FOUND", COLUMN, 90, kind="OPENED"),
        move(2, COLUMN, "LOST", 50),
        move(10, COLUMN, "LOST", 7),
        move(11, "FOUND", COLUMN, 4),
        move(12, "LOST", COLUMN, 2, kind="REVERSED", reverses=110),
        move(13, COLUMN, "FOUND", 1, kind="REVERSED", reverses=111),
        move(14, COLUMN, "SOLD", 1, kind="SOLD"),
    )
    assert [
        ShrinkageLine(
            machine_id="VM-1",
            product="cola",
            lost=5,
            found=3,
            cost_minor=240,
            currency="HKD",
            counted_at_ms=1_013,
        )
    ] == await Shrinkage(db).lines(["VM-1", "VM-2"], since_ms=1_010)


@pytest.mark.slow_on_postgres
async def test_what_is_missing_costs_what_margins_say(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the newest lot cost in the machine's currency, and only without one what the catalogue
    says; a cost in another currency is not known.
    """
    monkeypatch.setattr(shrinkage, "AT_ONCE", 1)
    await Owner.of(db, "VM-1")
    for product, currency in (("cola", "HKD"), ("tea", "HKD"), ("nuts", "JPY")):
        cost = ProductContent(unit_cost_minor=120, unit_cost_currency=currency)
        await Products(db).create(product, cost, by(action="made"))
    await lots_came(
        db,
        ("cola", "old", 1, 90, "HKD"),
        ("cola", "new", 2, 130, "HKD"),
        ("cola", "far", 3, 7, "JPY"),
    )
    for number, product in enumerate(("cola", "tea", "nuts", "own")):
        await moved(
            db,
            move(10 + number, "FOUND", COLUMN, 9, product=product, kind="OPENED"),
            move(20 + number, COLUMN, "LOST", 2, product=product),
        )
    lines = await Shrinkage(db).lines(["VM-1"], since_ms=0)
    assert {
        "cola": (260, "HKD"),
        "tea": (240, "HKD"),
        "nuts": (None, ""),
        "own": (None, ""),
    } == {line.product: (line.cost_minor, line.currency) for line in lines}


@pytest.mark.slow_on_postgres
async def test_a_count_of_a_new_column_that_is_taken_back_is_nothing_missing(db: Database) -> None:
    """What a planogram opened was no find, so what takes it back is no loss."""
    await moved(
        db,
        move(1, "FOUND", COLUMN, 9, kind="OPENED"),
        move(2, COLUMN, "FOUND", 9, kind="REVERSED", reverses=101),
    )
    assert [] == await Shrinkage(db).lines(["VM-1"], since_ms=0)


async def test_of_each_machine_a_bounded_number_of_moves_is_read(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest."""
    monkeypatch.setattr(shrinkage, "MOVES_MAX", 1)
    await moved(
        db, move(1, "FOUND", COLUMN, 9), move(2, COLUMN, "LOST", 3), move(3, COLUMN, "LOST", 1)
    )
    (line,) = await Shrinkage(db).lines(["VM-1"], since_ms=0)
    assert (1, 0, None) == (line.lost, line.found, line.cost_minor)
