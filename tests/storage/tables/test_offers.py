"""What the database itself refuses of offers and their uses."""

import pytest
from sqlalchemy import insert, update

from actors.ports import StoreError
from storage.database.engine import Database
from storage.tables import offer_spending, offer_uses, offers
from tests.storage.offered import give

USE = {
    "offer": "fifty",
    "vend_id": "v1",
    "payer_id": "p",
    "discount_minor": 50,
    "used_at_ms": 1,
}


async def test_an_offer_has_one_discount_and_its_bounds(
    db: Database, subtests: pytest.Subtests
) -> None:
    """Whoever writes it."""
    await give(db)
    for name, value in (
        ("discount_minor", 0),
        ("basis_points", 1),
        ("budget_minor", 0),
        ("uses_per_payer", 0),
        ("ends_at_ms", 0),
        ("holdout_percent", 91),
    ):
        wrong = update(offers).values(**{name: value})
        with subtests.test(name), pytest.raises(StoreError, match=r"(?i)constraint"):
            await db.write(lambda connection, wrong=wrong: connection.execute(wrong))  # type: ignore[misc]


@pytest.mark.slow_on_postgres
async def test_a_vend_uses_an_offer_once(db: Database) -> None:
    """The second row of one vend is refused, and so is one that takes nothing off."""
    for rows in ([USE, USE], [{**USE, "discount_minor": 0}]):
        with pytest.raises(StoreError, match=r"(?i)constraint"):
            await db.write(
                lambda connection, rows=rows: connection.execute(insert(offer_uses), rows)  # type: ignore[misc]
            )


async def test_nothing_is_spent_below_zero(db: Database) -> None:
    """What is given back was used."""
    await give(db)
    wrong = update(offer_spending).values(spent_minor=-1)
    with pytest.raises(StoreError, match=r"(?i)constraint"):
        await db.write(lambda connection: connection.execute(wrong))
