"""Offers are on one page: what runs with what is left of it, what is over, what waits for a second
person; made, changed, ended and answered by forms.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from gateway.office.v1 import offer_pb2
from gateway.office.v1 import offer_service_pb2 as wire
from gateway.web.app import build_console_app
from gateway.web.asking import Refused
from gateway.web.charts import BAR_LENGTH, Bar
from gateway.web.pages.offers import _drawn, for_whom, off
from storage import tables
from storage.insight import days
from storage.insight.local_time import local_hour
from storage.insight.rollups import Sums, save
from storage.tables import scope_offers
from tests.alipay_client.wire import Pair
from tests.gateway.office.giving import ask, content, hkd, site_of_two
from tests.gateway.web.signed_in import HOST, cells, console_of, form_of, signed_in
from tests.support.site import Site

NEW = {
    "code": "tea",
    "name": "Tea time",
    "currency": "HKD",
    "discount": "0.50",
    "budget": "0.60",
    "until": "2199-01-31T22:00",
    "all": "1",
}


@pytest.fixture
async def strict(tmp_path: Path, upgraded_file: Path, pair: Pair) -> AsyncIterator[Site]:
    """A site where offers above 0.60 take two people."""
    async with site_of_two(tmp_path, upgraded_file, pair) as site:
        yield site


def _soon(site: Site) -> str:
    return days.as_date(days.moved(local_hour(site.clock.now_ms(), "UTC").d, 30)).isoformat()


async def test_an_offer_is_made_changed_and_ended(site: Site) -> None:
    """Under the person's name, by the console's clock; who is refused finds the form filled in."""
    app = build_console_app(console_of(site, zone="Asia/Hong_Kong"), hosts=frozenset({HOST}))
    until = f"{_soon(site)}T22:00"
    async with signed_in(site, app=app) as browser:
        page = await browser.get("/offers")
        assert "No offer runs or is to come" in page.text
        assert "Nothing waits." in page.text
        empty = form_of(page, "/acts/create-offer") | {"all": ""}
        refused = await browser.post("/acts/create-offer", data=empty | NEW)
        assert 400 == refused.status_code
        assert "by 366 days at most" in refused.text
        again = await browser.get(f"/offers?{_back(refused)}")
        assert NEW.items() <= form_of(again, "/acts/create-offer").items()
        made = await browser.post("/acts/create-offer", data=empty | NEW | {"until": until})
        assert (303, "/offers#table-offers") == (made.status_code, made.headers["location"])
        page = await browser.get("/offers")
        assert "means no machine of its currency today" in page.text
        (row,) = (row for row in cells(page) if row[0] == "tea")
        assert ["Tea time", "running", "0.50 HKD", "0.60 HKD", "0.00 HKD", "0.60 HKD"] == row[1:7]
        assert ["0", f"{_soon(site)} 22:00:00", "all known payers", "all"] == row[7:11]
        assert "1" == row[12]
        assert "0.60 HKD left" in page.text

        page = await browser.get("/offers?offer=tea")
        change = form_of(page, "/acts/change-offer")
        changed = await browser.post("/acts/change-offer", data=change | {"budget": "7"})
        assert "/offers?offer=tea#table-facts" == changed.headers["location"]
        assert ["budget", "7.00 HKD"] in cells(await browser.get("/offers?offer=tea"))
        stale = await browser.post(
            "/acts/change-offer", data=change | {"budget": "8", "request_id": "other"}
        )
        assert 409 == stale.status_code
        again = await browser.get(f"/offers?{_back(stale)}")
        assert "8" == form_of(again, "/acts/change-offer")["budget"]
        assert "" == form_of(again, "/acts/create-offer")["budget"]
        form = form_of(await browser.get("/offers"), "/acts/end-offer")
        ended = await browser.post("/acts/end-offer", data=form | {"reason": "sold out"})
        assert 303 == ended.status_code
        page = await browser.get("/offers?offer=tea")
        csv = await browser.get("/offers", params={"csv": "over"})
    assert "The offer has ended." in page.text
    assert ["is", "ended"] in cells(page)
    assert "/acts/change-offer" not in page.text
    assert "tea" in csv.text
    assert "tea" not in [row[0] for row in cells(page) if len(row) == 15]


def _back(page: httpx.Response) -> str:
    """The query of the way back."""
    return page.text.partition("/offers?")[2].partition("#")[0].replace("&amp;", "&")


async def test_what_it_cost_is_told_by_day(site: Site) -> None:
    """As GetOffer tells it, with how complete that is."""
    made = wire.CreateOfferRequest(code="tea", content=content(site))
    await ask(site, "", made)
    d = local_hour(site.clock.now_ms(), "UTC").d
    sums = Sums()
    sums.add(scope_offers, ("FLEET", "", d, "tea", "HKD"), (3, 1_350, 150))
    await site.database.write(lambda connection: save(connection, sums.rows()))
    async with signed_in(site) as browser:
        page = await browser.get("/offers?offer=tea")
        none = await browser.get("/offers?offer=nobodys")
    assert [days.as_date(d).isoformat(), "3", "13.50 HKD", "1.50 HKD"] in cells(page)
    assert "Sales are told of no line of the books yet." in page.text
    assert 404 == none.status_code


async def test_who_may_only_look_is_shown_no_form(site: Site) -> None:
    """Neither to make offers nor to end them."""
    await ask(site, "", wire.CreateOfferRequest(code="tea", content=content(site)))
    async with signed_in(site, role="viewer") as browser:
        page = await browser.get("/offers?offer=tea")
    assert ["is", "running"] in cells(page)
    assert "/acts/" not in page.text.partition("<main")[2]


async def test_a_large_offer_waits_and_is_answered(strict: Site) -> None:
    """It is shown as it is and as it would be. A link proves nobody's name, so a person with a
    certificate confirms; whoever signed in by a link may decline.
    """
    large = wire.CreateOfferRequest(code="tea", content=content(strict))
    await ask(strict, "ann", large)
    more = wire.UpdateOfferRequest(code="tea", name="Tee", budget=hkd(70))
    with pytest.raises(Refused, match="written down as proposal"):
        await ask(strict, "ann", more)
    large.code, large.content.budget.minor = "cake", 61
    with pytest.raises(Refused, match="written down as proposal"):
        await ask(strict, "ann", large)
    async with signed_in(strict) as browser:
        page = await browser.get("/offers")
        rows = {row[0]: row for row in cells(page) if len(row) == 18 and row[1] in WAITING}
        assert ("made", "–", "0.61 HKD") == (rows["cake"][1], *rows["cake"][8:10])
        assert ["–", "Tea time", "when it is confirmed"] == [rows["cake"][n] for n in (2, 3, 7)]
        assert ("changed", "0.60 HKD", "0.70 HKD") == (rows["tea"][1], *rows["tea"][8:10])
        assert ["Tea time", "Tee"] == rows["tea"][2:4]
        assert rows["tea"][7].startswith("20")
        assert "certificate ann" == rows["tea"][14]
        form = form_of(page, "/acts/answer-offer")
        assert "cake" == form["offer"]
        unproven = await browser.post("/acts/answer-offer", data=form | {"answer": "CONFIRM"})
        assert 409 == unproven.status_code
        assert "you do not prove who you are" in unproven.text
        wrong = form | {"answer": "DECLINE"}
        assert 400 == (await browser.post("/acts/answer-offer", data=wrong)).status_code
        no = wrong | {"reason": "too dear"}
        declined = await browser.post("/acts/answer-offer", data=no)
        assert (303, "/offers#table-waiting") == (
            declined.status_code,
            declined.headers["location"],
        )
        page = await browser.get("/offers")
        assert "It is declined" in page.text
        assert "cake" not in [row[0] for row in cells(page) if row]
        yes = await _certified(strict, browser, "bob", "CONFIRM")
        assert 303 == yes.status_code, yes.text
    offer = (await ask(strict, "", wire.GetOfferRequest(code="tea"))).offer
    assert hkd(70) == offer.content.budget


WAITING = {"made", "changed"}


async def _certified(
    site: Site, browser: httpx.AsyncClient, who: str, answer: str
) -> httpx.Response:
    """What somebody whose browser shows a certificate answers."""
    app = build_console_app(console_of(site), hosts=frozenset({HOST}))

    async def with_certificate(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["certified"] = {"x509_common_name": who.encode()}
        await app(scope, receive, send)

    transport = httpx.ASGITransport(app=with_certificate)
    async with httpx.AsyncClient(transport=transport, base_url=browser.base_url) as other:
        form = form_of(await other.get("/offers"), "/acts/answer-offer")
        return await other.post("/acts/answer-offer", data=form | {"answer": answer})


async def test_who_is_the_first_of_two_is_led_to_what_waits(strict: Site) -> None:
    """And not to the form, filled in to be sent once more."""
    app = build_console_app(console_of(strict), hosts=frozenset({HOST}))

    async def with_certificate(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["certified"] = {"x509_common_name": b"ann"}
        await app(scope, receive, send)

    transport = httpx.ASGITransport(app=with_certificate)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as browser:
        form = form_of(await browser.get("/offers"), "/acts/create-offer")
        large = NEW | {"budget": "100", "until": f"{_soon(strict)}T22:00"}
        first = await browser.post("/acts/create-offer", data=form | large)
        own = form_of(await browser.get("/offers"), "/acts/answer-offer")
        again = await browser.post("/acts/answer-offer", data=own | {"answer": "CONFIRM"})
    assert 409 == first.status_code
    assert "your wish is written down as proposal" in first.text
    assert 'href="/offers#table-waiting"' in first.text
    assert "you proposed this for offer tea yourself" in again.text.replace("&#39;", "'")


async def test_an_offer_of_a_newer_gateway_says_so(site: Site) -> None:
    """In the place of its machines."""
    await ask(site, "", wire.CreateOfferRequest(code="tea", content=content(site)))
    asks = '{"all": true, "machine_ids": [], "moods": ["glad"]}'
    newer = update(tables.offers).values(selector=asks)
    await site.database.write(lambda connection: connection.execute(newer))
    async with signed_in(site) as browser:
        page = await browser.get("/offers?offer=tea")
    assert ["means now", "a newer program wrote a selector with moods"] in cells(page)


def test_what_is_left_of_a_budget_is_drawn() -> None:
    """The whole length is the offer's own budget; one that was lowered below what is spent of it
    has nothing left.
    """
    made = [
        offer_pb2.Offer(
            code=code, content=offer_pb2.OfferContent(budget=hkd(budget)), spent=hkd(spent)
        )
        for code, budget, spent in (("a", 400, 100), ("b", 10, 0), ("c", 5, 7))
    ]
    whole = BAR_LENGTH
    assert [
        Bar(label="a", said="3.00 HKD left", length=whole // 4),
        Bar(label="b", said="0.10 HKD left", length=0),
        Bar(label="c", said="0.00 HKD left", length=whole),
    ] == _drawn(made)


def test_an_offer_is_said_in_words() -> None:
    """What it takes off, whose it is and for what."""
    for made, said in (
        (offer_pb2.OfferContent(discount=hkd(50)), "0.50 HKD"),
        (offer_pb2.OfferContent(basis_points=1_000), "10 %"),
        (offer_pb2.OfferContent(basis_points=1_205), "12.05 %"),
    ):
        assert said == off(made)
    for made, said in (
        (offer_pb2.OfferContent(), "all known payers"),
        (offer_pb2.OfferContent(tag="VIP", product="cola"), "who have VIP, for cola"),
        (
            offer_pb2.OfferContent(category="tea", holdout_percent=10),
            "all known payers, 10 % of them held out, for category tea",
        ),
    ):
        assert said == for_whom(made)
