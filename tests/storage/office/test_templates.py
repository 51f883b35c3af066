"""Templates are kept under revisions, and make planograms or say why not."""

from dataclasses import replace

import pytest

from storage.database.engine import Database
from storage.office.deeds import AlreadyThere, Deed, EtagOutdated, NotPossible, NotThere
from storage.office.prices import NewPrice, Prices
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.templates import (
    NoPlanogram,
    TemplateColumn,
    TemplateContent,
    Templates,
    TemplateView,
    columns_of,
    read,
)

BY = Deed(actor="ann", action="CreatePlanogramTemplate", now_ms=7)
COLA = TemplateColumn(column="A1", product="cola", price_minor=500, capacity=10, par=8)
TEA = TemplateColumn(column="A2", product="tea", price_minor=None, capacity=9, par=None)
CONTENT = TemplateContent(name="Summer", price_list="city", currency="HKD", columns=(COLA, TEA))
VIEW = TemplateView(
    template="summer",
    content=CONTENT,
    revision=1,
    created_at_ms=7,
    updated_at_ms=7,
    archived_at_ms=None,
)


async def with_prices(db: Database) -> Templates:
    """Make what the template names."""
    for product in ("cola", "tea"):
        await Products(db).create(product, ProductContent(), BY)
    await Prices(db).create("city", "City", BY)
    price = NewPrice(product="tea", currency="HKD", price_minor=300)
    await Prices(db).set_prices("city", [price], BY, from_ms=100)
    return Templates(db)


async def test_a_template_has_one_content_at_a_time(db: Database) -> None:
    """The same again is the same; another one takes its place under another etag."""
    templates = await with_prices(db)
    assert VIEW == await templates.create("summer", CONTENT, BY)
    assert VIEW == await templates.create("summer", CONTENT, BY)
    other = replace(CONTENT, name="Sun")
    with pytest.raises(AlreadyThere, match="name"):
        await templates.create("summer", other, BY)
    with pytest.raises(EtagOutdated):
        await templates.update("summer", other, BY, etag="9")
    two = await templates.update("summer", other, BY, etag="1")
    assert (2, other, two) == (two.revision, two.content, await templates.get("summer"))
    assert two == await templates.update("summer", other, BY, etag="2")
    archived = await templates.archive("summer", BY, archived=True)
    assert [] == await templates.page(archived=False, limit=9)
    assert [archived] == await templates.page(archived=True, limit=9)
    with pytest.raises(NotPossible, match="RestorePlanogramTemplate"):
        await templates.update("summer", CONTENT, BY)
    with pytest.raises(NotThere):
        await templates.get("winter")


@pytest.mark.slow_on_postgres
async def test_prices_are_those_of_a_moment(db: Database) -> None:
    """Of products that have one then."""
    templates = await with_prices(db)
    assert {} == await templates.prices("city", ["tea"], "HKD", 99)
    assert {"tea": 300} == await templates.prices("city", ["cola", "tea"], "HKD", 100)


def test_a_text_keeps_a_template() -> None:
    """Word for word, names in any script."""
    named = replace(VIEW, content=replace(CONTENT, name="夏"))
    assert named == read(named.kept())


def test_a_machine_gets_columns_or_the_reason_why_not() -> None:
    """Its currency must be that of the template's own prices, and the list must have the others."""
    assert [("A1", 500), ("A2", 300)] == [
        (one.column, one.price_minor) for one in columns_of(VIEW, "HKD", {"tea": 300})
    ]
    with pytest.raises(NoPlanogram, match="no price in HKD of tea"):
        columns_of(VIEW, "HKD", {})
    with pytest.raises(NoPlanogram, match="sells in JPY"):
        columns_of(VIEW, "JPY", {"tea": 300})
