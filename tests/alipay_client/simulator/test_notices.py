"""What the merchant is told."""

import pytest

from alipay_client.simulator import gmt8
from tests.alipay_client.simulator.merchant import NOTIFY_URL, PARTNER, World


async def test_a_payment(here: World) -> None:
    """The fields of the documents' table, signed, sent to the code's own URL."""
    trade = here.alipay.pay(await here.create(), "5.00", "alice")
    await here.alipay.settle()
    (told,) = here.letters.received
    assert [NOTIFY_URL] == here.letters.urls
    assert told.pop("sign")
    assert 34 == len(told.pop("notify_id"))
    assert told.pop("buyer_id").startswith("2088")
    assert {
        "notify_time": "2026-01-15 12:00:00",
        "notify_type": "trade_status_sync",
        "notify_action_type": "payByAccountAction",
        "sign_type": "MD5",
        "out_trade_no": trade.out_trade_no,
        "trade_no": trade.trade_no,
        "trade_status": "TRADE_SUCCESS",
        "subject": "Vending machine top-up",
        "gmt_create": "2026-01-15 12:00:00",
        "gmt_payment": "2026-01-15 12:00:00",
        "seller_id": PARTNER,
        "seller_email": "seller@example.com",
        "buyer_email": "ali***@example.com",
        "price": "5.00",
        "quantity": "1",
        "total_fee": "5.00",
        "currency": "HKD",
        "paytools_pay_amount": '[{"ALIPAYACCOUNT":"4.61"}]',
        "extra_common_param": '{"machine": "VM_0001"}',
    } == told


async def test_disputed_fields(here: World) -> None:
    """The other reading: total_fee in CNY, the amount in forex_total_fee, the currency under
    another name or none, the code named.
    """
    here.alipay.switch(
        {
            "notify_amount_field": "forex_total_fee",
            "notify_currency_field": "forex_currency",
            "notify_code_fields": True,
        }
    )
    qrcode = await here.create()
    here.alipay.pay(qrcode, "5.00")
    await here.alipay.settle()
    told = here.letters.received[0]
    assert (
        "4.61",
        "5.00",
        "HKD",
    ) == (told["total_fee"], told["forex_total_fee"], told["forex_currency"])
    assert (told["qrcode"], told["store_id"]) == (qrcode, "VM_0001")
    here.alipay.switch({"notify_currency_field": "none"})
    here.alipay.pay(qrcode, "5.00")
    await here.alipay.settle()
    assert not {"currency", "forex_currency"} & set(here.letters.received[1])


@pytest.mark.parametrize("where", ["code", "quirk"])
async def test_gbk_notifications(here: World, where: str) -> None:
    """In the charset that the code asked for, or the switched one; the signature is over its
    bytes.
    """
    if where == "quirk":
        here.alipay.switch({"notify_charset": "GBK"})
    passback = '{"machine":"自动售货机"}'
    qrcode = await here.create(
        passback_parameters=passback, **({"notify_charset": "gbk"} if where == "code" else {})
    )
    here.alipay.pay(qrcode, "5.00", "王")
    await here.alipay.settle()
    assert passback == here.letters.received[0]["extra_common_param"]
    assert (
        "GBK"
        == here.alipay.context.book.notifications_of(here.letters.received[0]["trade_no"])[
            0
        ].charset
    )


async def test_a_full_refund_closes_and_tells(here: World) -> None:
    """Partial synchronous refunds are silent; the one that closes the trade is told to the code's
    URL, unless switched off.
    """
    qrcode = await here.create()
    first, second = (here.alipay.pay(qrcode, "5.00").out_trade_no for _ in range(2))
    await here.refund(first, "R1", "2.00")
    await here.refund(first, "R2", "3.00")
    await here.alipay.settle()
    told = here.letters.received[2:]
    assert [("TRADE_CLOSED", "3.00", "R2")] == [
        (one["trade_status"], one["refund_fee"], one["out_biz_no"]) for one in told
    ]
    assert "refundFPAction" == told[0]["notify_action_type"]
    here.alipay.switch({"notify_on_full_refund": False})
    await here.refund(second, "R3", "5.00")
    await here.alipay.settle()
    assert 3 == len(here.letters.received)


async def test_a_year_later(here: World) -> None:
    """At the end of the refund window the trade is finished and told again with its old creation
    time, and can no longer be refunded.
    """
    trade = here.alipay.pay(await here.create(), "5.00")
    await here.alipay.settle()
    here.clock.at_ms += 365 * gmt8.DAY_MS
    await here.alipay.settle()
    paid, finished = here.letters.received
    assert (
        "TRADE_FINISHED",
        "finishFPAction",
    ) == (finished["trade_status"], finished["notify_action_type"])
    assert finished["gmt_create"] == paid["gmt_create"]
    assert finished["notify_id"] != paid["notify_id"]
    assert "TRADE_HAS_FINISHED" == (await here.refund(trade.out_trade_no, "R1", "1.00")).error


async def test_waiting_goes_before_paid(here: World) -> None:
    """Where switched on, the unpaid state is told as well."""
    here.alipay.switch({"notify_waiting": True})
    here.alipay.pay(await here.create(), "5.00")
    await here.alipay.settle()
    assert [
        "WAIT_BUYER_PAY",
        "TRADE_SUCCESS",
    ] == [told["trade_status"] for told in here.letters.received]


async def test_without_an_url_nobody_is_told(here: World) -> None:
    """notify_url is optional, and then there is nothing to deliver."""
    qrcode = await here.create()
    book = here.alipay.context.book
    with book.change():
        book._db.execute("UPDATE codes SET notify_url = ''")
    here.alipay.pay(qrcode, "5.00")
    await here.alipay.settle()
    assert [] == here.letters.received
