"""Refunds, queries and cancel over the wire."""

import pytest

from alipay_client.simulator import gmt8
from tests.alipay_client.simulator.merchant import World


async def _paid(here: World, amount: str = "5.00", **changes: str) -> str:
    return here.alipay.pay(await here.create(**changes), amount).out_trade_no


async def test_a_refund_is_done_once(here: World) -> None:
    """Asked three times under one id, it is done once and answered the same."""
    out_trade_no = await _paid(here)
    answers = [await here.refund(out_trade_no, "R1", "2.00") for _ in range(3)]
    assert answers[0].signed == answers[1].signed == answers[2].signed
    assert "alipay" == answers[0].wrapper
    trade = (await here.alipay.book())["trades"][0]
    assert {
        "result_code": "SUCCESS",
        "partner_trans_id": out_trade_no,
        "partner_refund_id": "R1",
        "alipay_trans_id": trade["trade_no"],
        "refund_amount": "2.00",
        "currency": "HKD",
        "exchange_rate": "0.92150000",
        "refund_amount_cny": "1.84",
    } == answers[0].signed
    assert [{"refund_id": "R1", "amount_minor": 200, "state": "SUCCEEDED", "error": ""}] == trade[
        "refunds"
    ]


async def test_one_id_is_one_content(here: World) -> None:
    """Another amount, currency or trade under a used id is discordant."""
    out_trade_no, other = await _paid(here), await _paid(here)
    await here.refund(out_trade_no, "R1", "2.00")
    for answer in (
        await here.refund(out_trade_no, "R1", "2.01"),
        await here.refund(out_trade_no, "R1", "2.00", currency="USD"),
        await here.refund(other, "R1", "2.00"),
    ):
        assert "DISCORDANT_REPEAT_REQUEST" == answer.error
    assert {"HKD": {"paid_minor": 1_000, "refunded_minor": 200}} == (await here.alipay.book())[
        "totals"
    ]


async def test_parts_add_up_to_the_payment(here: World) -> None:
    """Partial refunds are bounded by what was paid; the last one closes the trade."""
    out_trade_no = await _paid(here)
    assert "" == (await here.refund(out_trade_no, "R1", "3.00")).error
    assert "RETURN_AMOUNT_EXCEED" == (await here.refund(out_trade_no, "R2", "2.01")).error
    assert "" == (await here.refund(out_trade_no, "R2", "2.00")).error
    assert "TRADE_HAS_CLOSE" == (await here.refund(out_trade_no, "R3", "0.01")).error
    assert "" == (await here.refund(out_trade_no, "R1", "3")).error
    query = await here.call("alipay.acquire.overseas.query", partner_trans_id=out_trade_no)
    assert query.signed is not None
    assert "TRADE_CLOSED" == query.signed["alipay_trans_status"]


async def test_what_a_refund_must_say(here: World) -> None:
    """Wrong amounts, currencies, ids and trades each have their code."""
    out_trade_no = await _paid(here)
    assert "INVALID_PARAMETER" == (await here.refund(out_trade_no, "R1", "1.001")).error
    assert (
        "CURRENCY_NOT_SAME" == (await here.refund(out_trade_no, "R1", "1.00", currency="USD")).error
    )
    assert "TRADE_NOT_EXIST" == (await here.refund("unknown", "R1", "1.00")).error
    assert (
        "TRADE_NOT_EXIST"
        == (await here.refund(out_trade_no, "R1", "1.00", alipay_trans_id="other")).error
    )
    assert "ILLEGAL_ARGUMENT" == (await here.refund(out_trade_no, out_trade_no, "1.00")).error
    assert "ILLEGAL_ARGUMENT" == (await here.refund(out_trade_no, "R" * 65, "1.00")).error
    assert "ILLEGAL_ARGUMENT" == (await here.refund(out_trade_no, "R1", "1.00", is_sync="T")).error
    assert "" == (await here.refund(out_trade_no, "R1", "1.00", refund_reason="change")).error
    assert (
        "ILLEGAL_SIGN"
        == (await here.refund(out_trade_no, "R1", "1.00", refund_reson="change")).error
    )
    here.alipay.switch({"refund_reason_name": "refund_reson"})
    assert "" == (await here.refund(out_trade_no, "R1", "1.00", refund_reson="change")).error


async def test_yen_have_no_decimals(here: World) -> None:
    """100 is an amount, 100.00 an error."""
    out_trade_no = await _paid(here, "500", trans_currency="JPY", currency="JPY")
    assert (
        "INVALID_PARAMETER"
        == (await here.refund(out_trade_no, "R1", "100.00", currency="JPY")).error
    )
    assert "" == (await here.refund(out_trade_no, "R1", "100", currency="JPY")).error
    assert {"JPY": {"paid_minor": 500, "refunded_minor": 100}} == (await here.alipay.book())[
        "totals"
    ]


async def test_an_asynchronous_refund(here: World) -> None:
    """SUCCESS means accepted; it is done a little later on the same day, and only then told to its
    own URL.
    """
    out_trade_no = await _paid(here)
    await here.alipay.settle()
    answer = await here.refund(
        out_trade_no, "R1", "2.00", is_sync="N", notify_url="https://gw.example.com/refunds"
    )
    assert "" == answer.error
    assert "PROCESSING" == (await here.refund_state(out_trade_no, "R1"))["refund_result_code"]
    assert "RETURN_AMOUNT_EXCEED" == (await here.refund(out_trade_no, "R2", "3.01")).error
    synchronous = (await here.refund(out_trade_no, "R1", "2.00")).signed
    assert synchronous is not None
    assert "UNKNOWN" == synchronous["result_code"]
    here.clock.at_ms += 2_000
    await here.alipay.settle()
    assert "SUCCESS" == (await here.refund_state(out_trade_no, "R1"))["refund_result_code"]
    told = here.letters.received[-1]
    assert "https://gw.example.com/refunds" == here.letters.urls[-1]
    assert ("refundFPAction", "TRADE_SUCCESS") == (told["notify_action_type"], told["trade_status"])
    assert ("2.00", "R1") == (told["refund_fee"], told["out_biz_no"])


async def test_after_midnight_it_waits_for_the_batch(here: World) -> None:
    """A refund accepted on a later day is carried out at 23:00."""
    out_trade_no = await _paid(here)
    here.clock.at_ms = gmt8.parse("2026-01-16 09:00:00")
    await here.refund(out_trade_no, "R1", "2.00", is_sync="N")
    here.clock.at_ms = gmt8.parse("2026-01-16 22:59:59")
    await here.alipay.settle()
    assert "PROCESSING" == (await here.refund_state(out_trade_no, "R1"))["refund_result_code"]
    here.clock.at_ms = gmt8.parse("2026-01-16 23:00:02")
    await here.alipay.settle()
    assert "SUCCESS" == (await here.refund_state(out_trade_no, "R1"))["refund_result_code"]


async def test_short_of_funds(here: World) -> None:
    """A synchronous refund fails and succeeds later under the same id; an asynchronous one waits,
    saying why.
    """
    out_trade_no = await _paid(here)
    here.alipay.switch({"short_of_funds": True})
    assert "MERCHANT_BALANCE_NOT_ENOUGH" == (await here.refund(out_trade_no, "R1", "2.00")).error
    state = await here.refund_state(out_trade_no, "R1")
    assert (
        "FAILED",
        "MERCHANT_BALANCE_NOT_ENOUGH",
    ) == (state["refund_result_code"], state["refund_error_code"])
    assert "" == (await here.refund(out_trade_no, "R2", "1.00", is_sync="N")).error
    here.clock.at_ms += 2_000
    await here.alipay.settle()
    state = await here.refund_state(out_trade_no, "R2")
    assert (
        "PROCESSING",
        "MERCHANT_BALANCE_NOT_ENOUGH",
    ) == (state["refund_result_code"], state["refund_error_code"])
    here.alipay.switch({"short_of_funds": False})
    assert "" == (await here.refund(out_trade_no, "R1", "2.00")).error
    here.clock.at_ms = gmt8.parse("2026-01-15 23:00:00")
    await here.alipay.settle()
    assert {"HKD": {"paid_minor": 500, "refunded_minor": 300}} == (await here.alipay.book())[
        "totals"
    ]


async def test_refund_query_knows_what_it_does_not_know(here: World) -> None:
    """An unknown trade, an unknown refund, and a refund of another trade are three answers of two
    kinds.
    """
    out_trade_no, other = await _paid(here), await _paid(here)
    await here.refund(other, "R1", "1.00")
    assert "TRADE_NOT_EXIST" == (await here.refund_state("unknown", "R1"))["response_code"]
    assert "NOT_FOUND" == (await here.refund_state(out_trade_no, "R9"))["response_code"]
    assert "NOT_FOUND" == (await here.refund_state(out_trade_no, "R1"))["response_code"]
    found = await here.refund_state(other, "R1")
    assert (
        "SUCCESS",
        "R1",
        "2026-01-15 12:00:00",
    ) == (found["response_code"], found["out_return_no"], found["gmt_create"])


async def test_trade_query(here: World) -> None:
    """By either id, alipay_trans_id first; what was refunded shows in CNY."""
    trade = here.alipay.pay(await here.create(), "5.00")
    await here.refund(trade.out_trade_no, "R1", "2.00")
    by_own = await here.call("alipay.acquire.overseas.query", partner_trans_id=trade.out_trade_no)
    both = await here.call(
        "alipay.acquire.overseas.query", partner_trans_id="other", alipay_trans_id=trade.trade_no
    )
    assert by_own.signed == both.signed
    assert by_own.signed is not None
    assert "5.00" == by_own.signed["trans_amount"]
    assert "20260115120000" == by_own.signed["alipay_pay_time"]
    assert "1.84" == by_own.signed["refund_amount_cny"]
    assert "ILLEGAL_ARGUMENT" == (await here.call("alipay.acquire.overseas.query")).error


async def test_cancel(here: World) -> None:
    """The whole amount on T day, once, also of a trade that never was; not after a refund, and not
    the day after.
    """
    out_trade_no = await _paid(here)
    millis = str(here.clock.at_ms)
    for _ in range(2):
        answer = await here.call(
            "alipay.acquire.cancel", out_trade_no=out_trade_no, timestamp=millis
        )
        assert answer.signed is not None
        assert ("SUCCESS", "refund") == (answer.signed["result_code"], answer.signed["action"])
    assert {"HKD": {"paid_minor": 500, "refunded_minor": 500}} == (await here.alipay.book())[
        "totals"
    ]
    await here.alipay.settle()
    assert "reverseAction" == here.letters.received[-1]["notify_action_type"]
    never = await here.call(
        "alipay.acquire.cancel", out_trade_no="never", timestamp="2026-01-15 12:00:00"
    )
    assert never.signed is not None
    assert "close" == never.signed["action"]
    partly, late = await _paid(here), await _paid(here)
    await here.refund(partly, "R1", "1.00")
    assert "TRADE_STATUS_ERROR" == await _cancel_code(here, partly)
    here.clock.at_ms += gmt8.DAY_MS
    assert "TRADE_STATUS_ERROR" == await _cancel_code(here, late)


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("MILLIS", "1456507704121", "2026-01-15 12:00:00"),
        ("DATE", "2026-01-15 12:00:00", "1456507704121"),
    ],
)
async def test_the_timestamp_of_cancel(here: World, form: str, good: str, bad: str) -> None:
    """Milliseconds in the documents, a date in the sample: switchable."""
    here.alipay.switch({"cancel_timestamp": form})
    assert (await here.call("alipay.acquire.cancel", out_trade_no="x", timestamp=good)).ok
    assert (
        "ILLEGAL_ARGUMENT"
        == (await here.call("alipay.acquire.cancel", out_trade_no="x", timestamp=bad)).error
    )


async def _cancel_code(here: World, out_trade_no: str) -> str:
    answer = await here.call(
        "alipay.acquire.cancel", out_trade_no=out_trade_no, timestamp=str(here.clock.at_ms)
    )
    assert answer.signed is not None
    return answer.signed["detail_error_code"]
