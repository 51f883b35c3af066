"""The three merchant QR code services (docs/alipay.md 4): create, modify and modifyStatus."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import structlog

from alipay_client.simulator import model
from alipay_client.simulator.amounts import is_currency
from alipay_client.simulator.context import Context
from alipay_client.simulator.model import Code, CodeStatus, Declined
from alipay_client.simulator.signing import SIGN_TYPES
from alipay_client.simulator.wire import CODECS, Call, Refusal

log = structlog.get_logger()

_ID = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_ID_WITH_DASH = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MCC = re.compile(r"[0-9]{4}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_FEE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?", re.ASCII)
_LENGTHS = {"secondary_merchant_name": 64, "store_name": 256, "address": 256}
_BIZ_DATA_MAX = 2_000
_PASSBACK_MAX = 256
_OTHER_MEMBERS = frozenset(
    {
        "sys_service_provider_id",
        "notify_mobile",
        "notify_wangwang",
        "notify_alipay_account",
        "is_show_memo",
        "channel_fee",
    }
    | {
        "secondary_merchant_id",
        "secondary_merchant_industry",
        "store_id",
        "trans_currency",
        "currency",
        "country_code",
    }
    | {"passback_parameters", "notify_sign_type", "notify_charset", *_LENGTHS}
)


def create(context: Context, call: Call) -> dict[str, str]:
    """Make the code of a store, or return the one that it has: one with and one without a channel
    fee, unchanged by the repeat.
    """
    asked = _read_shop(context, call)
    for code in context.book.codes_of(asked.secondary_merchant_id, asked.store_id):
        deleted = code.status is CodeStatus.DELETED
        if bool(code.channel_fee) == bool(asked.channel_fee) and not (
            deleted and context.quirks.delete_frees_slot
        ):
            return _answer(context, code, with_image=True)
    number = context.book.next_number("code")
    if number > context.limits.codes_max:
        raise Refusal("SYSTEM_ERROR", "this book holds no more codes")
    code = replace(asked, qrcode=model.qrcode_text(context.book.birth, number, context.config.seed))
    context.book.put_code(code)
    return _answer(context, code, with_image=True)


def modify(context: Context, call: Call) -> dict[str, str]:
    """Replace what the code says; its store, sub-merchant and currencies stay, and a channel fee
    cannot be taken away.
    """
    code, asked = _known(context, call), _read_shop(context, call)
    if code.status is CodeStatus.DELETED:
        raise Declined("ILLEGAL_ARGUMENT", "a deleted code stays deleted")
    for name in ("secondary_merchant_id", "store_id", "trans_currency", "currency"):
        if getattr(code, name) != getattr(asked, name):
            raise Declined("ILLEGAL_ARGUMENT", f"{name} cannot be modified")
    if bool(code.channel_fee) != bool(asked.channel_fee):
        raise Declined("ILLEGAL_ARGUMENT", "channel_fee can neither be removed nor added")
    code = replace(
        asked,
        qrcode=code.qrcode,
        notify_url=asked.notify_url or code.notify_url,
        status=code.status,
        created_at_ms=code.created_at_ms,
    )
    context.book.put_code(code)
    return _answer(context, code)


def modify_status(context: Context, call: Call) -> dict[str, str]:
    """Stop, restart or delete a code; harmless when repeated."""
    if call.get("status") not in {"STOP", "RESTART", "DELETE"}:
        raise Refusal("ILLEGAL_ARGUMENT", "status is STOP, RESTART or DELETE")
    code = model.change_status(_known(context, call), call.get("status"))
    context.book.put_code(code)
    return _answer(context, code)


def _known(context: Context, call: Call) -> Code:
    code = context.book.code(call.get("qrcode"))
    if code is None:
        raise Declined("ILLEGAL_ARGUMENT", "there is no such code")
    return code


def _answer(context: Context, code: Code, *, with_image: bool = False) -> dict[str, str]:
    fields = {"qrcode": code.qrcode}
    if with_image:
        fields["qrcode_img_url"] = (
            f"https://mobilecodec.alipay.com/show.htm?code={code.qrcode.rpartition('/')[2]}&picSize=L"
        )
    if context.quirks.result_code_in_qrcodeinfo:
        fields["result_code"] = "SUCCESS"
    return fields


def _read_shop(context: Context, call: Call) -> Code:
    """Return ``biz_data`` as a code without a text. Refusal: the first rule that it breaks."""
    text = call.get("biz_data")
    if len(text) > _BIZ_DATA_MAX:
        raise Refusal("ILLEGAL_ARGUMENT", f"biz_data is longer than {_BIZ_DATA_MAX}")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal("ILLEGAL_ARGUMENT", "biz_data is no JSON") from error
    if not isinstance(data, dict):
        raise Refusal("ILLEGAL_ARGUMENT", "biz_data is no JSON object")
    unknown = sorted(set(data) - _OTHER_MEMBERS)
    if unknown:
        log.warning(
            "biz_data has members that no page documents",
            members=unknown[:10],
            store_id=str(data.get("store_id")),
        )
    shop = {name: value for name, value in data.items() if name != "channel_fee"}
    for name, value in shop.items():
        if not isinstance(value, str):
            raise Refusal("ILLEGAL_ARGUMENT", f"{name} is no text")
    _check_shop(context, shop)
    return Code(
        qrcode="",
        secondary_merchant_id=shop["secondary_merchant_id"],
        store_id=shop["store_id"],
        store_name=shop["store_name"],
        trans_currency=shop["trans_currency"],
        currency=shop.get("currency") or "CNY",
        channel_fee=_channel_fee(data.get("channel_fee")),
        passback=shop.get("passback_parameters", ""),
        notify_url=call.get("notify_url"),
        notify_sign_type=shop.get("notify_sign_type", ""),
        notify_charset=shop.get("notify_charset", "").upper(),
        status=CodeStatus.ACTIVE,
        created_at_ms=context.now_ms(),
        secondary_merchant_industry=shop["secondary_merchant_industry"],
        secondary_merchant_name=shop["secondary_merchant_name"],
    )


def _check_shop(context: Context, shop: dict[str, str]) -> None:
    id_form = _ID_WITH_DASH if context.quirks.dash_in_ids else _ID
    rules: dict[str, Callable[[str], object]] = {
        "secondary_merchant_id": id_form.fullmatch,
        "store_id": id_form.fullmatch,
        "secondary_merchant_industry": _MCC.fullmatch,
        "secondary_merchant_name": bool,
        "store_name": bool,
        "trans_currency": is_currency,
    }
    for name, rule in rules.items():
        if not rule(shop.get(name, "")):
            raise Refusal("ILLEGAL_ARGUMENT", f"{name} is missing or malformed")
    for name, longest in _LENGTHS.items():
        if len(shop.get(name, "")) > longest or '"' in shop.get(name, ""):
            raise Refusal(
                "ILLEGAL_ARGUMENT", f"{name} is longer than {longest} or holds a double quote"
            )
    if (
        shop.get("currency", "CNY") not in {"CNY", "", shop["trans_currency"]}
        and shop["trans_currency"] != "CNY"
    ):
        raise Refusal("ILLEGAL_ARGUMENT", "currency is neither CNY nor trans_currency")
    _check_place(context, shop)
    _check_passback(shop.get("passback_parameters", ""))
    if shop.get("notify_sign_type", "") not in {"", *SIGN_TYPES} or shop.get(
        "notify_charset", ""
    ).upper() not in {"", *CODECS}:
        raise Refusal("ILLEGAL_ARGUMENT", "notify_sign_type or notify_charset is unknown")
    if shop.get("notify_sign_type") and not context.ring.holds(shop["notify_sign_type"]):
        raise Refusal("ILLEGAL_SECURITY_PROFILE", "no key for notify_sign_type")


def _check_place(context: Context, shop: dict[str, str]) -> None:
    place = (shop.get("country_code", ""), shop.get("address", ""))
    if context.quirks.reject_address and any(place):
        raise Refusal("ILLEGAL_ARGUMENT", "the sandbox refuses country_code and address")
    if context.quirks.require_address and not all(place):
        raise Refusal("ILLEGAL_ARGUMENT", "country_code or address is missing")
    if place[0] and not _COUNTRY.fullmatch(place[0]):
        raise Refusal("ILLEGAL_ARGUMENT", "country_code is not two capital letters")


def _check_passback(text: str) -> None:
    if not text:
        return
    try:
        passback = json.loads(text)
    except (ValueError, RecursionError):
        passback = None
    flat = isinstance(passback, dict) and not any(
        isinstance(value, dict | list) for value in passback.values()
    )
    if not flat or len(text) > _PASSBACK_MAX:
        raise Refusal(
            "ILLEGAL_ARGUMENT",
            f"passback_parameters is no flat JSON object of at most {_PASSBACK_MAX}",
        )


def _channel_fee(fee: object) -> str:
    if fee is None:
        return ""
    if (
        not isinstance(fee, dict)
        or fee.get("type") not in {"FIXED", "RATE"}
        or not _FEE.fullmatch(str(fee.get("value")))
    ):
        raise Refusal(
            "ILLEGAL_ARGUMENT", "channel_fee is an object of type FIXED or RATE, and value"
        )
    return f"{fee['type']}:{fee['value']}"
