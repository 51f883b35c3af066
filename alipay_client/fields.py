"""From a message to the documented parameters of its call, in the documents' order; pure
(docs/alipay.md 4.1-4.3, 5.1, 5.8, 6.1).

``Misused`` is raised for what Alipay's documents forbid, before anything is sent. Times are GMT+8,
whatever the machine's own zone.
"""

import json
import unicodedata
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from alipay_client import amounts, messages
from alipay_client.config import AlipayConfig
from alipay_client.errors import Misused

CHINA = timezone(timedelta(hours=8))
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"

_BIZ_TYPE = "OVERSEASHOPQRCODE"
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, halves of surrogate pairs, line and paragraph separators."""
_BIZ_DATA_MAX = 2_000
_ID_MAX = 64
_REASON_MAX = 128
_PASSBACK_MAX = 256
_NOTIFY_URL_MAX = 190
_REFUND_MINOR_MAX = 999_999_999
"""``refund_amount`` is Number(9,2)."""


def create_code(
    message: messages.CreateCode, config: AlipayConfig, moment: datetime
) -> dict[str, str]:
    """Return the parameters of alipay.commerce.qrcode.create."""
    return {
        **_stamped("alipay.commerce.qrcode.create", config, moment),
        "notify_url": _url(message.notify_url),
        "biz_type": _BIZ_TYPE,
        "biz_data": _biz_data(message.shop),
    }


def modify_code(
    message: messages.ModifyCode, config: AlipayConfig, moment: datetime
) -> dict[str, str]:
    """Return the parameters of alipay.commerce.qrcode.modify; whether absent members keep their
    values is unknown, so all are sent.
    """
    return {
        **_stamped("alipay.commerce.qrcode.modify", config, moment),
        "notify_url": _url(message.notify_url),
        "biz_type": _BIZ_TYPE,
        "qrcode": _required("qrcode", _plain("qrcode", message.qrcode, _BIZ_DATA_MAX)),
        "biz_data": _biz_data(message.shop),
    }


def modify_code_status(
    message: messages.ModifyCodeStatus, config: AlipayConfig, moment: datetime
) -> dict[str, str]:
    """Return the parameters of alipay.commerce.qrcode.modifyStatus."""
    return {
        **_stamped("alipay.commerce.qrcode.modifyStatus", config, moment),
        "biz_type": _BIZ_TYPE,
        "qrcode": _required("qrcode", _plain("qrcode", message.qrcode, _BIZ_DATA_MAX)),
        "status": message.action.value,
    }


def refund(message: messages.Refund, config: AlipayConfig) -> dict[str, str]:
    """Return the parameters of alipay.acquire.overseas.spot.refund; without a timestamp: one
    message is one request, whenever it is sent.
    """
    if message.partner_refund_id == message.partner_trans_id:
        raise Misused("bad_refund_id", "partner_refund_id must differ from partner_trans_id")
    if not 0 < message.amount_minor <= _REFUND_MINOR_MAX:
        raise Misused("bad_amount", f"a refund is between 1 and {_REFUND_MINOR_MAX} minor units")
    try:
        amount = amounts.to_text(message.amount_minor, message.currency)
    except ValueError as error:
        raise Misused("bad_currency", str(error)) from None
    return {
        **_common("alipay.acquire.overseas.spot.refund", config),
        "notify_url": _url(message.notify_url) if message.notify_url else "",
        "partner_trans_id": _id("partner_trans_id", message.partner_trans_id),
        "alipay_trans_id": _plain("alipay_trans_id", message.alipay_trans_id, _ID_MAX),
        "partner_refund_id": _id("partner_refund_id", message.partner_refund_id),
        "refund_amount": amount,
        "currency": message.currency,
        config.refund_reason_field: _plain("reason", message.reason, _REASON_MAX),
        "is_sync": "Y" if message.synchronous else "N",
    }


def query_refund(message: messages.QueryRefund, config: AlipayConfig) -> dict[str, str]:
    """Return the parameters of alipay.acquire.refund.query."""
    return {
        **_common("alipay.acquire.refund.query", config),
        "out_trade_no": _id("partner_trans_id", message.partner_trans_id),
        "out_return_no": _id("partner_refund_id", message.partner_refund_id),
    }


def query_trade(message: messages.QueryTrade, config: AlipayConfig) -> dict[str, str]:
    """Return the parameters of alipay.acquire.overseas.query."""
    if not (message.partner_trans_id or message.alipay_trans_id):
        raise Misused("missing_field", "a trade query names partner_trans_id or alipay_trans_id")
    return {
        **_common("alipay.acquire.overseas.query", config),
        "partner_trans_id": _plain("partner_trans_id", message.partner_trans_id, _ID_MAX),
        "alipay_trans_id": _plain("alipay_trans_id", message.alipay_trans_id, _ID_MAX),
    }


def _common(service: str, config: AlipayConfig) -> dict[str, str]:
    return {"service": service, "partner": config.partner}


def _stamped(service: str, config: AlipayConfig, moment: datetime) -> dict[str, str]:
    if moment.tzinfo is None:
        raise Misused(
            "naive_clock", "the clock must give aware times; a naive one would be stamped hours off"
        )
    return {**_common(service, config), "timestamp": moment.astimezone(CHINA).strftime(TIME_FORMAT)}


def _biz_data(shop: messages.Shop) -> str:
    members = {
        name: _plain(name, getattr(shop, name), _BIZ_DATA_MAX)
        for name in (
            "secondary_merchant_industry",
            "secondary_merchant_id",
            "secondary_merchant_name",
            "store_id",
            "store_name",
            "trans_currency",
            "currency",
            "country_code",
            "address",
        )
    }
    for name in set(members) - {"country_code", "address"}:
        _required(name, members[name])
    if shop.passback_parameters:
        members["passback_parameters"] = _json(shop.passback_parameters)
        if len(members["passback_parameters"]) > _PASSBACK_MAX:
            raise Misused(
                "too_long",
                f"passback_parameters come back in a field of {_PASSBACK_MAX} characters",
            )
    text = _json({name: value for name, value in members.items() if value})
    if len(text) > _BIZ_DATA_MAX:
        raise Misused("too_long", f"the shop's data is longer than {_BIZ_DATA_MAX} characters")
    return text


def _json(members: dict[str, str]) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def _required(name: str, value: str) -> str:
    if not value.strip():
        raise Misused("missing_field", f"{name} must not be empty")
    return value


def _plain(name: str, value: str, longest: int) -> str:
    value = value.strip()
    if len(value) > longest:
        raise Misused("too_long", f"{name} is longer than {longest} characters")
    if '"' in value or any(unicodedata.category(character) in _FORBIDDEN for character in value):
        raise Misused(
            "bad_text", f"{name} holds a double quote or a control character; Alipay forbids them"
        )
    return value


def _id(name: str, value: str) -> str:
    return _required(name, _plain(name, value, _ID_MAX))


def _url(value: str) -> str:
    parts = urlsplit(_plain("notify_url", value, _NOTIFY_URL_MAX))
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Misused(
            "bad_url", "notify_url is a whole URL that Alipay can reach: https://host/path"
        )
    return value
