"""A price list's file is done whole or not at all, and one that was written from it changes
nothing.
"""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from storage.database.engine import Database
from storage.office import price_files
from storage.office.deeds import Deed, EtagOutdated, LinesRefused, NotPossible, NotThere
from storage.office.price_files import (
    PAST,
    UNKNOWN,
    PriceFiles,
    PriceLine,
    file_page,
)
from storage.office.prices import NewPrice, Prices
from storage.office.product_content import ProductChange, ProductContent
from storage.office.products import Products
from storage.tables import audit, prices
from tests.storage.office.plans import goes_along


def by(*, now_ms: int = 7, **more: Any) -> Deed:
    return Deed(actor="ann", action="ImportPrices", now_ms=now_ms, **more)


def line(
    price_minor: int | None, from_ms: int | None = None, *, product: str = "cola"
) -> PriceLine:
    price = NewPrice(product=product, currency="HKD", price_minor=price_minor)
    return PriceLine(price=price, from_ms=from_ms)


@pytest.fixture
async def lists(db: Database) -> Prices:
    """Give price lists with an empty one, and a catalogue of two products."""
    for product in ("cola", "tea"):
        await Products(db).create(product, ProductContent(), by())
    await Prices(db).create("day", "Daytime", by())
    return Prices(db)


@pytest.fixture
def files(db: Database, lists: Prices) -> PriceFiles:
    """Give the same lists as files."""
    return PriceFiles(db)


async def count(db: Database) -> int:
    counted = select(func.count()).select_from(prices)
    return await db.read(lambda connection: connection.execute(counted).scalar_one())


async def as_lines(files: PriceFiles, now_ms: int) -> list[PriceLine]:
    """The whole list as the lines of its file."""
    found = await files.page("day", now_ms=now_ms, limit=999)
    return [line(one.price_minor, one.from_ms, product=one.product) for one in found]


@pytest.mark.slow_on_postgres
async def test_a_file_that_comes_last_has_the_last_word(lists: Prices, files: PriceFiles) -> None:
    """Also where its gateway's clock is a little behind."""
    first = NewPrice(product="cola", currency="HKD", price_minor=500)
    await lists.set_prices("day", [first], by(now_ms=1_000))
    await files.take("day", [line(600)], by(now_ms=990))
    assert 600 == (await lists.price("day", "cola", "HKD", 5_000)).price_minor


async def test_a_file_adds_what_differs(
    db: Database, lists: Prices, files: PriceFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against what is in force at each line's own moment, in the file as well; looked up in several
    parts.
    """
    monkeypatch.setattr(price_files, "LINES_AT_ONCE", 2)
    await lists.set_prices("day", [line(500).price], by(now_ms=8))
    await lists.set_prices("day", [line(700).price], by(now_ms=8), from_ms=40)
    wanted = [line(700, 50), line(600, 30), line(600, 35), line(500), line(5, product="tea")]
    view, done = await files.take("day", wanted, by(now_ms=9))
    epoch = "1970-01-01T00:00:00"
    changed = f"500 -> 600 from {epoch}.030Z"
    assert ["", changed, "", "", f"none -> 5 from {epoch}.009Z"] == [
        one.said.partition("HKD ")[2] for one in done
    ]
    assert (4, 4) == (view.revision, await count(db))
    said = select(audit.c.detail).where(audit.c.action == "ImportPrices", audit.c.at_ms == 9)
    assert [one.said for one in done if one.said] == list(
        await db.read(lambda connection: list(connection.scalars(said.order_by(audit.c.id))))
    )
    again, unchanged = await files.take("day", wanted, by(now_ms=10, only_check=True))
    assert (view, {""}) == (again, {one.said for one in unchanged})


@pytest.mark.slow_on_postgres
async def test_a_file_that_was_written_changes_nothing(
    db: Database, lists: Prices, files: PriceFiles
) -> None:
    """Now or when what was to come has come, with what takes a price away and what was mended; also
    of products that are archived by then.
    """
    await lists.set_prices("day", [line(500).price, line(5, product="tea").price], by(now_ms=8))
    await lists.set_prices("day", [line(None, product="tea").price], by(now_ms=9), from_ms=40)
    await lists.set_prices("day", [line(900).price], by(now_ms=9), from_ms=40)
    await lists.set_prices("day", [line(600).price], by(now_ms=10), from_ms=40)
    written = await as_lines(files, 11)
    assert [line(500, 8), line(600, 40), line(5, 8, product="tea")] == written[:3]
    assert [line(None, 40, product="tea")] == written[3:]
    await Products(db).change("cola", ProductChange(archived=True), by(now_ms=11))
    for now_ms in (11, 39, 40, 99):
        view, done = await files.take("day", written, by(now_ms=now_ms))
        assert (5, [("", "")] * 4) == (view.revision, [(one.said, one.problem) for one in done])
    assert [line(600, 40)] == await as_lines(files, 40)
    assert 5 == await count(db)


@pytest.mark.slow_on_postgres
async def test_what_is_wrong_refuses_the_whole_file(
    db: Database, lists: Prices, files: PriceFiles
) -> None:
    """A rehearsal says it of each line."""
    await lists.set_prices("day", [line(500).price], by(now_ms=8))
    wanted = [line(600), line(600, 10), line(9, product="tee"), line(500, 8)]
    _, shown = await files.take("day", wanted, by(now_ms=11, only_check=True))
    assert ["", PAST, UNKNOWN, ""] == [one.problem for one in shown]
    with pytest.raises(LinesRefused) as refused:
        await files.take("day", wanted, by(now_ms=11))
    assert [(1, PAST), (2, UNKNOWN)] == refused.value.problems
    assert 1 == await count(db)


@pytest.mark.slow_on_postgres
async def test_a_list_that_takes_none_refuses_it(lists: Prices, files: PriceFiles) -> None:
    """One that is archived, changed meanwhile, or not there."""
    with pytest.raises(EtagOutdated):
        await files.take("day", [line(5)], by(), etag="9")
    await lists.archive("day", by(), archived=True)
    with pytest.raises(NotPossible, match="RestorePriceList"):
        await files.take("day", [line(5)], by())
    for unknown in (files.take("x", [], by()), files.page("x", now_ms=1, limit=1)):
        with pytest.raises(NotThere):
            await unknown


@pytest.mark.slow_on_postgres
async def test_of_two_files_with_one_etag_one_wins(
    db: Database, lists: Prices, files: PriceFiles
) -> None:
    """The other adds nothing."""

    async def take(minor: int) -> int:
        try:
            await files.take("day", [line(minor)], by(now_ms=10), etag="1")
        except EtagOutdated:
            return 0
        return minor

    ends = await asyncio.gather(take(500), take(600))
    assert 0 in ends
    assert 1 == await count(db)
    assert max(ends) == (await lists.price("day", "cola", "HKD", 10)).price_minor


async def test_pages_have_each_price_once(files: PriceFiles) -> None:
    """However many a page has."""
    wanted = [line(n, n * 10, product=one) for one in ("tea", "cola") for n in (1, 2, 3)]
    await files.take("day", wanted, by())
    whole = await files.page("day", now_ms=8, limit=99)
    position, paged = "", []
    while page := await files.page("day", now_ms=8, position=position, limit=4):
        paged += page
        position = page[-1].place
    assert (6, whole) == (len(whole), paged)


@pytest.mark.parametrize("after", [None, ("cola", "HKD", 5, 1)])
async def test_a_page_goes_along_an_index(
    db: Database, after: tuple[str, str, int, int] | None
) -> None:
    """It costs the same at any depth."""
    await goes_along(db, file_page("day", now_ms=50, after=after, limit=51), "prices_in_force")
    asked = price_files._rows_of("day", [(0, "cola", "HKD", 50)])
    plan = await db.read(lambda connection: connection.execute(asked).all())
    assert [(0, None)] == plan
