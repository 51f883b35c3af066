"""The door of MAPI: who may call what (docs/alipay.md 2, 3 and 4.5), and which service answers.

``admit`` checks a call without doing anything; ``perform`` does its work in one transaction of the
book.
"""

from collections.abc import Callable
from dataclasses import dataclass

from alipay_client.simulator import gmt8, qrcodes, trades
from alipay_client.simulator.book import NotificationState
from alipay_client.simulator.context import Context
from alipay_client.simulator.model import Declined
from alipay_client.simulator.signing import SIGN_TYPES, canonical, verifies
from alipay_client.simulator.wire import Call, Refusal

_ACCESS = frozenset({"service", "partner", "_input_charset", "sign_type", "sign"})
_EXPIRES_MS = 30 * 60_000
_URL_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """``wrapper``: the element inside ``response``. Only the named parameters count for the
    signature.
    """

    wrapper: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    perform: Callable[[Context, Call], dict[str, str]]


_CODE = ("_input_charset", "timestamp", "biz_type")
_OF_REFUND = ("partner_trans_id", "partner_refund_id", "refund_amount", "currency")
SERVICES = {
    "alipay.commerce.qrcode.create": Service(
        wrapper="qrcodeinfo",
        required=(*_CODE, "biz_data"),
        optional=("notify_url",),
        perform=qrcodes.create,
    ),
    "alipay.commerce.qrcode.modify": Service(
        wrapper="qrcodeinfo",
        required=(*_CODE, "qrcode", "biz_data"),
        optional=("notify_url",),
        perform=qrcodes.modify,
    ),
    "alipay.commerce.qrcode.modifyStatus": Service(
        wrapper="qrcodeinfo",
        required=(*_CODE, "qrcode", "status"),
        optional=("notify_url",),
        perform=qrcodes.modify_status,
    ),
    "alipay.acquire.overseas.spot.refund": Service(
        wrapper="alipay",
        required=_OF_REFUND,
        optional=("notify_url", "alipay_trans_id", "is_sync", "refund_reason", "refund_reson"),
        perform=trades.refund,
    ),
    "alipay.acquire.refund.query": Service(
        wrapper="alipay",
        required=("_input_charset", "out_trade_no", "out_return_no"),
        optional=(),
        perform=trades.query_refund,
    ),
    "alipay.acquire.overseas.query": Service(
        wrapper="alipay",
        required=(),
        optional=("partner_trans_id", "alipay_trans_id"),
        perform=trades.query_trade,
    ),
    "alipay.acquire.cancel": Service(
        wrapper="alipay",
        required=("timestamp", "out_trade_no"),
        optional=("trade_no", "terminal_timestamp"),
        perform=trades.cancel,
    ),
}


def admit(context: Context, call: Call) -> Service:
    """Return the service that is called, if this merchant may call it so. Refusal: its code names
    the first rule that is broken.
    """
    service = SERVICES.get(call.get("service"))
    if service is None:
        raise Refusal("ILLEGAL_SERVICE", "there is no such service")
    if call.get("partner") != context.config.partner:
        raise Refusal("ILLEGAL_PARTNER", "partner is not the merchant of this Alipay")
    if call.get("service") in context.quirks.closed_services:
        raise Refusal("ILLEGAL_PARTNER_EXTERFACE", "the contract does not hold this service")
    _check_signature(context, call, service)
    for name in service.required:
        if not call.get(name):
            raise Refusal("ILLEGAL_ARGUMENT", f"{name} is missing")
    url = call.get("notify_url")
    if len(url) > _URL_MAX or (url and not url.startswith(("http://", "https://"))):
        raise Refusal("ILLEGAL_ARGUMENT", f"notify_url is no http URL of at most {_URL_MAX}")
    if "biz_type" in service.required:
        if call.get("biz_type") != "OVERSEASHOPQRCODE":
            raise Refusal("ILLEGAL_ARGUMENT", "biz_type is OVERSEASHOPQRCODE")
        _check_timestamp(context, call.get("timestamp"))
    return service


def _check_signature(context: Context, call: Call, service: Service) -> None:
    """Check the documented parameters only: a caller who signs any other gets ILLEGAL_SIGN, as at
    the real gateway (docs/alipay.md 1).
    """
    sign_type = call.get("sign_type")
    if sign_type not in SIGN_TYPES:
        raise Refusal("ILLEGAL_SIGN_TYPE", "sign_type is MD5, RSA or RSA2, in capitals")
    if not context.ring.holds(sign_type):
        raise Refusal("ILLEGAL_SECURITY_PROFILE", f"no {sign_type} key is on file")
    counted = _ACCESS.union(service.required, service.optional)
    if "refund_reason" in counted:
        counted -= {"refund_reason", "refund_reson"} - {context.quirks.refund_reason_name}
    signed = canonical({name: value for name, value in call.parameters.items() if name in counted})
    if not verifies(signed.encode(call.codec), call.get("sign"), sign_type, context.ring):
        raise Refusal("ILLEGAL_SIGN", "the signature does not fit the documented parameters")


def _check_timestamp(context: Context, text: str) -> None:
    try:
        asked_at_ms = gmt8.parse(text)
    except ValueError as error:
        raise Refusal(
            "ILLEGAL_ARGUMENT", "timestamp is not in the form yyyy-MM-dd HH:mm:ss"
        ) from error
    if abs(context.now_ms() - asked_at_ms) > _EXPIRES_MS:
        raise Refusal(
            context.quirks.stale_timestamp_error, "timestamp is more than 30 minutes off in GMT+8"
        )


def perform(context: Context, call: Call, service: Service) -> dict[str, str]:
    """Do the work and return the fields to sign; on disk when it returns. Refusal: the service
    itself turns the call away.
    """
    try:
        with context.book.change():
            return service.perform(context, call)
    except Declined as declined:
        if context.quirks.qrcode_failure == "F":
            raise Refusal(declined.code, declined.detail) from declined
        return {"result_code": "FAIL", "error": declined.code, "detail_error_des": declined.detail}


def notify_verify(context: Context, call: Call) -> bool:
    """Return whether that notification is ours and not yet acknowledged (docs/alipay.md 7.5).
    Unsigned calls are let in.
    """
    if call.get("partner") != context.config.partner:
        raise Refusal("ILLEGAL_PARTNER", "partner is not the merchant of this Alipay")
    known = context.book.notification(call.get("notify_id"))
    return known is not None and known.state is not NotificationState.ACKNOWLEDGED
