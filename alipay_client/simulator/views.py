"""The book as JSON, for the control interface and for tests that check the money."""

from typing import Any

from alipay_client.simulator.book import NotificationState
from alipay_client.simulator.context import Context
from alipay_client.simulator.model import RefundStatus, Trade


def codes(context: Context, limit: int) -> dict[str, Any]:
    """Codes that live first, then by store; ``left_off`` counts the rest."""
    shown = context.book.codes(limit)
    rows = [
        {
            "qrcode": code.qrcode,
            "store_id": code.store_id,
            "store_name": code.store_name,
            "currency": code.trans_currency,
            "status": code.status.value,
        }
        for code in shown
    ]
    return {"codes": rows, "left_off": context.book.count("code") - len(rows)}


def book(context: Context, limit: int) -> dict[str, Any]:
    """The newest trades, oldest of them first, and totals over all of them; ``left_off`` counts the
    rest.
    """
    rows = [trade(context, item) for item in context.book.trades(limit)]
    return {
        "trades": rows,
        "totals": context.book.totals(),
        "left_off": context.book.count("trade") - len(rows),
    }


def trade(context: Context, item: Trade) -> dict[str, Any]:
    """One trade with its refunds and whether the merchant has acknowledged the payment."""
    refunds = context.book.refunds_of(item.trade_no)
    notifications = context.book.notifications_of(item.trade_no)
    return {
        "trade_no": item.trade_no,
        "out_trade_no": item.out_trade_no,
        "store_id": item.store_id,
        "qrcode": item.qrcode,
        "buyer": item.buyer,
        "currency": item.currency,
        "status": item.status.value,
        "paid_minor": item.paid_minor,
        "refunded_minor": sum(
            refund.amount_minor for refund in refunds if refund.state is RefundStatus.SUCCEEDED
        ),
        "paid_at_ms": item.paid_at_ms,
        "refunds": [
            {
                "refund_id": refund.refund_id,
                "amount_minor": refund.amount_minor,
                "state": refund.state.value,
                "error": refund.error,
            }
            for refund in refunds
        ],
        "notified": any(
            told.cause == "paid" and told.state is NotificationState.ACKNOWLEDGED
            for told in notifications
        ),
        "notifications": [
            {"cause": told.cause, "state": told.state.value, "attempts": told.attempts}
            for told in notifications
        ],
    }
