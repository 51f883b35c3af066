"""Customers: a payment into a code, and the two jobs of time: accepted refunds carried out, old
trades finished.
"""

from dataclasses import replace

import structlog

from alipay_client.simulator import model, notices, trades
from alipay_client.simulator.amounts import to_minor
from alipay_client.simulator.context import Context
from alipay_client.simulator.model import Declined, RefundStatus, Trade, TradeStatus

log = structlog.get_logger()

_AMOUNT_MAX = 100_000_000
_BUYER_MAX = 64
_AT_ONCE_MAX = 100


def pay(context: Context, *, qrcode: str, amount: str, buyer: str) -> Trade:
    """Let a customer scan ``qrcode`` and type ``amount`` in the code's currency ("5.00"; JPY
    "500").

    Declined: CODE_UNKNOWN, CODE_STOPPED, CODE_DELETED, BAD_AMOUNT, BAD_BUYER, BOOK_FULL; no money
    has moved then.
    """
    code = context.book.code(qrcode)
    if code is None:
        raise Declined("CODE_UNKNOWN", "there is no such code")
    if not 0 < len(buyer) <= _BUYER_MAX or not buyer.isprintable():
        raise Declined("BAD_BUYER", f"a buyer has a printable name of at most {_BUYER_MAX}")
    try:
        amount_minor = to_minor(amount, code.trans_currency)
    except ValueError as error:
        raise Declined("BAD_AMOUNT", f"{error} ({code.trans_currency})") from error
    if amount_minor > to_minor(str(_AMOUNT_MAX), code.trans_currency):
        raise Declined("BAD_AMOUNT", f"above {_AMOUNT_MAX}")
    with context.book.change():
        number = context.book.next_number("trade")
        if number > context.limits.trades_max:
            raise Declined("BOOK_FULL", "this book holds no more trades")
        trade = model.pay(
            code,
            amount_minor=amount_minor,
            buyer=buyer,
            now_ms=context.now_ms(),
            birth=context.book.birth,
            number=number,
        )
        context.book.put_trade(trade)
        notices.paid(context, trade)
    log.info(
        "a customer paid",
        trade_id=trade.trade_no,
        machine_id=trade.store_id,
        amount_minor=amount_minor,
        currency=trade.currency,
    )
    return trade


def carry_out_due(context: Context) -> None:
    """Carry out accepted refunds whose time has come, then finish trades whose refund window has
    ended; at most a hundred of each.
    """
    now_ms, terms = context.now_ms(), context.terms()
    for refund in context.book.refunds_due(now_ms, _AT_ONCE_MAX):
        with context.book.change():
            trade = context.book.trade(refund.trade_no)
            assert trade is not None
            refund = model.carry_out(refund, now_ms=now_ms, terms=terms)  # noqa: PLW2901  # the same refund, a step on
            trades.keep(context, trade, refund)
        if refund.state is not RefundStatus.PROCESSING:
            log.info(
                "a refund has ended",
                refund_id=refund.refund_id,
                trade_id=refund.trade_no,
                state=refund.state.value,
            )
    for trade in context.book.trades_over(now_ms - terms.refund_window_ms, _AT_ONCE_MAX):
        finish(context, trade)


def finish(context: Context, trade: Trade) -> Trade:
    """End a trade's refund window and tell the merchant. Declined: it is not open."""
    if trade.status is not TradeStatus.TRADE_SUCCESS:
        raise Declined("TRADE_STATUS_ERROR", f"the trade is {trade.status}")
    trade = replace(trade, status=TradeStatus.TRADE_FINISHED)
    with context.book.change():
        context.book.put_trade(trade)
        notices.finished(context, trade)
    return trade
