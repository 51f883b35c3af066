"""The page of one machine, and what a person does there."""

import re
from html import unescape

import pytest

from actors.machine.ids import MachineId
from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.v1 import goods_service_pb2
from gateway.v1 import machine_pb2 as wire
from gateway.web.pages import machine
from gateway.web.sales import WEEKDAYS
from storage.fleet.lists import Wanted
from storage.insight import days
from tests.gateway.web.signed_in import cells, form_of, signed_in
from tests.support.fleet_calls import OLD, refunded, registered
from tests.support.goods_calls import VAN, twenty_in_a_van
from tests.support.site import Site, found
from tests.support.site_machine import a_machine, heard
from tests.support.sold_items import half_past, have_sold


async def test_a_machine_is_refilled(site: Site) -> None:
    """From a van that has the product, once; the picture and the table show what is there then."""
    await twenty_in_a_van(site)
    async with signed_in(site) as browser:
        page = await browser.get("/machines/VM-1")
        assert "A1 cola 2 of 10 low, A2 tea 0 of 5 empty" in page.text
        form = form_of(page, "/acts/refill")
        assert "cola" == form["product"]
        form |= {"from": VAN, "lot": "L1", "quantity": "6"}
        done, again = [await browser.post("/acts/refill", data=form) for _ in range(2)]
        assert [303, 303] == [done.status_code, again.status_code], done.text
        page = await browser.get(done.headers["location"])
        too_many = form_of(page, "/acts/refill") | {"from": VAN, "lot": "L1", "quantity": "60"}
        refused = await browser.post("/acts/refill", data=too_many)
        (back,) = re.findall('href="([^"]*)">Back', refused.text)
        filled_in = form_of(await browser.get(unescape(back)), "/acts/refill")
        done = await browser.post("/acts/refill", data=filled_in | {"quantity": "1"})
    assert "The goods are in the column." in page.text
    assert ["A1", "cola", "5.00 HKD", "8", "10"] in [row[:5] for row in cells(page)]
    assert (409, True) == (refused.status_code, "That was not done" in refused.text)
    assert back.endswith("#refill-A1")
    assert ("60", VAN, "L1") == tuple(filled_in[name] for name in ("quantity", "from", "lot"))
    assert (303, "/machines/VM-1#refill-A1") == (done.status_code, done.headers["location"])


async def test_a_planogram_that_waits_is_told(site: Site) -> None:
    """For the customer whose prices are others, or for goods; and which of the two is shown."""
    machine_ = await registered(site)
    (cola,) = machine_.columns
    cola.price_minor, cola.capacity = 600, cola.stock
    async with a_machine(site) as stream, signed_in(site) as browser:
        before = await browser.get("/machines/VM-1")
        site.alipay.pay(machine_.qr_payload, "5.00", "alice")
        await site.alipay.settle()
        session = (await heard(stream, "begin_session")).begin_session.session_id
        smaller = fleet_service_pb2.SetPlanogramRequest(machine_id="VM-1", columns=[cola])
        await site.fleet.SetPlanogram(smaller)
        during = await browser.get("/machines/VM-1")
        full = goods_service_pb2.CountColumnRequest(
            machine_id="VM-1", column="A1", product="cola", counted=cola.stock + 1
        )
        await site.goods.CountColumn(full)
        await stream.say(1, session_complete=wire.SessionComplete(session_id=session))
        await heard(stream, "end_session")
        after = await browser.get("/machines/VM-1")
    assert "<dt>Planogram" not in before.text
    assert "2 waits until the customer has left, who buys by 1. The shelf is shown" in during.text
    assert "6.00 HKD" in str(cells(during))
    assert "2 waits for goods that have no place in it. The shelf is 1&#39;s." in after.text
    assert "5.00 HKD" in str(cells(after))


async def test_a_machine_without_anything_is_shown(site: Site) -> None:
    """What there is none of is said, and what is wrong stands first."""
    await site.register()
    async with signed_in(site) as browser:
        page = await browser.get("/machines/VM-1")
    assert "Nobody has chosen anything yet." in page.text
    assert any("offline" in row for row in cells(page))


async def test_refunds_that_have_no_room_are_not_left_out_silently(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what waits for a person because of them."""
    await refunded(site)
    known = await site.registry.get(MachineId("VM-1"))
    assert known is not None
    body = site.signed(gmt_payment=OLD, trade_no="t2", out_trade_no="P2", notify_id="n2")
    await site.post(known.notify_token, body)

    async def two() -> bool | None:
        both = await site.queries.refunds(Wanted(statuses=("REFUSED",)), limit=3)
        return len(both) == 2 or None

    await found(two)
    seen = []
    for most in (10, 1):
        monkeypatch.setattr(machine, "LAST", most)
        async with signed_in(site) as browser:
            page = await browser.get("/machines/VM-1")
            file = await browser.get("/machines/VM-1", params={"csv": "refunds"})
        seen.append(
            (
                page.text.count("There are more: only the first 1 are here."),
                "refunds-part.csv" in file.headers["content-disposition"],
                len(file.text.splitlines()) - 1,
            )
        )
    assert [(0, False, 2), (2, True, 1)] == seen


async def test_its_week_is_drawn(site: Site) -> None:
    """Of its own sales, hour by weekday; it is empty where there are none."""
    await site.register()
    today = half_past(site, 11)
    async with signed_in(site) as browser:
        empty = await browser.get("/machines/VM-1")
        again = [("VM-1", days.moved(today, back), 8, "cola", 250) for back in (-7, -14, -29)]
        await have_sold(site, [*again, ("VM-2", days.moved(today, -1), 8, "cola", 999)])
        page = await browser.get("/machines/VM-1")
        week = await browser.get("/machines/VM-1", params={"table": "week"})
    name = WEEKDAYS[days.weekday(today) - 1]
    assert "Nothing was sold in this time" in empty.text
    assert [name, "08:00", "2", "5.00 HKD"] in cells(week)
    assert f"{name} 08:00: 2 items, 5.00 HKD" in page.text
    assert 1 == page.text.count('class="level')
    assert "9.99 HKD" not in page.text


async def test_a_year_is_drawn_for_who_asks_for_it(site: Site) -> None:
    """Otherwise twelve weeks are; a way leads there and back."""
    await site.register()
    today = half_past(site, 11)
    old, new = days.moved(today, -100), days.moved(today, -1)
    await have_sold(site, [("VM-1", d, 8, "cola", 500) for d in (old, new)])
    async with signed_in(site) as browser:
        weeks = await browser.get("/machines/VM-1")
        year = await browser.get("/machines/VM-1", params={"days": "364"})
        strange = await browser.get("/machines/VM-1", params={"days": "9999"})
        file = await browser.get("/machines/VM-1", params={"days": "364", "csv": "by-day"})
    assert "sold on 1 of 84 days" in weeks.text
    assert 'href="/machines/VM-1?days=364#days"' in weeks.text
    assert "sold on 2 of 364 days" in year.text
    assert 'href="/machines/VM-1#days">Days of 12 weeks' in year.text
    assert "days=364&amp;csv=by-day" in year.text
    assert "sold on 1 of 84 days" in strange.text
    assert [str(new), str(old)] == [one.split(",")[0] for one in file.text.splitlines()[1:]]
