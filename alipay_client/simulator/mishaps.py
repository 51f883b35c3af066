"""What goes wrong with one answer: picks the fault, decides whether the work was done before it
struck, and spoils the answer.
"""

from alipay_client.simulator.context import ANSWER_FAULTS, Context
from alipay_client.simulator.dice import Attempt
from alipay_client.simulator.gateway import Service, perform
from alipay_client.simulator.wire import Call, HttpAnswer, NoAnswer, accepted, outage, refused

_EITHER_WAY = frozenset({"http_500", "html_page", "unknown", "odd_code"})
_CODES = (
    "SYSTEM_BUSY",
    "CODE_OF_2031",
    "TRADE_NOT_EXIST",
    "TRADE_STATUS_ERROR",
    "DISCORDANT_REPEAT_REQUEST",
    "REPEATED_REFUNDMENT_REQUEST",
    "TRADE_HAS_CLOSE",
    "RETURN_AMOUNT_EXCEED",
)
"""What a refund may be answered with, whatever was done (docs/alipay.md 5.5)."""
_REFUND = "alipay.acquire.overseas.spot.refund"
_ONLY = {
    "unknown": frozenset({_REFUND, "alipay.acquire.cancel"}),
    "refund_refused": frozenset({_REFUND}),
    "odd_code": frozenset({_REFUND}),
}
"""Faults that only these services know."""
_ECHOED = ("partner_trans_id", "partner_refund_id", "out_trade_no", "out_return_no", "qrcode")


def attempt_of(context: Context, call: Call) -> Attempt:
    """Return the try of this very request: the same business ids count as one key."""
    ids = "|".join(call.get(name) for name in (*_ECHOED, "alipay_trans_id", "biz_data", "status"))
    return context.dice.attempt(f"{call.get('service')}|{ids}")


def pick(context: Context, call: Call, attempt: Attempt) -> str:
    """Return the fault that strikes, or an empty text: a planned one first, else the first whose
    chance hits.
    """
    service, faults = call.get("service"), context.faults
    if faults.services and service not in faults.services:
        return ""
    if context.planned:
        return context.planned.popleft()
    for name in ANSWER_FAULTS:
        if (name not in _ONLY or service in _ONLY[name]) and attempt.hits(
            name, getattr(faults, name)
        ):
            return "" if name == "refund_refused" and _is_known(context, call) else name
    return ""


def _is_known(context: Context, call: Call) -> bool:
    """Whether this refund was taken on: the same again gets its true state then (docs/alipay.md
    5.4).
    """
    return context.book.refund(call.get("partner_refund_id")) is not None


def work(context: Context, call: Call, service: Service, attempt: Attempt) -> HttpAnswer:
    """Do what was asked, unless a fault strikes first, and answer as the fault leaves it. NoAnswer,
    Refusal.
    """
    fault = pick(context, call, attempt)
    undone = fault in {"no_answer_undone", "refund_refused"} or (
        fault in _EITHER_WAY and attempt.hits("undone", 0.5)
    )
    fields = {} if undone else perform(context, call, service)
    return _spoilt(context, call, service, attempt, fault, fields)


def _spoilt(
    context: Context,
    call: Call,
    service: Service,
    attempt: Attempt,
    fault: str,
    fields: dict[str, str],
) -> HttpAnswer:
    charset = (
        "GBK"
        if attempt.hits("gbk_answer", context.faults.gbk_answer)
        else context.quirks.answer_charset
    )
    ids = {name: call.get(name) for name in _ECHOED if name in service.required}
    match fault:
        case "no_answer_done" | "no_answer_undone":
            raise NoAnswer
        case "http_500":
            return outage(500)
        case "html_page":
            return outage()
        case "unsigned_failure":
            return refused("ILLEGAL_PARTNER_EXTERFACE", charset)
        case "system_error" if attempt.hits("unsigned", 0.5):
            return refused("SYSTEM_ERROR", charset)
        case "system_error":
            fields = {"result_code": "FAIL", "error": "SYSTEM_ERROR", **ids}
        case "refund_refused":
            fields = {"result_code": "FAIL", "error": "TRADE_HAS_CLOSE", **ids}
        case "odd_code":
            code = _CODES[attempt.below("code", len(_CODES))]
            fields = {"result_code": "FAIL", "error": code, **ids}
        case "unknown":
            fields = {"result_code": context.quirks.unknown_spelling, **ids}
        case _:
            pass
    answer = accepted(
        call,
        service.wrapper,
        fields,
        sign_type=call.get("sign_type"),
        ring=context.ring,
        charset=charset,
        spoil_sign=fault == "wrong_sign",
    )
    if fault == "cut_xml":
        kept = attempt.below("cut", len(answer.body) - 10)
        return HttpAnswer(body=answer.body[:kept], content_type=answer.content_type)
    return answer
