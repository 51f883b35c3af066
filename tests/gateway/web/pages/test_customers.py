"""How many customers have which tag, over time, and how far they come."""

from storage.insight import days
from storage.insight.funnel import Stage
from storage.insight.rollups import Sums, save
from storage.tables import scope_funnels
from tests.gateway.office.tagging import buy, create, evaluate, tags_of
from tests.gateway.web.signed_in import cells, signed_in
from tests.storage.insight.tagged import TODAY
from tests.support.fleet_calls import registered
from tests.support.site import Site
from tests.support.sold_items import half_past


async def test_tags_are_shown_over_time_and_by_district(site: Site) -> None:
    """And what is not told has no number."""
    await registered(site)
    yesterday = days.moved(half_past(site, 12), -1)
    sums = Sums()
    sums.add(scope_funnels, ("FLEET", "", yesterday, "SELECTION_FIRST", str(Stage.PAID)), (25,))
    await site.database.write(lambda connection: save(connection, sums.rows()))
    await tags_of(site).CreateTag(create())
    await buy(site, {"hill": 12, "pier": 25})
    await evaluate(site)
    await evaluate(site, days.moved(TODAY, 1))
    async with signed_in(site) as browser:
        page = await browser.get("/customers")
        some = await browser.get("/customers", params={"tag": "SOME"})
        none = await browser.get("/customers", params={"tag": "NONE"})
        csv = await browser.get("/customers", params={"tag": "SOME", "csv": "runs"})
    assert ["SOME", "30"] in [row[:2] for row in cells(page)]
    assert ["selection first", "paid", "20"] in cells(page)
    assert ["selection first", "got their goods", "–"] in cells(page)
    assert [["20260701", "30", "–"], ["20260630", "30", "30"]] == [
        row[:3] for row in cells(some) if row[0].startswith("2026")
    ]
    assert "With another version of its rule all depart" in some.text
    assert ["hill", "10"] in cells(some)
    assert ["pier", "20"] in cells(some)
    assert 404 == none.status_code
    assert "20260630,30,30," in csv.text


async def test_no_tag_is_no_zero(site: Site) -> None:
    """It says what to do."""
    async with signed_in(site) as browser:
        page = await browser.get("/customers")
    assert "No tag has been made yet" in page.text
    assert "Nobody came, as far as is known" in page.text
