"""What is empty soon, and what to bring."""

import datetime as dt

import pytest

from gateway.office.v1 import goods_service_pb2 as goods_wire
from gateway.office.v1 import stock_service_pb2 as wire
from gateway.web.pages import stock
from tests.gateway.office.placing import a_district
from tests.gateway.web.signed_in import cells, signed_in
from tests.support.fleet_calls import registered
from tests.support.goods_calls import NORTH, count, load, twenty_in_a_van
from tests.support.site import Site


async def test_what_is_low_is_shown_and_picked(site: Site) -> None:
    """As StockService says it; of all machines, or of those of a route."""
    await twenty_in_a_van(site)
    pars = [wire.ColumnPar(column="A1", par=8)]
    await site.stock.SetPars(wire.SetParsRequest(machine_id="VM-1", pars=pars, request_id="p-1"))
    async with signed_in(site) as browser:
        page = await browser.get("/stock")
        route = await browser.get("/stock", params={"label": "route=north"})
        totals = await browser.get("/stock", params={"csv": "totals"})
    rows = cells(page)
    assert ["VM-1", "A1", "cola", "2", "10", "8", "nothing was sold"] in rows
    assert ["cola", "6"] in rows
    assert "\ufeffProduct,Bring\r\ncola,6\r\n" == totals.text
    assert "Nothing runs low" in route.text
    assert "No machine is meant today" in route.text


async def test_a_route_of_nobody_is_said(site: Site) -> None:
    """Else a label that is written wrongly looks as if nothing was needed anywhere. Who gave no
    label is not sent to look at one.
    """
    await a_district(site)
    async with signed_in(site) as browser:
        nobody = await browser.get("/stock")
        await twenty_in_a_van(site)
        wrong = await browser.get("/stock", params={"label": "rout=north"})
        empty = await browser.get("/stock", params={"district": "hk"})
        right = await browser.get("/stock")
    assert "There is no machine yet." in nobody.text
    assert "No machine is meant today: look at how the label is written." in wrong.text
    assert "No machine is meant today: none stands there." in empty.text
    assert 'role="alert"' not in right.text


async def test_who_sees_a_part_is_told_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the page, and by the name of the file."""
    await twenty_in_a_van(site)
    soon = dt.datetime.fromtimestamp(site.clock.now_ms() / 1_000, dt.UTC) + dt.timedelta(days=9)
    goods = [
        goods_wire.ReceivedGoods(
            product="cola", lot=lot, quantity=3, expires_on=soon.date().isoformat()
        )
        for lot in ("L2", "L3")
    ]
    await site.goods.ReceiveGoods(goods_wire.ReceiveGoodsRequest(to=NORTH, goods=goods))
    seen = {}
    for most in (1, 100):
        monkeypatch.setattr(stock, "LOTS", most)
        async with signed_in(site) as browser:
            page = await browser.get("/stock")
            file = await browser.get("/stock", params={"csv": "lots"})
        seen[most] = (
            "There are more: only the first 1 are here." in page.text,
            "these as CSV" in page.text,
            file.headers["content-disposition"].partition("filename=")[2],
        )
    assert {1: (True, True, '"lots-part.csv"'), 100: (False, False, '"lots.csv"')} == seen


async def test_nothing_is_said_of_machines_that_were_not_looked_at(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks at some machines, and says so as long as there may be others."""
    monkeypatch.setattr(stock, "MACHINES", 1)
    await twenty_in_a_van(site)
    await registered(site, "VM-2")
    async with signed_in(site) as browser:
        first = await browser.get("/stock")
        leads = first.text.partition("More of Empty soon")[0].rpartition('href="')[2]
        monkeypatch.setattr(stock, "MACHINES", 2)
        last = await browser.get(leads.partition('"')[0].replace("&amp;", "&"))
    assert "in these machines" not in first.text
    assert "No count of the machines of this page" in first.text
    assert [2, 1] == [page.text.count("there may be more machines") for page in (first, last)]


async def test_what_counts_found_missing_is_shown(site: Site) -> None:
    """With what it cost."""
    await twenty_in_a_van(site)
    await site.goods.LoadColumn(load(5))
    await site.goods.CountColumn(count(4))
    async with signed_in(site) as browser:
        page = await browser.get("/stock")
    assert ["VM-1", "cola", "3", "–", "3.60 HKD"] in [row[:5] for row in cells(page)]


async def test_what_is_asked_wrong_is_said_in_its_place(site: Site) -> None:
    """The rest of the page is there."""
    async with signed_in(site) as browser:
        label = await browser.get("/stock", params={"label": "north"})
        site_word = await browser.get("/stock", params={"site": "moon"})
    assert "A label is written as name=value" in label.text
    assert (200, True) == (site_word.status_code, "moon" in site_word.text)
    assert all("Expires within" in page.text for page in (label, site_word))
