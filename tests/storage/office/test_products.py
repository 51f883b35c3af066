"""The catalogue keeps what it is given, and says who gave it."""

import pytest
from sqlalchemy import select

from storage.database.engine import Database
from storage.office.deeds import AlreadyThere, Deed, NotThere
from storage.office.products import ProductContent, Products, ProductView
from storage.tables import audit

COLA = ProductContent(
    names={"en": "Cola", "zh-HK": "可樂"},
    category="drinks",
    tax_class="standard",
    barcode="4006381333931",
    shelf_life_days=270,
    unit_cost_minor=210,
    unit_cost_currency="HKD",
    image_sha256="a" * 64,
)


def by(actor: str = "ann", *, action: str = "CreateProduct", now_ms: int = 7) -> Deed:
    return Deed(actor=actor, action=action, now_ms=now_ms)


async def details(db: Database) -> list[str]:
    """What the audit log says."""
    rows = select(audit.c.detail).order_by(audit.c.id)
    return await db.read(lambda connection: list(connection.scalars(rows)))


async def test_a_product_is_kept_as_it_was_given(db: Database) -> None:
    """All of it, in every language."""
    made = await Products(db).create("cola", COLA, by())
    expected = ProductView(
        product="cola",
        content=COLA,
        revision=1,
        created_at_ms=7,
        updated_at_ms=7,
        archived_at_ms=None,
    )
    assert expected == made
    assert expected == await Products(db).get("cola")


async def test_a_new_product_is_in_the_audit_log(db: Database) -> None:
    """What was given is said; what was not is left out."""
    await Products(db).create("cola", ProductContent(names={"en": "Cola"}, category="drinks"), by())
    await Products(db).create("bare", ProductContent(), by())
    assert [
        "product cola: name en none -> 'Cola'; category none -> 'drinks'",
        "product bare: made",
    ] == await details(db)


async def test_a_product_is_made_once(db: Database) -> None:
    """Again with the same content it is the same; other content is refused, with what differs."""
    first = await Products(db).create("cola", COLA, by())
    assert first == await Products(db).create("cola", COLA, by("bob", now_ms=8))
    with pytest.raises(AlreadyThere) as refused:
        await Products(db).create("cola", ProductContent(names=COLA.names), by())
    assert "category 'drinks' -> none; tax_class 'standard' -> none" in refused.value.detail
    assert 1 == len(await details(db))


async def test_what_is_not_there_is_said(db: Database) -> None:
    """It is not the same as an empty product."""
    with pytest.raises(NotThere):
        await Products(db).get("cola")
