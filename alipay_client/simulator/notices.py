"""What the merchant is told (docs/alipay.md 5.7 and 7.1): writes notifications into the book,
inside the transaction of what they tell.

Their fields are fixed here; ``delivery`` adds notify_time and signature each time one goes out.
"""

import json
from hashlib import sha256

from alipay_client.simulator import gmt8
from alipay_client.simulator.amounts import cny_text, rate_text, to_text
from alipay_client.simulator.book import Notification, NotificationState
from alipay_client.simulator.desk import Desk
from alipay_client.simulator.model import Refund, Trade, TradeStatus


def paid(desk: Desk, trade: Trade) -> None:
    """The customer has paid; before it, where switched on, that he was about to."""
    if desk.quirks.notify_waiting:
        _post_up(
            desk,
            trade,
            "waiting",
            {
                "notify_action_type": "createDirectPayTradeByBuyerAction",
                "trade_status": "WAIT_BUYER_PAY",
            },
        )
    _post_up(
        desk,
        trade,
        "paid",
        {
            "notify_action_type": "payByAccountAction",
            "trade_status": TradeStatus.TRADE_SUCCESS.value,
        },
    )


def refunded(desk: Desk, trade: Trade, refund: Refund) -> None:
    """A refund has gone back: to the refund's own URL, or, when it closed the trade, to the
    code's.
    """
    extra = {
        "notify_action_type": "refundFPAction",
        "trade_status": trade.status.value,
        "refund_fee": to_text(refund.amount_minor, refund.currency),
        "out_biz_no": refund.refund_id,
    }
    if refund.notify_url:
        _post_up(desk, trade, f"refunded:{refund.refund_id}", extra, url=refund.notify_url)
    elif trade.status is TradeStatus.TRADE_CLOSED and desk.quirks.notify_on_full_refund:
        _post_up(desk, trade, f"refunded:{refund.refund_id}", extra)


def cancelled(desk: Desk, trade: Trade) -> None:
    """The trade was cancelled, and its money went back."""
    if desk.quirks.notify_on_full_refund:
        _post_up(
            desk,
            trade,
            "closed",
            {"notify_action_type": "reverseAction", "trade_status": trade.status.value},
        )


def finished(desk: Desk, trade: Trade) -> None:
    """The refund window has ended, about a year later (docs/alipay.md 7.4)."""
    _post_up(
        desk,
        trade,
        "finished",
        {"notify_action_type": "finishFPAction", "trade_status": trade.status.value},
    )


def _post_up(desk: Desk, trade: Trade, cause: str, extra: dict[str, str], *, url: str = "") -> None:
    code = desk.book.code(trade.qrcode)
    assert code is not None
    url = url or code.notify_url
    if not url:
        return
    number = desk.book.next_number("notification")
    notify_id = sha256(
        f"{desk.config.seed}|{desk.book.birth}|notify|{number}".encode()
    ).hexdigest()[:34]
    fields = {"notify_id": notify_id, **_told_of(desk, trade, code.passback), **extra}
    desk.book.put_notification(
        Notification(
            notify_id=notify_id,
            trade_no=trade.trade_no,
            cause=cause,
            url=url,
            fields=json.dumps(fields, ensure_ascii=False),
            sign_type=code.notify_sign_type or desk.config.sign_type,
            charset=code.notify_charset or desk.quirks.notify_charset,
            state=NotificationState.DUE,
            attempts=0,
            next_at_ms=desk.now_ms() + _held_back_ms(desk, f"{trade.trade_no}|{cause}"),
        )
    )


def _told_of(desk: Desk, trade: Trade, passback: str) -> dict[str, str]:
    """The fields that every notification of a trade bears."""
    amount = to_text(trade.paid_minor, trade.currency)
    in_foreign = desk.quirks.notify_amount_field == "forex_total_fee"
    total = cny_text(trade.paid_minor, trade.currency) if in_foreign else amount
    fields = {
        "notify_type": "trade_status_sync",
        "out_trade_no": trade.out_trade_no,
        "trade_no": trade.trade_no,
        "subject": "Vending machine top-up",
        "gmt_create": gmt8.text(trade.paid_at_ms),
        "gmt_payment": gmt8.text(trade.paid_at_ms),
        "seller_id": desk.config.partner,
        "seller_email": "seller@example.com",
        "buyer_id": trade.buyer_id,
        "buyer_email": trade.buyer_email,
        "price": total,
        "quantity": "1",
        "total_fee": total,
        "paytools_pay_amount": json.dumps(
            [{"ALIPAYACCOUNT": cny_text(trade.paid_minor, trade.currency)}], separators=(",", ":")
        ),
    }
    if in_foreign:
        fields |= {"forex_total_fee": amount, "exchange_rate": rate_text(trade.currency)}
    if desk.quirks.notify_currency_field != "none":
        fields[desk.quirks.notify_currency_field] = trade.currency
    if passback:
        fields["extra_common_param"] = passback
    if desk.quirks.notify_code_fields:
        fields |= {"qrcode": trade.qrcode, "store_id": trade.store_id}
    return fields


def _held_back_ms(desk: Desk, key: str) -> int:
    faults, throw = desk.faults, desk.dice.throw(f"notice|{key}")
    delay_ms = faults.notify_delay_ms if throw.hits("delayed", faults.notify_delayed) else 0
    if throw.hits("reordered", faults.notify_reordered):
        delay_ms += throw.below("by", faults.notify_reorder_ms + 1)
    return delay_ms
