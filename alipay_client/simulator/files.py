"""The daily files that Alipay lays out for its merchants (docs/alipay.md 10): what was paid and
what went back on one day of GMT+8.
"""

from alipay_client.simulator import gmt8
from alipay_client.simulator.amounts import cny_text, rate_text, to_text
from alipay_client.simulator.context import Context
from alipay_client.simulator.model import Declined, RefundEntry, Trade

_OWN_LINES = str.maketrans(dict.fromkeys("|\r\n", " "))


def file_name(context: Context, day: int) -> str:
    """``PID_transaction_YYYYMMDD.txt``"""
    return f"{context.config.partner}_transaction_{gmt8.digits(gmt8.starts_ms(day))[:8]}.txt"


def transactions(context: Context, day: int) -> str:
    """The transaction file of a day as the book stands now; of a day that is not over, a part.
    Raises Declined when it is too long.
    """
    from_ms, most = gmt8.starts_ms(day), context.limits.file_rows_max
    paid = context.book.paid_between(from_ms, from_ms + gmt8.DAY_MS, most + 1)
    back = context.book.returned_between(from_ms, from_ms + gmt8.DAY_MS, most + 1)
    if len(paid) + len(back) > most:
        raise Declined("FILE_TOO_LONG", f"more than {most} items on that day")
    rows = [(trade.paid_at_ms, 0, _payment(context, trade)) for trade in paid]
    rows += [(refund.due_at_ms, 1, _return(context, refund)) for refund in back]
    paid_on = gmt8.text(from_ms)[:10]
    header = f"Partner:{context.config.partner}|Payment_time:{paid_on}|Total_count:{len(rows)}"
    return "".join(f"{line}\n" for line in (header, *(line for _, _, line in sorted(rows))))


def _payment(context: Context, trade: Trade) -> str:
    return _line(context, trade, trade.out_trade_no, "PAYMENT", trade.paid_minor, trade.paid_at_ms)


def _return(context: Context, refund: RefundEntry) -> str:
    trade = context.book.trade(refund.trade_no)
    assert trade is not None
    if refund.refund_id == f"cancel_{trade.trade_no}":
        return _line(
            context, trade, trade.out_trade_no, "CANCEL", refund.amount_minor, refund.due_at_ms
        )
    return _line(context, trade, refund.refund_id, "REFUND", refund.amount_minor, refund.due_at_ms)


def _line(
    context: Context, trade: Trade, partner_id: str, kind: str, amount_minor: int, at_ms: int
) -> str:
    """The fifteen columns. Settlement is in the trade's currency or in CNY; nothing is charged in
    this world.
    """
    code = context.book.code(trade.qrcode)
    assert code is not None
    in_cny = code.currency == "CNY" != trade.currency
    price = to_text(amount_minor, trade.currency)
    columns = (
        partner_id,
        trade.trade_no,
        cny_text(amount_minor, trade.currency) if in_cny else price,
        "0.00",
        "CNY" if in_cny else trade.currency,
        gmt8.text(at_ms),
        kind,
        "",
        code.secondary_merchant_industry,
        code.secondary_merchant_name,
        code.store_name,
        "shopQrCode",
        trade.currency,
        price,
        rate_text(trade.currency) if in_cny else "1.00000000",
    )
    return "|".join(column.translate(_OWN_LINES) for column in columns)
