"""The services about money that was paid: refund, refund query, trade query and cancel
(docs/alipay.md 5 and 6).
"""

import re

from alipay_client.simulator import gmt8, model, notices
from alipay_client.simulator.amounts import cny_text, rate_text, to_minor, to_text
from alipay_client.simulator.context import Context
from alipay_client.simulator.model import RefundAsked, RefundEntry, RefundStatus, Trade, TradeStatus
from alipay_client.simulator.wire import Call, Refusal

_MILLIS = re.compile(r"[0-9]{13}", re.ASCII)
_REASON_MAX = 128


def refund(context: Context, call: Call) -> dict[str, str]:
    """Answer alipay.acquire.overseas.spot.refund."""
    refund_id, out_trade_no, currency = (
        call.get("partner_refund_id"),
        call.get("partner_trans_id"),
        call.get("currency"),
    )
    ids = {"partner_trans_id": out_trade_no, "partner_refund_id": refund_id}
    if len(refund_id) > 64 or len(out_trade_no) > 64 or refund_id == out_trade_no:
        raise Refusal(
            "ILLEGAL_ARGUMENT",
            "partner_refund_id and partner_trans_id are two different ids of at most 64",
        )
    if (
        call.get("is_sync") not in {"", "Y", "N"}
        or len(call.get(context.quirks.refund_reason_name)) > _REASON_MAX
    ):
        raise Refusal(
            "ILLEGAL_ARGUMENT", f"is_sync is Y or N, the reason at most {_REASON_MAX} long"
        )
    try:
        amount_minor = to_minor(call.get("refund_amount"), currency)
    except ValueError:
        return {"result_code": "FAIL", "error": "INVALID_PARAMETER", **ids}
    trade = context.book.trade_by_out(out_trade_no)
    if trade is not None and call.get("alipay_trans_id") not in {"", trade.trade_no}:
        trade = None
    asked = RefundAsked(
        refund_id=refund_id,
        out_trade_no=out_trade_no,
        amount_minor=amount_minor,
        currency=currency,
        synchronous=call.get("is_sync") == "Y",
        notify_url=call.get("notify_url"),
    )
    verdict = model.ask_refund(
        asked,
        trade=trade,
        known=context.book.refund(refund_id),
        taken_minor=context.book.taken_minor(trade.trade_no) if trade else 0,
        now_ms=context.now_ms(),
        terms=context.terms(),
    )
    if verdict.refund is not None and trade is not None:
        keep(context, trade, verdict.refund)
    fields = {"result_code": verdict.result_code, "error": verdict.error, **ids}
    if trade is None or verdict.result_code != "SUCCESS":
        return fields
    return fields | {
        "alipay_trans_id": trade.trade_no,
        "refund_amount": to_text(amount_minor, currency),
        "currency": currency,
        "exchange_rate": rate_text(currency),
        "refund_amount_cny": cny_text(amount_minor, currency),
    }


def keep(context: Context, trade: Trade, refund: RefundEntry) -> None:
    """Write a refund down, and if its money has gone back, what that makes of the trade and whom to
    tell.
    """
    context.book.put_refund(refund)
    if refund.state is not RefundStatus.SUCCEEDED:
        return
    trade = model.after_refunds(trade, context.book.refunded_minor(trade.trade_no))
    context.book.put_trade(trade)
    notices.refunded(context, trade, refund)


def query_refund(context: Context, call: Call) -> dict[str, str]:
    """Answer alipay.acquire.refund.query."""
    out_trade_no, refund_id = call.get("out_trade_no"), call.get("out_return_no")
    ids = {"out_trade_no": out_trade_no, "out_return_no": refund_id}
    trade = context.book.trade_by_out(out_trade_no)
    if trade is None:
        return {"response_code": "TRADE_NOT_EXIST", **ids}
    known = context.book.refund(refund_id)
    if known is None or known.trade_no != trade.trade_no:
        return {"response_code": "NOT_FOUND", **ids}
    state = (
        "FAILED"
        if known.state is RefundStatus.FAILED
        else "SUCCESS"
        if known.state is RefundStatus.SUCCEEDED
        else "PROCESSING"
    )
    return {
        "response_code": "SUCCESS",
        "refund_result_code": state,
        "refund_error_code": known.error,
        **ids,
        "trade_no": trade.trade_no,
        "gmt_create": gmt8.text(known.accepted_at_ms),
    }


def query_trade(context: Context, call: Call) -> dict[str, str]:
    """Answer alipay.acquire.overseas.query; ``alipay_trans_id`` is looked at first."""
    if not call.get("alipay_trans_id") and not call.get("partner_trans_id"):
        raise Refusal("ILLEGAL_ARGUMENT", "neither alipay_trans_id nor partner_trans_id")
    if call.get("alipay_trans_id"):
        trade = context.book.trade(call.get("alipay_trans_id"))
    else:
        trade = context.book.trade_by_out(call.get("partner_trans_id"))
    if trade is None:
        return {
            "result_code": "FAIL",
            "error": "TRADE_NOT_EXIST",
            "detail_error_code": "TRADE_NOT_EXIST",
        }
    amount = to_text(trade.paid_minor, trade.currency)
    return {
        "result_code": "SUCCESS",
        "alipay_trans_status": trade.status.value,
        "alipay_buyer_login_id": trade.buyer_email[:20],
        "alipay_buyer_user_id": trade.buyer_id,
        "out_trade_no": trade.out_trade_no,
        "partner_trans_id": trade.out_trade_no,
        "alipay_trans_id": trade.trade_no,
        "alipay_pay_time": gmt8.digits(trade.paid_at_ms),
        "currency": trade.currency,
        "trans_amount": amount,
        "trans_amount_cny": cny_text(trade.paid_minor, trade.currency),
        "exchange_rate": rate_text(trade.currency),
        "forex_total_fee": amount,
        "trans_forex_rate": "1",
        "refund_amount_cny": cny_text(context.book.refunded_minor(trade.trade_no), trade.currency),
    }


def cancel(context: Context, call: Call) -> dict[str, str]:
    """Answer alipay.acquire.cancel: the whole amount, on T day; it succeeds also for a trade that
    never was.
    """
    _check_cancel_timestamp(context, call.get("timestamp"))
    trade = (
        context.book.trade(call.get("trade_no"))
        if call.get("trade_no")
        else context.book.trade_by_out(call.get("out_trade_no"))
    )
    if trade is None:
        return {
            "result_code": "SUCCESS",
            "action": "close",
            "retry_flag": "N",
            "out_trade_no": call.get("out_trade_no"),
        }
    ids = {"retry_flag": "N", "out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no}
    refund_id = f"cancel_{trade.trade_no}"
    if context.book.refund(refund_id) is not None:
        return {"result_code": "SUCCESS", "action": "refund", **ids}
    now_ms = context.now_ms()
    same_day = gmt8.day(now_ms) == gmt8.day(trade.paid_at_ms)
    if (
        trade.status is not TradeStatus.TRADE_SUCCESS
        or not same_day
        or context.book.taken_minor(trade.trade_no)
    ):
        return {"result_code": "FAIL", "detail_error_code": "TRADE_STATUS_ERROR", **ids}
    context.book.put_refund(
        RefundEntry(
            refund_id=refund_id,
            trade_no=trade.trade_no,
            out_trade_no=trade.out_trade_no,
            amount_minor=trade.paid_minor,
            currency=trade.currency,
            notify_url="",
            state=RefundStatus.SUCCEEDED,
            error="",
            accepted_at_ms=now_ms,
            due_at_ms=now_ms,
        )
    )
    trade = model.after_refunds(trade, trade.paid_minor)
    context.book.put_trade(trade)
    notices.cancelled(context, trade)
    return {"result_code": "SUCCESS", "action": "refund", **ids}


def _check_cancel_timestamp(context: Context, text: str) -> None:
    """Read milliseconds, as in the documents, or date text, as in the SDK sample (docs/alipay.md
    2).
    """
    form = context.quirks.cancel_timestamp
    if form != "DATE" and _MILLIS.fullmatch(text):
        return
    try:
        gmt8.parse(text if form != "MILLIS" else "")
    except ValueError as error:
        raise Refusal("ILLEGAL_ARGUMENT", "timestamp is malformed") from error
