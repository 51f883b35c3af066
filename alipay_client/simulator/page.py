"""The control page: codes to pay into, the book, the switches, and the calls that were turned away.
Plain HTML, no scripts.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

from alipay_client.simulator import gmt8, views
from alipay_client.simulator.amounts import exponent, to_text
from alipay_client.simulator.context import Context
from alipay_client.simulator.reader import CodeList, TradeList

CODES_MAX = 200
TRADES_MAX = 50
_STYLE = """body{font:15px/1.4 sans-serif;margin:2em auto;max-width:76em;padding:0 1em}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}
code{font-size:13px}
.said{background:#eef;padding:.5em 1em}input[name=amount]{width:6em}input[name=buyer]{width:7em}
.switches label{display:inline-block;width:24em;margin:.15em 0}
.switches input,.switches select{width:9em}form{margin:0}"""


def render(context: Context, codes: CodeList, trades: TradeList, said: str = "") -> str:
    """Return the whole page; ``said`` is what the last button did."""
    note = f'<p class="said">{escape(said)}</p>' if said else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Pretend '
        f"Alipay</title><style>{_STYLE}</style></head><body>"
        f"<h1>Pretend Alipay</h1><p>Merchant {escape(context.config.partner)}; "
        f"{gmt8.text(context.now_ms())} GMT+8. No real money moves here. "
        "<a "
        f'href="/">Reload</a></p>{note}{_codes(codes)}{_book(trades)}{_switches(context)}{_turned(context)}</body></html>'
    )


def _codes(found: CodeList) -> str:
    view = views.codes(found)
    rows = "".join(
        f"<tr><td>{escape(code['store_id'])}</td><td>{escape(code['store_name'])}</td><td><code>{escape(code['qrcode'])}</code></td>"
        f"<td>{code['status']}</td><td>{_pay_form(code)}</td></tr>"
        for code in view["codes"]
    )
    rows = rows or (
        '<tr><td colspan="5">None yet: a machine gets one when it is registered with the '
        "gateway.</td></tr>"
    )
    return (
        "<h2>Codes</h2><table><tr><th>Store</th><th>Name</th><th>QR "
        f"text</th><th>Status</th><th>Pay</th></tr>{rows}</table>{_rest(view)}"
    )


def _pay_form(code: Mapping[str, str]) -> str:
    amount = "5.00" if exponent(code["currency"]) else "500"
    return (
        '<form method="post" action="/pay"><input type="hidden" name="qrcode" '
        f'value="{escape(code["qrcode"])}">'
        f'<input name="amount" value="{amount}" aria-label="amount"> {escape(code["currency"])} by '
        '<input name="buyer" value="alice" aria-label="buyer"> <button>Pay</button></form>'
    )


def _book(found: TradeList) -> str:
    view = views.book(found)
    rows = (
        "".join(_trade(trade) for trade in reversed(view["trades"]))
        or '<tr><td colspan="7">Nobody has paid yet.</td></tr>'
    )
    totals = "; ".join(
        (
            f"{currency}: paid {to_text(total['paid_minor'], currency)}, refunded "
            f"{to_text(total['refunded_minor'], currency)}"
        )
        for currency, total in view["totals"].items()
    )
    heads = (
        "<tr><th>Trade</th><th>Store</th><th>Buyer</th><th>Paid</th>"
        "<th>Status</th><th>Refunds</th><th>Notifications</th></tr>"
    )
    return f"<h2>Book</h2><p>{escape(totals)}</p><table>{heads}{rows}</table>{_rest(view)}"


def _trade(trade: Mapping[str, Any]) -> str:
    currency = trade["currency"]
    refunds = "<br>".join(
        (
            f"{to_text(item['amount_minor'], currency)} {item['state']} {escape(item['error'])} "
            f"<code>{escape(item['refund_id'])}</code>"
        )
        for item in trade["refunds"]
    )
    told = "<br>".join(
        f"{escape(item['cause'].split(':')[0])}: {item['state']}, sent {item['attempts']}"
        for item in trade["notifications"]
    )
    again = (
        '<form method="post" action="/redeliver"><button name="trade_no" '
        f'value="{trade["trade_no"]}">Send again</button></form>'
    )
    return (
        f"<tr><td><code>{trade['trade_no']}</code><br>{gmt8.text(trade['paid_at_ms'])}</td><td>{escape(trade['store_id'])}</td>"
        f"<td>{escape(trade['buyer'])}</td><td>{to_text(trade['paid_minor'], currency)} "
        f"{escape(currency)}</td>"
        f"<td>{trade['status']}</td><td>{refunds}</td><td>{told}{again}</td></tr>"
    )


def _rest(view: Mapping[str, Any]) -> str:
    return f"<p>{view['left_off']} more are not shown.</p>" if view["left_off"] else ""


def _switches(context: Context) -> str:
    inputs = "".join(
        f"<label>{_input(name, value)} {escape(name)}</label>"
        for name, value in context.switches().items()
    )
    return (
        "<h2>Faults and quirks</h2><p>Faults are chances from 0 to 1; <code>_ms</code> are "
        "milliseconds; lists are separated by commas.</p>"
        '<form class="switches" method="post" '
        f'action="/faults">{inputs}<p><button>Switch</button></p></form>'
    )


def _input(name: str, value: object) -> str:
    if isinstance(value, bool):
        options = "".join(
            f"<option{' selected' if value is item else ''}>{str(item).lower()}</option>"
            for item in (False, True)
        )
        return f'<select name="{name}">{options}</select>'
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return f'<input name="{name}" value="{escape(text)}">'


def read_switches(current: Mapping[str, object], form: Mapping[str, str]) -> dict[str, object]:
    """Return the switches that the form sets, in the types that they have; ValueError on what is no
    number.
    """
    wanted: dict[str, object] = {}
    for name, text in form.items():
        now = current.get(name)
        if isinstance(now, bool):
            wanted[name] = text == "true"
        elif isinstance(now, int | float):
            wanted[name] = float(text)
        elif isinstance(now, tuple):
            wanted[name] = [item.strip() for item in text.split(",") if item.strip()]
        else:
            wanted[name] = text
    return wanted


def _turned(context: Context) -> str:
    rows = "".join(
        f"<tr><td>{gmt8.text(item.at_ms)}</td><td>{escape(item.service)}</td><td>{item.code}</td><td>{escape(item.reason)}</td></tr>"
        for item in reversed(context.turned_away)
    )
    return f"<h2>Calls turned away</h2><table>{rows}</table>" if rows else ""
