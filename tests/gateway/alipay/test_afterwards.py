"""What Alipay tells of a trade after its payment: what does not fit moves nothing, and waits for a
person.
"""

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from actors.machine.ids import MachineId
from gateway.fleet.v1 import trade_service_pb2
from storage.fleet.views import RefundView, WorkItemView
from tests.alipay_client.wire import Pair
from tests.support.fleet_calls import refunded
from tests.support.site import Site, a_site, found

SUCCESS = (200, "success")


async def _refund(site: Site) -> RefundView:
    """Return the refund of a payment that came too late."""

    async def look() -> RefundView | None:
        return next(iter(await site.queries.refunds(limit=1)), None)

    return await found(look)


async def _items(site: Site) -> list[WorkItemView]:
    return await site.queries.work_items(
        machine_id="", kinds=("NOTIFICATION_REFUSED",), after="", limit=9, now_ms=0
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"refund_fee": "2.00"},
        {"refund_fee": "5.00", "currency": "JPY", "total_fee": "500"},
        {"refund_fee": "5.00", "trade_no": "2026011522001400000000000009"},
    ],
)
async def test_the_echo_of_other_money_confirms_no_refund(
    site: Site, fields: dict[str, str]
) -> None:
    """It has the id of a refund of ours, and another trade or amount: a person must look, and the
    refund stays open.
    """
    machine = await site.register()
    await site.post(machine.notify_token, site.signed())
    echo = {"out_biz_no": (await _refund(site)).refund_id, "notify_id": "n2", **fields}
    status, _ = await site.post(machine.notify_token, site.signed(**echo))
    assert (400, 1.0) == (status, site.counted("refused", "other_refund"))
    assert 1 == len(await _items(site)) == len(site.woken)


async def test_the_unit_of_an_echo_is_not_known_where_another_field_names_the_price(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """Where the price stands in ``forex_total_fee``, ``refund_fee`` may be in yuan."""
    async with a_site(tmp_path, upgraded_file, pair) as site:
        config = site.ingress.config
        site.ingress.config = dataclasses.replace(config, notify_amount_field="forex_total_fee")
        machine = await site.register()
        paid = site.signed(forex_total_fee="5.00", total_fee="4.50")
        assert SUCCESS == await site.post(machine.notify_token, paid)
        echo = {"out_biz_no": (await _refund(site)).refund_id, "notify_id": "n2"}
        body = site.signed(refund_fee="4.50", **echo)
        assert SUCCESS == await site.post(machine.notify_token, body)


async def test_the_echo_of_a_refund_that_was_given_up_waits_for_a_person(site: Site) -> None:
    """The money went back after all, and the books say that we have it."""
    refund_id = await refunded(site)
    await site.trades.WriteOffRefund(
        trade_service_pb2.WriteOffRefundRequest(refund_id=refund_id, reason="paid in cash"),
        metadata=(("x-actor", "ann"),),
    )
    machine = await site.registry.get(MachineId("VM-1"))
    assert machine is not None
    echo = site.signed(refund_fee="5.00", out_biz_no=refund_id, notify_id="n2")
    status, _ = await site.post(machine.notify_token, echo)
    assert (400, 1.0) == (status, site.counted("refused", "given_up_refund"))
    assert 1 == len(await _items(site))


async def test_a_payment_that_somebody_cancelled_at_alipay_waits_for_a_person(site: Site) -> None:
    """Whether its machine has taken it or not: its money is not there any more, and can be spent
    here.
    """
    machine = await site.register()
    now = dt.datetime.now(dt.timezone(dt.timedelta(hours=8))).strftime("%Y-%m-%d %H:%M:%S")
    assert SUCCESS == await site.post(machine.notify_token, site.signed(gmt_payment=now))
    closed = site.signed(
        trade_status="TRADE_CLOSED", notify_action_type="reverseAction", notify_id="n2"
    )
    for _ in range(2):
        assert (400, "refused") == await site.post(machine.notify_token, closed)
    assert 1 == len(await _items(site))
    assert 2.0 == site.counted("refused", "closed_with_money")


async def test_a_payment_that_is_told_behind_its_end_credits_nothing(site: Site) -> None:
    """Alipay tells in no order: what was cancelled is not there any more. One that was told in
    time is told again as before.
    """
    machine = await site.register()
    end = {"trade_status": "TRADE_CLOSED", "notify_id": "n2"}
    assert SUCCESS == await site.post(machine.notify_token, site.signed(**end))
    assert (400, "refused") == await site.post(machine.notify_token, site.signed())
    assert 1.0 == site.counted("refused", "closed_trade")
    assert 1 == len(await _items(site))
    other = {"trade_no": "2026011522001400000000000002"}
    assert SUCCESS == await site.post(machine.notify_token, site.signed(**other))
    await _refund(site)
    assert SUCCESS == await site.post(machine.notify_token, site.signed(**other, **end))
    assert SUCCESS == await site.post(machine.notify_token, site.signed(**other))


@pytest.mark.parametrize(
    "fields",
    [
        {"trade_status": "TRADE_FROZEN"},
        {"currency": "USD"},
        {"out_biz_no": "R" * 65, "refund_fee": "5.00"},
        {"out_biz_no": "HZ-1", "refund_fee": "2.00"},
        {"refund_fee": "5.00"},
    ],
)
async def test_what_comes_after_the_payment_and_does_not_fit_waits_for_a_person(
    site: Site, fields: dict[str, str]
) -> None:
    """That the payment is in our books says nothing of what Alipay told after it: somebody who
    returned money in Alipay's portal is one of these.
    """
    machine = await site.register()
    assert SUCCESS == await site.post(machine.notify_token, site.signed())
    status, _ = await site.post(machine.notify_token, site.signed(notify_id="n2", **fields))
    assert 400 == status
    assert 1 == len(await _items(site))


async def test_the_end_of_a_trade_that_was_credited_is_taken(site: Site) -> None:
    """A year later: acknowledged, and nobody's work."""
    machine = await site.register()
    await site.post(machine.notify_token, site.signed())
    end = site.signed(trade_status="TRADE_FINISHED", notify_id="n2")
    assert SUCCESS == await site.post(machine.notify_token, end)
    assert [] == await _items(site)


@pytest.mark.parametrize("all_of_it", [False, True])
async def test_what_somebody_returned_before_we_heard_of_the_payment_credits_nothing(
    site: Site, all_of_it: bool
) -> None:
    """The payment is told behind that: its funds would be spent here, and are the customer's again.
    Both wait for a person; another trade does not, and one that was told in time is told again.
    """
    machine = await site.register()
    other = {"trade_no": "2026011522001400000000000002"}
    assert SUCCESS == await site.post(machine.notify_token, site.signed(**other))
    back = {"refund_fee": "5.00" if all_of_it else "2.00", "out_biz_no": "HZ-1", "notify_id": "n2"}
    if all_of_it:
        back["trade_status"] = "TRADE_CLOSED"
    for which in ({}, other):
        assert (400, "refused") == await site.post(
            machine.notify_token, site.signed(**back, **which)
        )
    for _ in range(2):
        assert (400, "refused") == await site.post(machine.notify_token, site.signed())
    assert SUCCESS == await site.post(machine.notify_token, site.signed(**other))
    assert 2.0 == site.counted("refused", "returned_trade")
    reasons = [item.reason.partition(":")[0] for item in await _items(site)]
    assert ["unknown_refund", "unknown_refund", "returned_trade"] == reasons
    assert 1 == len(site.woken)
