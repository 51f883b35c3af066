"""The ledger on a page is the ledger of GetBalances."""

from gateway.fleet.v1 import trade_service_pb2
from gateway.web.pages.money import SUMS
from gateway.web.tables import Amount
from storage.reconciliation.runs import Reconciliation
from tests.gateway.web.signed_in import cells, form_of, signed_in
from tests.storage.reconciliation.differences import RUN, difference
from tests.support.fleet_calls import refunded
from tests.support.site import Site


async def test_each_sum_is_that_of_grpc(site: Site) -> None:
    """At the same position, to the cent; and a refused refund is tried again from here."""
    refund_id = await refunded(site)
    (balance,) = (await site.trades.GetBalances(trade_service_pb2.GetBalancesRequest())).balances
    expected = [str(Amount(getattr(balance, field), balance.currency)) for field, _ in SUMS]
    position = await site.queries.settled_position()
    async with signed_in(site) as browser:
        page = await browser.get("/money")
        assert f"Complete until position {position}," in page.text
        assert ["HKD", *expected, "yes"] in cells(page)
        assert "5.00 HKD" in expected
        assert any(row[0] == refund_id and "refused" in row for row in cells(page))
        site.alipay.switch({"refund_refused": 0.0})
        form = form_of(page, "/acts/retry-refund") | {"reason": "the account was mended"}
        done = await browser.post("/acts/retry-refund", data=form)
    assert (303, "/money#table-refunds") == (done.status_code, done.headers["location"])


async def test_no_money_is_drawn_as_nothing(site: Site) -> None:
    """Not as zero."""
    async with signed_in(site) as browser:
        page = await browser.get("/money")
    assert "No money has moved yet: there is nothing to draw." in page.text
    assert "<svg" not in page.text


async def test_a_difference_is_closed(site: Site) -> None:
    """By whoever has looked, with what they found; it does not come back."""
    await Reconciliation(site.database).record(RUN, [difference("t7")], now_ms=site.clock.now_ms())
    async with signed_in(site) as browser:
        form = form_of(await browser.get("/money"), "/acts/close-work-item")
        silent = await browser.post("/acts/close-work-item", data=form)
        assert (400, True) == (silent.status_code, "reason" in silent.text)
        done = await browser.post(
            "/acts/close-work-item", data={**form, "reason": "Alipay's portal has it"}
        )
        page = await browser.get(done.headers["location"])
        today = await browser.get("/")
    for one in (page, today):
        row = next(row for row in cells(one) if row[0] == RUN.day)
        assert [RUN.file_name, str(RUN.row_count), "0"] == [row[1], *row[3:5]]
    assert "The work item is closed." in page.text
    assert "/acts/close-work-item" not in page.text
