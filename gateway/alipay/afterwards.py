"""Whether what Alipay tells of a trade after its payment fits what our books hold of it.

Flows in: a proven notification. Flows out: one word for what does not fit. Such a notification
moves nothing by itself: somebody did something to the trade at Alipay that we did not order, or
that our books no longer expect, and only a person can tell what became of the goods.
"""

from actors.machine.ids import RefundId
from actors.machine.state import RefundStatus
from alipay_client.config import AlipayConfig
from alipay_client.notify import Notification, NotificationKind
from storage.machines.inbox import AskedBack, Inbox

UNIT_OF_REFUNDS = "total_fee"
"""``refund_fee`` is in the unit of this field; where the price stands in another one, in an unknown
unit (docs/alipay.md 7.1).
"""


async def why_unfit(notification: Notification, inbox: Inbox, config: AlipayConfig) -> str:
    """Return why the notification does not fit, as one word for the counter; empty if it does.
    Raises StoreError.
    """
    trade_id = notification.trade_id
    match notification.kind:
        case NotificationKind.PAID if over := await inbox.over_unpaid(trade_id):
            # Told behind its end, or after somebody returned money of it in Alipay's portal: what
            # it would credit is not there any more.
            return "closed_trade" if over == "CLOSED" else "returned_trade"
        case NotificationKind.FINISHED if not await inbox.knows_payment(trade_id):
            # Money came in, and we never heard of it.
            return "unknown_trade"
        case NotificationKind.CLOSED if await inbox.has_money_of(trade_id):
            # Somebody cancelled or returned it, and here it was spent or can still be.
            return "closed_with_money"
        case NotificationKind.REFUNDED:
            refund = await inbox.our_refund(RefundId(notification.refund_id))
            return _why_no_echo(notification, refund, config)
        case _:
            return ""


def _why_no_echo(notification: Notification, refund: AskedBack | None, config: AlipayConfig) -> str:
    if refund is None:
        # Somebody returned it in Alipay's portal, and here its funds can still be spent.
        return "unknown_refund"
    told = (notification.refund_minor, notification.currency)
    told_in_our_unit = notification.refund_minor and config.notify_amount_field == UNIT_OF_REFUNDS
    if notification.trade_id != refund.trade_id or (
        told_in_our_unit and told != (refund.amount_minor, refund.currency)
    ):
        return "other_refund"
    if refund.status is RefundStatus.WRITTEN_OFF:
        # It went back although a person gave it up, and the books say that we have it.
        return "given_up_refund"
    return ""
