"""The daily files that Alipay lays out for its merchants (docs/alipay.md 10): what was paid and
what went back on one day of GMT+8.
"""

from alipay_client.simulator import gmt8
from alipay_client.simulator.amounts import cny_text, rate_text, to_text
from alipay_client.simulator.context import Context
from alipay_client.simulator.model import Declined, RefundEntry, Trade
from alipay_client.simulator.reader import Day

_OWN_LINES = str.maketrans(dict.fromkeys("|\r\n", " "))


def file_name(context: Context, day: int) -> str:
    """Return ``PID_transaction_YYYYMMDD.txt``."""
    return f"{context.config.partner}_transaction_{gmt8.digits(gmt8.starts_ms(day))[:8]}.txt"


def span(day: int) -> tuple[int, int]:
    """Return when the calendar day of this number begins and ends, in milliseconds since 1970
    UTC.
    """
    from_ms = gmt8.starts_ms(day)
    return from_ms, from_ms + gmt8.DAY_MS


def transactions(context: Context, day: int, found: Day) -> str:
    """Return the transaction file of a day from what the book holds of it; of a day that is not
    over, a part. Declined: it is too long.
    """
    most = context.limits.file_rows_max
    if len(found.paid) + len(found.returned) > most:
        raise Declined("FILE_TOO_LONG", f"more than {most} items on that day")
    rows = [(trade.paid_at_ms, 0, _payment(found, trade)) for trade in found.paid]
    rows += [(refund.due_at_ms, 1, _return(found, refund)) for refund in found.returned]
    paid_on = gmt8.text(gmt8.starts_ms(day))[:10]
    header = f"Partner:{context.config.partner}|Payment_time:{paid_on}|Total_count:{len(rows)}"
    return "".join(f"{line}\n" for line in (header, *(line for _, _, line in sorted(rows))))


def _payment(found: Day, trade: Trade) -> str:
    return _line(found, trade, trade.out_trade_no, "PAYMENT", trade.paid_minor, trade.paid_at_ms)


def _return(found: Day, refund: RefundEntry) -> str:
    trade = found.trades[refund.trade_no]
    if refund.refund_id == f"cancel_{trade.trade_no}":
        return _line(
            found, trade, trade.out_trade_no, "CANCEL", refund.amount_minor, refund.due_at_ms
        )
    return _line(found, trade, refund.refund_id, "REFUND", refund.amount_minor, refund.due_at_ms)


def _line(
    found: Day, trade: Trade, partner_id: str, kind: str, amount_minor: int, at_ms: int
) -> str:
    """Return the fifteen columns. Settlement is in the trade's currency or in CNY; nothing is
    charged in this world.
    """
    code = found.codes[trade.qrcode]
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
