"""The counter, behind the phone: the book, the switches in words, and the calls that were turned
away.

Plain HTML; the one script reads the part that changes once a second. Without it: reload.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from alipay_client.simulator import gmt8, views
from alipay_client.simulator.amounts import to_text
from alipay_client.simulator.config import Faults, Quirks
from alipay_client.simulator.context import Context
from alipay_client.simulator.legend import explained
from alipay_client.simulator.phone import as_text, left_off
from alipay_client.simulator.reader import TradeList

_STYLE = """body{font:15px/1.4 system-ui,sans-serif;margin:1em auto;max-width:76em;padding:0 1em}
table{border-collapse:collapse;width:100%}.scroll{overflow-x:auto}
td,th{border-bottom:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}
code{font-size:13px;overflow-wrap:anywhere}.said{background:#eef;padding:.5em 1em}
.switches label{display:grid;grid-template-columns:10em 19em 1fr;gap:.2em 1em;margin:.3em 0}
.switches input,.switches select{width:10em;box-sizing:border-box}form{margin:0}
@media(max-width:640px){.switches label{grid-template-columns:1fr;margin:.8em 0}}"""


def render(context: Context, trades: TradeList, said: str = "") -> str:
    """Return the whole page; ``said`` is what the last button did."""
    note = f'<p class="said" role="status">{as_text(said)}</p>' if said else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1"><title>Counter · Pretend Alipay</title>'
        f'<link rel="icon" href="data:,"><style>{_STYLE}</style>'
        '<script src="/page.js" defer></script></head><body><main><h1>Counter</h1>'
        f'<p><a href="/">To the phone</a>. Merchant {as_text(context.config.partner)}. No real '
        f'money moves here.</p>{note}<div id="live" data-from="/counter/live">'
        f"{live(context, trades)}</div>{_switches(context)}{_turned(context)}</main></body></html>"
    )


def live(context: Context, trades: TradeList) -> str:
    """Return the part of the page that changes by itself: the book."""
    return f"<p>{gmt8.text(context.now_ms())} GMT+8</p>{_book(trades)}"


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
    table = _table("Book", heads + rows)
    return f"<h2>Book</h2><p>{as_text(totals)}</p>{table}{left_off(view)}"


def _trade(trade: Mapping[str, Any]) -> str:
    currency = trade["currency"]
    refunds = "<br>".join(
        (
            f"{to_text(item['amount_minor'], currency)} {item['state']} {as_text(item['error'])} "
            f"<code>{as_text(item['refund_id'])}</code>"
        )
        for item in trade["refunds"]
    )
    told = "<br>".join(
        f"{as_text(item['cause'].split(':')[0])}: {item['state']}, sent {item['attempts']}"
        for item in trade["notifications"]
    )
    again = (
        '<form method="post" action="/redeliver"><button name="trade_no" '
        f'value="{trade["trade_no"]}">Send again</button></form>'
    )
    return (
        f"<tr><td><code>{trade['trade_no']}</code><br>{gmt8.text(trade['paid_at_ms'])}</td><td>{as_text(trade['store_id'])}</td>"
        f"<td>{as_text(trade['buyer'])}</td><td>{to_text(trade['paid_minor'], currency)} "
        f"{as_text(currency)}</td>"
        f"<td>{trade['status']}</td><td>{refunds}</td><td>{told}{again}</td></tr>"
    )


def _switches(context: Context) -> str:
    return (
        "<h2>Faults and quirks</h2>"
        '<form class="switches" method="post" action="/faults">'
        f"<h3>What goes wrong</h3><p>Chances are numbers from 0 (never) to 1 (always).</p>"
        f"{_group(context.faults)}<h3>What the documents leave open</h3>{_group(context.quirks)}"
        "<p><button>Switch</button></p></form>"
    )


def _group(group: Faults | Quirks) -> str:
    return "".join(
        f"<label>{_input(name, value, choices)}<code>{as_text(name)}</code>"
        f"<span>{as_text(words)}</span></label>"
        for name, value, words, choices in explained(group)
    )


def _input(name: str, value: object, choices: Sequence[str]) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    if isinstance(value, bool):
        text, choices = text.lower(), ("false", "true")
    if choices:
        options = "".join(
            f"<option{' selected' if item == text else ''}>{as_text(item)}</option>"
            for item in choices
        )
        return f'<select name="{name}">{options}</select>'
    return f'<input name="{name}" value="{as_text(text)}">'


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
        f"<tr><td>{gmt8.text(item.at_ms)}</td><td>{as_text(item.service)}</td><td>{item.code}</td><td>{as_text(item.reason)}</td></tr>"
        for item in reversed(context.turned_away)
    )
    table = _table("Calls turned away", rows)
    return f"<h2>Calls turned away</h2>{table}" if rows else ""


def _table(title: str, rows: str) -> str:
    """Return a table that is scrolled by itself where it is wider than the screen."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f"<table>{rows}</table></div>"
    )
