"""The book as JSON, for the control interface and for tests that check the money. Pure.

Flows in: what ``reader`` found. Flows out: lists and sums, amounts in minor units.
"""

from collections.abc import Sequence
from typing import Any

from alipay_client.simulator.book import NotificationEntry, NotificationState
from alipay_client.simulator.model import RefundEntry, RefundStatus, Trade
from alipay_client.simulator.reader import CodeList, TradeList


def codes(found: CodeList) -> dict[str, Any]:
    """Return the codes as they were found; ``left_off`` counts the rest."""
    rows = [
        {
            "qrcode": code.qrcode,
            "store_id": code.store_id,
            "store_name": code.store_name,
            "currency": code.trans_currency,
            "status": code.status.value,
        }
        for code in found.codes
    ]
    return {"codes": rows, "left_off": found.made - len(rows)}


def book(found: TradeList) -> dict[str, Any]:
    """Return the trades as they were found, and totals over the whole book; ``left_off`` counts the
    rest.
    """
    rows = [
        trade(
            item, found.refunds.get(item.trade_no, ()), found.notifications.get(item.trade_no, ())
        )
        for item in found.trades
    ]
    return {
        "trades": rows,
        "totals": {currency: dict(sums) for currency, sums in found.totals.items()},
        "left_off": found.made - len(rows),
    }


def trade(
    item: Trade, refunds: Sequence[RefundEntry], notifications: Sequence[NotificationEntry]
) -> dict[str, Any]:
    """Return one trade with its refunds and whether the merchant has acknowledged the payment."""
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
