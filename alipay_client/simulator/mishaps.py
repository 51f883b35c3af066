"""What goes wrong with one answer: picks the fault, decides whether the work was done before it
struck, and spoils the answer.
"""

from alipay_client.simulator.desk import ANSWER_FAULTS, Desk
from alipay_client.simulator.dice import Throw
from alipay_client.simulator.gateway import Service, perform
from alipay_client.simulator.wire import Answer, Call, NoAnswer, accepted, outage, refused

_EITHER_WAY = frozenset({"http_500", "html_page", "unknown"})
_REFUND = "alipay.acquire.overseas.spot.refund"
_ONLY = {
    "unknown": frozenset({_REFUND, "alipay.acquire.cancel"}),
    "refund_refused": frozenset({_REFUND}),
}
"""Faults that only these services know."""
_ECHOED = ("partner_trans_id", "partner_refund_id", "out_trade_no", "out_return_no", "qrcode")


def throw_of(desk: Desk, call: Call) -> Throw:
    """The try of this very request: the same business ids count as one key."""
    ids = "|".join(call.get(name) for name in (*_ECHOED, "alipay_trans_id", "biz_data", "status"))
    return desk.dice.throw(f"{call.get('service')}|{ids}")


def pick(desk: Desk, call: Call, throw: Throw) -> str:
    """The fault that strikes, or an empty text: a planned one first, else the first whose chance
    hits.
    """
    service, faults = call.get("service"), desk.faults
    if faults.services and service not in faults.services:
        return ""
    if desk.planned:
        return desk.planned.popleft()
    for name in ANSWER_FAULTS:
        if (name not in _ONLY or service in _ONLY[name]) and throw.hits(
            name, getattr(faults, name)
        ):
            return "" if name == "refund_refused" and _is_known(desk, call) else name
    return ""


def _is_known(desk: Desk, call: Call) -> bool:
    """Whether this refund was taken on: the same again gets its true state then (docs/alipay.md
    5.4).
    """
    return desk.book.refund(call.get("partner_refund_id")) is not None


def work(desk: Desk, call: Call, service: Service, throw: Throw) -> Answer:
    """Does what was asked, unless a fault strikes first, and answers as the fault leaves it; raises
    NoAnswer and Refusal.
    """
    fault = pick(desk, call, throw)
    undone = fault in {"no_answer_undone", "refund_refused"} or (
        fault in _EITHER_WAY and throw.hits("undone", 0.5)
    )
    fields = {} if undone else perform(desk, call, service)
    return _spoilt(desk, call, service, throw, fault, fields)


def _spoilt(
    desk: Desk, call: Call, service: Service, throw: Throw, fault: str, fields: dict[str, str]
) -> Answer:
    charset = (
        "GBK" if throw.hits("gbk_answer", desk.faults.gbk_answer) else desk.quirks.answer_charset
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
        case "system_error" if throw.hits("unsigned", 0.5):
            return refused("SYSTEM_ERROR", charset)
        case "system_error":
            fields = {"result_code": "FAIL", "error": "SYSTEM_ERROR", **ids}
        case "refund_refused":
            fields = {"result_code": "FAIL", "error": "TRADE_HAS_CLOSE", **ids}
        case "unknown":
            fields = {"result_code": desk.quirks.unknown_spelling, **ids}
        case _:
            pass
    answer = accepted(
        call,
        service.wrapper,
        fields,
        sign_type=call.get("sign_type"),
        ring=desk.ring,
        charset=charset,
        spoil_sign=fault == "wrong_sign",
    )
    if fault == "cut_xml":
        kept = throw.below("cut", len(answer.body) - 10)
        return Answer(body=answer.body[:kept], content_type=answer.content_type)
    return answer
