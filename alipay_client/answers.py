"""What an answer means for the caller: done, ``Refused`` or ``OutcomeUnknown``; pure
(docs/alipay.md 4.5, 5.2-5.5, 5.8, 6.1).

Flows in: what was asked and the ``Answer`` to it. Flows out: the call's own answer, or the error
that says what may be done next. Only words that Alipay signed and that name what was asked can
settle a question about money; everything else leaves it open. A signed no does so only if it stands
in ``FINAL``, with its source.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn

from alipay_client import amounts, messages
from alipay_client.envelope import Answer
from alipay_client.errors import OutcomeUnknown, Refused, Retry, Unlisted, Untrusted
from alipay_client.fields import CHINA

TRANSIENT = frozenset({"SYSTEM_ERROR", "SYSTEM_EXCEPTION", "SESSION_TIMEOUT"})
SHORT_OF_FUNDS = "MERCHANT_BALANCE_NOT_ENOUGH"
_ALL, _ACQUIRE, _FOREX = "5.5: all services", "5.5: acquire.*", "5.5: forex_refund"
FINAL: Mapping[str, str] = {
    "INVALID_PARAMETER": _ALL,
    "ILLEGAL_ARGUMENT": _ALL,
    "TRADE_HAS_CLOSE": _ALL,
    "TRADE_HAS_FINISHED": _ALL,
    "ACCESS_FORBIDDEN": _ACQUIRE,
    "EXIST_FORBIDDEN_WORD": _ACQUIRE,
    "REASON_TRADE_BEEN_FREEZEN": _ACQUIRE,
    "REASON_TRADE_REFUND_FEE_ERR": _ACQUIRE,
    "REFUND_AMT_RESTRICTION": _ACQUIRE,
    "TRADE_ROLE_ERROR": _ACQUIRE,
    "BUYER_ERROR": _ACQUIRE,
    "SELLER_ERROR": _ACQUIRE,
    "BUYER_NOT_EXIST": _ACQUIRE,
    "SELLER_NOT_EXIST": _ACQUIRE,
    "BUYER_ENABLE_STATUS_FORBID": _ACQUIRE,
    "RETURN_AMOUNT_EXCEED": _FOREX,
    "REQUEST_AMOUNT_EXCEED": _FOREX,
    "REFUND_AMT_NOT_EQUAL_TOTAL": _FOREX,
    "CURRENCY_NOT_SAME": _FOREX,
    "REFUNDMENT_VALID_DATE_EXCEED": _FOREX,
}
"""A signed no to a refund that no later try changes, and the section of docs/alipay.md that has it.

Not here, on purpose: what passes (SYSTEM_ERROR, SYSTEM_BUSY), what is said of a trade that is
seconds old (TRADE_NOT_EXIST, TRADE_STATUS_ERROR), what says that the id was used before
(DISCORDANT_REPEAT_REQUEST, REPEATED_REFUNDMENT_REQUEST), and every code of next year.
"""

_UNKNOWN = frozenset({"UNKNOWN", "UNKNOW"})
_GATEWAY_FINAL = frozenset({
    "INVALID_CHARACTER_SET", "HAS_NO_PRIVILEGE", "EXTERFACE_IS_CLOSED", "HAS_NO_PUBLICKEY",
    "INVALID_PARAMETER", "ACCESS_FORBIDDEN", "EXIST_FORBIDDEN_WORD",
})  # fmt: skip
"""Besides all that begin with ILLEGAL_ (docs/alipay.md 4.5)."""

_PAID = frozenset({"TRADE_SUCCESS", "TRADE_FINISHED"})
_STATUSES = _PAID | {"WAIT_BUYER_PAY", "TRADE_CLOSED"}
_NOT_EXIST = "TRADE_NOT_EXIST"
_NAMES_THE_REQUEST = frozenset({
    "service", "partner", "partner_trans_id", "alipay_trans_id", "partner_refund_id",
    "out_trade_no", "out_return_no",
})  # fmt: skip
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_WORDS = re.compile(r"[A-Za-z0-9 _.,:;()'/-]{1,64}")
"""What of ``detail_error_des``, String(64), may be repeated (docs/alipay.md 6.1)."""


def check_request(answer: Answer, asked: Mapping[str, str]) -> None:
    """Raise Untrusted if the answer says that it is to another request: another service, another
    merchant, another refund or trade. ``asked`` are the parameters that were sent.
    """
    for name, text in answer.echo:
        if name in _NAMES_THE_REQUEST and text != asked.get(name, "").strip():
            raise Untrusted("echo_mismatch", f"the answer is to a request with another {name}")


def code(answer: Answer, asked_qrcode: str = "") -> messages.CodeAnswer:
    """Read the answer of a qrcode.* call. No money is at stake, so a final gateway code may refuse
    although it is not signed.
    """
    if not answer.is_success:
        said = _safe(answer.error)
        if said.startswith("ILLEGAL_") or said in _GATEWAY_FINAL:
            raise Refused(
                said, "Alipay's gateway refused the call; correct the configuration or the contract"
            )
        _hearsay(answer)
    fields = answer.fields
    if fields.get("result_code", "SUCCESS") != "SUCCESS":
        failed = _failed(fields)
        raise Refused(failed.code, failed.detail) if isinstance(failed, Unlisted) else failed
    qrcode = fields.get("qrcode", "")
    if not qrcode or (asked_qrcode and qrcode != asked_qrcode):
        raise Untrusted("echo_mismatch", "the answer does not name the code that was asked for")
    return messages.CodeAnswer(qrcode=qrcode, image_url=fields.get("qrcode_img_url", ""))


def refund(answer: Answer, asked: messages.Refund) -> messages.RefundAnswer:
    """Read the answer of a refund. A failure at the gateway is not signed and so never a definite
    no about money; a signed one is definite for this request alone, and only if it is in ``FINAL``.
    """
    if not answer.is_success:
        _hearsay(answer)
    fields = answer.fields
    _check_echo(fields, "partner_refund_id", asked.partner_refund_id)
    _check_echo(fields, "partner_trans_id", asked.partner_trans_id)
    _check_echo(fields, "alipay_trans_id", asked.alipay_trans_id)
    _check_echo(fields, "out_return_no", asked.partner_refund_id)
    _check_echo(fields, "out_trade_no", asked.partner_trans_id)
    _check_echo(fields, "trade_no", asked.alipay_trans_id)
    _check_echo(fields, "currency", asked.currency)
    _check_amount(fields.get("refund_amount", ""), asked)
    if fields.get("result_code") != "SUCCESS":
        _refund_failed(fields)
    _need_echo(fields, "partner_refund_id")
    state = messages.RefundState.SUCCEEDED if asked.synchronous else messages.RefundState.ACCEPTED
    return messages.RefundAnswer(state=state, partner_refund_id=asked.partner_refund_id)


def query_refund(answer: Answer, asked: messages.QueryRefund) -> messages.RefundAnswer:
    """Read the answer of a refund query. It never raises ``Refused``: a query that was turned away
    says nothing about the refund.
    """
    if not answer.is_success:
        _hearsay(answer)
    fields = answer.fields
    _check_echo(fields, "out_trade_no", asked.partner_trans_id)
    _check_echo(fields, "out_return_no", asked.partner_refund_id)
    _check_echo(fields, "partner_trans_id", asked.partner_trans_id)
    _check_echo(fields, "partner_refund_id", asked.partner_refund_id)
    response = fields.get("response_code", "")
    if response in {"NOT_FOUND", _NOT_EXIST}:
        return messages.RefundAnswer(
            state=messages.RefundState.NOT_FOUND,
            partner_refund_id=asked.partner_refund_id,
            error=response,
        )
    if response != "SUCCESS":
        raise OutcomeUnknown(
            _safe(response or fields.get("error", "")), "the refund could not be looked up"
        )
    _need_echo(fields, "out_return_no")
    result = fields.get("refund_result_code", "")
    reason = fields.get("refund_error_code", "")
    match result:
        case "SUCCESS":
            state, error = messages.RefundState.SUCCEEDED, ""
        case "PROCESSING":
            state, error = messages.RefundState.ACCEPTED, _safe(reason) if reason else ""
        case "FAILED" | "CANCELED":
            state, error = messages.RefundState.FAILED, _safe(reason or result)
        case _:
            raise OutcomeUnknown(_safe(result), "the refund is in a state that is not documented")
    return messages.RefundAnswer(
        state=state, partner_refund_id=asked.partner_refund_id, error=error
    )


def query_trade(answer: Answer, asked: messages.QueryTrade) -> messages.TradeAnswer:
    """Read the answer of a trade query; a signed TRADE_NOT_EXIST is the status NOT_EXIST. It never
    raises ``Refused``: a query that was turned away says nothing about the trade.
    """
    if not answer.is_success:
        _hearsay(answer)
    fields = answer.fields
    _check_echo(fields, "partner_trans_id", asked.partner_trans_id)
    _check_echo(fields, "out_trade_no", asked.partner_trans_id)
    _check_echo(fields, "alipay_trans_id", asked.alipay_trans_id)
    _check_echo(fields, "trade_no", asked.alipay_trans_id)
    if fields.get("result_code") != "SUCCESS":
        if fields.get("result_code") == "FAIL" and _NOT_EXIST in {
            fields.get("error"),
            fields.get("detail_error_code"),
        }:
            return messages.TradeAnswer(
                status="NOT_EXIST",
                partner_trans_id=asked.partner_trans_id,
                alipay_trans_id=asked.alipay_trans_id,
            )
        raise _failed(fields)
    partner_trans_id = fields.get("partner_trans_id") or fields.get("out_trade_no", "")
    alipay_trans_id = fields.get("alipay_trans_id", "")
    if not (
        (asked.partner_trans_id and partner_trans_id) or (asked.alipay_trans_id and alipay_trans_id)
    ):
        raise Untrusted("echo_missing", "the answer names none of the ids that were asked for")
    status = fields.get("alipay_trans_status", "")
    if status not in _STATUSES:
        raise OutcomeUnknown(_safe(status), "the trade is in a state that is not documented")
    currency = fields.get("currency", "")
    amount = fields.get("trans_amount", "")
    if status in _PAID and not amount:
        raise Untrusted("missing_field", "the answer says paid without an amount")
    return messages.TradeAnswer(
        status=status,
        partner_trans_id=partner_trans_id,
        alipay_trans_id=alipay_trans_id,
        amount_minor=_amount(amount, currency) if amount else 0,
        currency=currency,
        paid_at_ms=_paid_at_ms(fields.get("alipay_pay_time", "")),
    )


def _hearsay(answer: Answer) -> NoReturn:
    raise OutcomeUnknown(
        _safe(answer.error),
        "Alipay's gateway failed the call without a signature; that settles nothing",
    )


def _failed(fields: Mapping[str, str]) -> OutcomeUnknown:
    """Return what a signed answer that is not SUCCESS says, if nothing more is known of its code:
    in Alipay's words, for people.
    """
    result = fields.get("result_code", "")
    code = _safe(fields.get("error") or fields.get("detail_error_code") or result)
    words = fields.get("detail_error_des", "")
    detail = f"Alipay answered {_safe(result)}"
    if _WORDS.fullmatch(words):
        detail += f", {words}"
    if result != "FAIL" or code in TRANSIENT or code in _UNKNOWN:
        return OutcomeUnknown(code, f"{detail}; repeat with the same ids or query")
    return Unlisted(code, f"{detail}, a code that settles nothing; query")


def _refund_failed(fields: Mapping[str, str]) -> NoReturn:
    """Raise for a refund's signed answer that is not SUCCESS."""
    failed = _failed(fields)
    if not isinstance(failed, Unlisted):
        raise failed
    if failed.code == SHORT_OF_FUNDS:
        raise Refused(
            failed.code,
            "pending settlement funds are too small for the refund",
            retry=Retry.LATER_SAME_ID,
        )
    if failed.code in FINAL:
        raise Refused(failed.code, f"Alipay refused (docs/alipay.md {FINAL[failed.code]})")
    raise failed


def _check_echo(fields: Mapping[str, str], name: str, asked: str) -> None:
    if asked and fields.get(name, "") not in {"", asked}:
        raise Untrusted("echo_mismatch", f"the answer is about another {name}")


def _need_echo(fields: Mapping[str, str], name: str) -> None:
    """Raise unless the answer names it: a success that does not say whose would let an old signed
    answer be played again.
    """
    if not fields.get(name):
        raise Untrusted("echo_missing", f"the answer does not name {name}")


def _check_amount(text: str, asked: messages.Refund) -> None:
    if text and _amount(text, asked.currency) != asked.amount_minor:
        raise Untrusted("echo_mismatch", "the answer is about another amount")


def _amount(text: str, currency: str) -> int:
    try:
        return amounts.to_minor(text, currency)
    except ValueError as error:
        raise Untrusted("bad_amount", str(error)) from None


def _paid_at_ms(text: str) -> int | None:
    """Read a time of China of 14 digits (docs/alipay.md 6.1)."""
    try:
        moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000


def _safe(text: str) -> str:
    """Return a code that is safe to log and to store; anything else that Alipay wrote is not
    repeated.
    """
    if not text:
        return "no_code"
    return text if _CODE.fullmatch(text) else "unreadable_code"
