"""Products come out of their rows as they went in."""

import pytest
from sqlalchemy import Connection

from storage.database.engine import Database
from storage.office import product_rows
from storage.office.product_content import ProductContent
from storage.office.product_rows import ProductView


def a_view(product: str, revision: int = 1, **names: str) -> ProductView:
    return ProductView(
        product=product,
        content=ProductContent(names=names, unit_cost_minor=0, unit_cost_currency="HKD"),
        revision=revision,
        created_at_ms=1,
        updated_at_ms=revision,
        archived_at_ms=revision - 1 or None,
    )


async def _written(db: Database, writes: product_rows.Writes) -> None:
    def work(connection: Connection) -> None:
        for statement, rows in writes:
            connection.execute(statement, rows)

    await db.write(work)


@pytest.mark.slow_on_postgres
async def test_rows_and_names_go_together(db: Database) -> None:
    """A product's names are all that it has: those it had before are gone."""
    first = [a_view("a", en="A", de="Ä"), a_view("b")]
    await _written(db, product_rows.inserted(first))
    await _written(db, product_rows.updated([a_view("a", 2, fr="A")]))
    found = await db.read(lambda connection: product_rows.several(connection, ["b", "a", "c"]))
    assert {"a": a_view("a", 2, fr="A"), "b": a_view("b")} == found
    assert await db.read(lambda connection: product_rows.one(connection, "c")) is None


def test_nothing_writes_nothing() -> None:
    """No statement without rows."""
    assert () == product_rows.inserted([])
    assert () == product_rows.updated([])
    assert 1 == len(product_rows.inserted([a_view("a")]))
