"""Parameters: in the documents' order and words, and what the documents forbid is never sent."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from alipay_client import AlipayConfig, fields, messages
from alipay_client.errors import Misused
from tests.alipay_client import vectors
from tests.alipay_client.wire import PARTNER, md5_config

CONFIG = md5_config()
MOMENT = datetime(2026, 1, 15, 2, 20, 32, tzinfo=UTC)
QRCODE = "https://qr.alipay.com/bax00000000000000000001"
SHOP = messages.Shop(
    secondary_merchant_id="op_1",
    secondary_merchant_name="Example Vending",
    secondary_merchant_industry="5499",
    store_id="VM_0001",
    store_name="自动售货机 1",
    trans_currency="HKD",
    currency="HKD",
)
REFUND = messages.Refund(
    partner_trans_id="OT202601150001",
    partner_refund_id="RF202601150001",
    amount_minor=150,
    currency="EUR",
)


def as_signed(parameters: dict[str, str]) -> dict[str, str]:
    """Add and drop what the envelope adds and drops."""
    return {
        "_input_charset": "UTF-8",
        **{name: value for name, value in parameters.items() if value},
    }


def test_requests_are_those_of_the_derived_vectors() -> None:
    """D2, D3, D4 and D5, field by field."""
    stop = messages.ModifyCodeStatus(qrcode=QRCODE, action=messages.CodeAction.STOP)
    yen = messages.Refund(
        partner_trans_id="OT202601150002",
        partner_refund_id="RF202601150002",
        amount_minor=100,
        currency="JPY",
        synchronous=False,
        notify_url="https://gw.example.com/notify/refund",
    )
    query = messages.QueryRefund(
        partner_trans_id="OT202601150001", partner_refund_id="RF202601150001"
    )
    assert vectors.named("D2").fields() == as_signed(
        fields.modify_code_status(stop, CONFIG, MOMENT)
    )
    assert vectors.named("D3").fields() == as_signed(fields.refund(REFUND, CONFIG))
    assert vectors.named("D4").fields() == as_signed(fields.refund(yen, CONFIG))
    assert vectors.named("D5").fields() == as_signed(fields.query_refund(query, CONFIG))


def test_a_trade_is_asked_for_by_either_id() -> None:
    """The published query vector's fields; one id is enough."""
    asked = fields.query_trade(messages.QueryTrade(partner_trans_id="2010121000000002"), CONFIG)
    assert {
        **vectors.named("4").fields(),
        "_input_charset": "UTF-8",
        "partner": PARTNER,
    } == as_signed(asked)
    assert (
        "2026"
        == fields.query_trade(messages.QueryTrade(alipay_trans_id="2026"), CONFIG)[
            "alipay_trans_id"
        ]
    )


def test_create_sends_the_whole_shop_as_flat_json() -> None:
    """Empty members are left out; passback is JSON inside of JSON, because the document calls it a
    String.
    """
    shop = dataclasses.replace(SHOP, passback_parameters={"machine": "VM_0001"})
    made = fields.create_code(
        messages.CreateCode(shop=shop, notify_url="https://gw.example.com/n/1"), CONFIG, MOMENT
    )
    assert ["service", "partner", "timestamp", "notify_url", "biz_type", "biz_data"] == list(made)
    assert {
        "secondary_merchant_industry": "5499",
        "secondary_merchant_id": "op_1",
        "secondary_merchant_name": "Example Vending",
        "store_id": "VM_0001",
        "store_name": "自动售货机 1",
        "trans_currency": "HKD",
        "currency": "HKD",
        "passback_parameters": '{"machine":"VM_0001"}',
    } == json.loads(made["biz_data"])


def test_modify_sends_the_code_and_the_whole_shop_again() -> None:
    """With address and country when they are known."""
    shop = dataclasses.replace(SHOP, country_code="HK", address="1 Some Street")
    made = fields.modify_code(
        messages.ModifyCode(qrcode=QRCODE, shop=shop, notify_url="https://gw.example.com/n/1"),
        CONFIG,
        MOMENT,
    )
    assert "alipay.commerce.qrcode.modify" == made["service"]
    assert QRCODE == made["qrcode"]
    assert {"country_code": "HK", "address": "1 Some Street"}.items() <= json.loads(
        made["biz_data"]
    ).items()


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7))])
def test_timestamps_are_those_of_china(zone: timezone) -> None:
    """GMT+8 whatever the clock's zone; the other calls have none."""
    stop = messages.ModifyCodeStatus(qrcode=QRCODE, action=messages.CodeAction.STOP)
    assert (
        "2026-01-15 10:20:32"
        == fields.modify_code_status(stop, CONFIG, MOMENT.astimezone(zone))["timestamp"]
    )
    assert "timestamp" not in fields.refund(REFUND, CONFIG)


def test_the_hong_kong_spelling_of_the_reason_is_a_setting() -> None:
    """One letter less, and the gateway would refuse the signature of the other."""
    told = dataclasses.replace(REFUND, reason="change")
    assert "change" == fields.refund(told, CONFIG)["refund_reason"]
    assert (
        "change"
        == fields.refund(told, dataclasses.replace(CONFIG, refund_reason_field="refund_reson"))[
            "refund_reson"
        ]
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"partner_refund_id": "OT202601150001"}, "bad_refund_id"),
        ({"amount_minor": 0}, "bad_amount"),
        ({"amount_minor": -1}, "bad_amount"),
        ({"amount_minor": 10**9}, "bad_amount"),
        ({"currency": "eur"}, "bad_currency"),
        ({"partner_trans_id": " "}, "missing_field"),
        ({"partner_refund_id": ""}, "missing_field"),
        ({"partner_refund_id": "R" * 65}, "too_long"),
        ({"alipay_trans_id": "2" * 65}, "too_long"),
        ({"reason": "x" * 129}, "too_long"),
        ({"reason": 'say "why"'}, "bad_text"),
        ({"reason": "two\nlines"}, "bad_text"),
        ({"reason": "half \ud800"}, "bad_text"),
        ({"notify_url": "gw.example.com"}, "bad_url"),
        ({"notify_url": "https://gw.example.com/" + "x" * 200}, "too_long"),
    ],
)
def test_a_refund_that_the_documents_forbid_is_not_sent(
    changes: dict[str, object], code: str
) -> None:
    """Each rule of docs/alipay.md 5.1 that can be told beforehand."""
    assert code == misused(
        lambda config: fields.refund(dataclasses.replace(REFUND, **changes), config)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"store_id": ""}, "missing_field"),
        ({"currency": " "}, "missing_field"),
        ({"store_name": 'The "Shop"'}, "bad_text"),
        ({"address": "x" * 2_001}, "too_long"),
        ({"address": "x" * 1_900}, "too_long"),
        ({"passback_parameters": {"machine": "x" * 256}}, "too_long"),
    ],
)
def test_a_shop_that_the_documents_forbid_is_not_sent(
    changes: dict[str, object], code: str
) -> None:
    """Each rule of docs/alipay.md 4.1 that can be told beforehand."""
    message = messages.CreateCode(
        shop=dataclasses.replace(SHOP, **changes),  # type: ignore[arg-type]
        notify_url="https://gw.example.com/n/1",
    )
    assert code == misused(lambda config: fields.create_code(message, config, MOMENT))


def test_what_names_nothing_is_not_sent() -> None:
    """A query without an id, a status change without a code, a code without a URL, a clock without
    a zone.
    """
    stop = messages.ModifyCodeStatus(qrcode=QRCODE, action=messages.CodeAction.STOP)
    assert "missing_field" == misused(
        lambda config: fields.query_trade(messages.QueryTrade(), config)
    )
    assert "missing_field" == misused(
        lambda config: fields.modify_code_status(
            dataclasses.replace(stop, qrcode=""), config, MOMENT
        )
    )
    assert "bad_url" == misused(
        lambda config: fields.create_code(
            messages.CreateCode(shop=SHOP, notify_url=""), config, MOMENT
        )
    )
    assert "naive_clock" == misused(
        lambda config: fields.modify_code_status(stop, config, MOMENT.replace(tzinfo=None))
    )


def misused(build: Callable[[AlipayConfig], dict[str, str]]) -> str:
    """Build with the usual configuration and return the code of the misuse."""
    with pytest.raises(Misused) as caught:
        build(CONFIG)
    return caught.value.code
