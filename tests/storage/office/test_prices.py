"""The price in force at a moment is what was set last before it, for ever."""

import asyncio
import itertools
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from actors.ports import StoreError
from storage.database.engine import Database
from storage.fleet.positions import InvalidPosition
from storage.office import prices as price_store
from storage.office.deeds import AlreadyThere, Deed, EtagOutdated, NotPossible, NotThere
from storage.office.prices import NewPrice, Prices, in_force, prices_page
from storage.office.product_content import ProductChange, ProductContent
from storage.office.products import Products
from storage.tables import audit, prices
from tests.storage.office.plans import goes_along


def by(actor: str = "ann", *, now_ms: int = 7, **more: Any) -> Deed:
    return Deed(actor=actor, action="SetPrices", now_ms=now_ms, **more)


def cola(price_minor: int | None, currency: str = "HKD") -> NewPrice:
    return NewPrice(product="cola", currency=currency, price_minor=price_minor)


@pytest.fixture
async def lists(db: Database) -> Prices:
    """Give price lists with an empty one, and a catalogue of two products."""
    for product in ("cola", "tea"):
        await Products(db).create(product, ProductContent(), by())
    await Prices(db).create("day", "Daytime", by())
    return Prices(db)


async def at(lists: Prices, at_ms: int, product: str = "cola", currency: str = "HKD") -> int | None:
    """The price at a moment, None if there is none."""
    try:
        return (await lists.price("day", product, currency, at_ms)).price_minor
    except NotThere:
        return None


async def details(db: Database) -> list[str]:
    rows = select(audit.c.detail).where(audit.c.detail.like("price list %")).order_by(audit.c.id)
    return await db.read(lambda connection: list(connection.scalars(rows)))


@pytest.mark.slow_on_postgres
async def test_a_price_is_in_force_from_its_moment_on(lists: Prices) -> None:
    """Until the next one; before the first there is none."""
    await lists.set_prices("day", [cola(500)], by(now_ms=10))
    await lists.set_prices("day", [cola(600)], by(now_ms=11), from_ms=20)
    found = [await at(lists, moment) for moment in (9, 10, 19, 20, 99)]
    assert [None, 500, 500, 600, 600] == found


@pytest.mark.slow_on_postgres
async def test_who_sets_a_price_last_has_the_last_word(lists: Prices) -> None:
    """Also where their gateway's clock is a little behind that of whoever set one just before; a
    clock that was far ahead holds nobody up.
    """
    await lists.set_prices("day", [cola(500)], by(now_ms=1_000))
    _, told = await lists.set_prices("day", [cola(600)], by(now_ms=990))
    assert [(600, 1_000)] == [(one.price_minor, one.from_ms) for one in told]
    assert 600 == await at(lists, 5_000)
    await lists.set_prices("day", [cola(700)], by(now_ms=9_000_000))
    _, told = await lists.set_prices("day", [cola(800)], by(now_ms=6_000))
    assert [6_000] == [one.from_ms for one in told]


@pytest.mark.slow_on_postgres
async def test_prices_of_other_lists_products_and_currencies_stay(lists: Prices) -> None:
    """A price is of one list, product and currency."""
    await lists.create("night", "", by())
    await lists.set_prices("day", [cola(500), cola(60, "EUR")], by(now_ms=10))
    await lists.set_prices("night", [cola(400)], by(now_ms=10))
    assert (500, 60, None) == (
        await at(lists, 10),
        await at(lists, 10, currency="EUR"),
        await at(lists, 10, product="tea"),
    )


@pytest.mark.slow_on_postgres
async def test_a_mistake_is_mended_by_a_later_row(lists: Prices) -> None:
    """Of two from the same moment the one that was set later counts; both stay in the list."""
    for minor in (600, 650):
        await lists.set_prices("day", [cola(minor)], by(now_ms=11), from_ms=20)
    assert 650 == await at(lists, 20)
    assert [600, 650] == [one.price_minor for one in await lists.prices("day", limit=9)]


@pytest.mark.slow_on_postgres
async def test_a_price_can_be_withdrawn(lists: Prices) -> None:
    """From then on there is none, which is not the price before."""
    await lists.set_prices("day", [cola(500)], by(now_ms=10))
    await lists.set_prices("day", [cola(None)], by(now_ms=11), from_ms=20)
    assert (500, None) == (await at(lists, 19), await at(lists, 20))
    assert [] == await lists.prices("day", at_ms=20, limit=9)


@pytest.mark.slow_on_postgres
async def test_what_is_in_force_anyway_is_not_added(db: Database, lists: Prices) -> None:
    """No row, no etag, nothing in the audit log; a withdrawal of nothing neither."""
    view, added = await lists.set_prices("day", [cola(500)], by(now_ms=10))
    again, nothing = await lists.set_prices("day", [cola(500)], by(now_ms=12))
    assert (view, 1, []) == (again, len(added), nothing)
    tea = NewPrice(product="tea", currency="HKD", price_minor=None)
    assert [] == (await lists.set_prices("day", [tea], by(now_ms=12)))[1]
    assert [
        "price list day: made, name 'Daytime'",
        "price list day: cola HKD none -> 500 from 1970-01-01T00:00:00.010Z",
    ] == await details(db)


@pytest.mark.slow_on_postgres
async def test_prices_come_all_or_none(lists: Prices) -> None:
    """A product that the catalogue does not have, or has archived, and nothing is set."""
    unknown = NewPrice(product="gum", currency="HKD", price_minor=1)
    with pytest.raises(NotPossible, match="does not have 'gum'"):
        await lists.set_prices("day", [cola(500), unknown], by(now_ms=10))
    assert await at(lists, 10) is None


@pytest.mark.slow_on_postgres
async def test_an_archived_product_gets_no_price(db: Database, lists: Prices) -> None:
    """That which it has stays."""
    await lists.set_prices("day", [cola(500)], by(now_ms=10))
    await Products(db).change("cola", ProductChange(archived=True), by())
    with pytest.raises(NotPossible, match="RestoreProduct"):
        await lists.set_prices("day", [cola(600)], by(now_ms=11))
    assert 500 == await at(lists, 12)


async def test_an_archived_list_takes_no_prices(db: Database, lists: Prices) -> None:
    """Those that it has stay; it can be restored."""
    gone = await lists.archive("day", by(now_ms=9), archived=True, why="closed")
    assert gone == await lists.archive("day", by(now_ms=10), archived=True)
    assert (9, 2) == (gone.archived_at_ms, gone.revision)
    with pytest.raises(NotPossible, match="RestorePriceList"):
        await lists.set_prices("day", [cola(500)], by(now_ms=10))
    assert [] == await lists.page(archived=False, limit=9)
    assert [gone] == await lists.page(archived=True, limit=9)
    back = await lists.archive("day", by(now_ms=11), archived=False)
    assert (back, None) == (await lists.get("day"), back.archived_at_ms)
    assert [
        "price list day: archived no -> yes; closed",
        "price list day: archived yes -> no",
    ] == (await details(db))[1:]


@pytest.mark.slow_on_postgres
async def test_a_list_is_made_once(lists: Prices) -> None:
    """With another name it is refused."""
    assert 1 == (await lists.create("day", "Daytime", by(now_ms=9))).revision
    with pytest.raises(AlreadyThere, match="'Daytime' -> 'Night'"):
        await lists.create("day", "Night", by())
    for unknown in (lists.get("x"), lists.prices("x", limit=1), lists.price("x", "a", "b", 1)):
        with pytest.raises(NotThere):
            await unknown


@pytest.mark.slow_on_postgres
async def test_lists_have_a_bound(lists: Prices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Archived ones count: they are there for ever."""
    monkeypatch.setattr(price_store, "PRICE_LISTS_MAX", 2)
    await lists.create("night", "", by())
    await lists.archive("night", by(), archived=True)
    with pytest.raises(NotPossible, match="there are 2 price lists"):
        await lists.create("third", "", by())


@pytest.mark.slow_on_postgres
async def test_of_two_with_one_etag_one_wins(lists: Prices) -> None:
    """The other's prices are not set."""

    async def price(minor: int) -> int:
        try:
            await lists.set_prices("day", [cola(minor)], by(now_ms=10), etag="1")
        except EtagOutdated:
            return 0
        return minor

    ends = await asyncio.gather(price(500), price(600))
    assert 0 in ends
    assert max(ends) == await at(lists, 10)


@pytest.mark.slow_on_postgres
async def test_a_rehearsal_sets_nothing(lists: Prices) -> None:
    """It shows what would be set."""
    _, shown = await lists.set_prices("day", [cola(500)], by(now_ms=10, only_check=True))
    assert [500] == [one.price_minor for one in shown]
    assert await at(lists, 10) is None


async def test_a_price_is_never_changed(db: Database, lists: Prices) -> None:
    """The database itself refuses it."""
    await lists.set_prices("day", [cola(500)], by(now_ms=10))
    for statement in (update(prices).values(price_minor=1), delete(prices)):
        with pytest.raises(StoreError):
            await db.write(lambda connection, one=statement: connection.execute(one))  # type: ignore[misc]
    assert 500 == await at(lists, 10)


async def test_pages_have_each_price_once(lists: Prices) -> None:
    """In the order of product, currency and moment, however many a page has."""
    for product in ("tea", "cola"):
        for minor in (5, 6, 7):
            wanted = NewPrice(product=product, currency="HKD", price_minor=minor)
            await lists.set_prices("day", [wanted], by(now_ms=minor), from_ms=minor * 10)
    whole = await lists.prices("day", limit=99)
    assert [("cola", 50), ("cola", 60), ("cola", 70), ("tea", 50), ("tea", 60), ("tea", 70)] == [
        (one.product, one.from_ms) for one in whole
    ]
    position, paged = "", []
    while page := await lists.prices("day", position=position, limit=4):
        paged += page
        position = page[-1].place
    assert whole == paged
    assert whole[1::3] == await lists.prices("day", at_ms=60, limit=99)
    assert whole[3:] == await lists.prices("day", product="tea", limit=99)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("position", ["x", "1:2", "a:1:HKD:cola", "1:-1:HKD:cola"])
async def test_a_place_is_one_of_ours(lists: Prices, position: str) -> None:
    """Whatever else comes is refused before SQL sees it."""
    with pytest.raises(InvalidPosition):
        await lists.prices("day", position=position, limit=1)


async def test_a_page_goes_along_an_index(db: Database, subtests: pytest.Subtests) -> None:
    """It costs the same at any depth, and so does the price at a moment."""
    for at_ms, product, after in itertools.product(
        (None, 50), ("", "cola"), (None, ("cola", "HKD", 5, 1))
    ):
        with subtests.test(at_ms=at_ms, product=product, after=after):
            page = prices_page("day", product=product, at_ms=at_ms, after=after, limit=51)
            await goes_along(db, page, "prices_in_force")
    await goes_along(db, in_force("day", "cola", "HKD", 50), "prices_in_force")
