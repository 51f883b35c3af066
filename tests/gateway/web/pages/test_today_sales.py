"""What is sold today, as the calls tell it."""

from gateway.office.v1 import sales_service_pb2 as wire
from storage.insight import days
from tests.gateway.web.signed_in import cells, signed_in
from tests.support.site import Site
from tests.support.sold_items import half_past, have_sold


async def test_figures_are_those_of_the_calls(site: Site) -> None:
    """So far with the hour that runs; beside other days without it."""
    today = half_past(site, 11)
    before = days.moved(today, -7)
    await have_sold(
        site,
        [
            ("VM-1", today, 9, "cola", 500),
            ("VM-1", today, 11, "tea", 300),
            ("VM-1", before, 9, "cola", 200),
            ("VM-1", before, 11, "cola", 900),
            ("VM-1", before, 20, "cola", 7_000),
        ],
    )
    async with signed_in(site) as browser:
        page = await browser.get("/")
        csv = await browser.get("/", params={"csv": "hours"})
        hours = cells(await browser.get("/", params={"table": "hours"}))
    so_far = await site.sales.GetDaySales(wire.GetDaySalesRequest(day=today, hour=11))
    until = await site.sales.GetDaySales(wire.GetDaySalesRequest(day=today, hour=10))
    assert (800, 500, 200) == (
        so_far.days[0].now.sales.minor,
        until.days[0].now.sales.minor,
        until.days[0].middle.minor,
    )
    assert "<dt>Sold so far today</dt><dd>8.00 HKD</dd>" in page.text
    rows = cells(page)
    assert ["1", "5.00 HKD", "2.00 HKD", "2.00 HKD", "2.00 HKD", "1"] in rows
    assert ["11:00", "1", "3.00 HKD", "1", "9.00 HKD"] in hours
    assert ["20:00", "–", "–", "1", "70.00 HKD"] in hours
    assert "20:00: to come, a week before 70.00 HKD" in page.text
    assert "Sold until 11:00" in page.text
    assert "09:00,1,5.00,HKD,1,2.00,HKD" in csv.text
    assert 'class="band"' in page.text
    assert "told of no line of the books" in page.text


async def test_where_clocks_are_ahead_it_is_sold_today_too(site: Site) -> None:
    """The figure is the sum of the hours beside it: at half past eleven here it is half past
    seven in the evening where the machine stands.
    """
    today = half_past(site, 11)
    await have_sold(site, [("VM-1", today, 9, "cola", 500), ("VM-1", today, 19, "cola", 700)])
    async with signed_in(site) as browser:
        page = await browser.get("/")
        hours = cells(await browser.get("/", params={"table": "hours"}))
    assert [["09:00", "1", "5.00 HKD"], ["19:00", "1", "7.00 HKD"]] == [
        row[:3] for row in hours[1:]
    ]
    assert "<dt>Sold so far today</dt><dd>12.00 HKD</dd>" in page.text


async def test_the_first_hour_of_a_day_stands_beside_none(site: Site) -> None:
    """It is not over, and what is not known is not drawn."""
    today = half_past(site, 0)
    await have_sold(site, [("VM-1", today, 0, "cola", 500)])
    async with signed_in(site) as browser:
        page = await browser.get("/")
    assert "<dd>5.00 HKD</dd>" in page.text
    assert "There is nothing to compare yet." in page.text
    assert 'class="band"' not in page.text


async def test_a_day_without_sales_is_empty(site: Site) -> None:
    """And not zero."""
    half_past(site, 11)
    async with signed_in(site) as browser:
        page = await browser.get("/")
    assert "nothing yet" in page.text
    assert "Nothing was sold in this time" in page.text
    assert 'class="wide"' not in page.text
