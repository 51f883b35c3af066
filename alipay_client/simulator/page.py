"""The control page: machines with the pictures of their codes and what each asks for just now, the
book, the switches in words, and the calls that were turned away.

Plain HTML; the one script reads the part that changes once a second. Without it: reload.
"""

from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import segno

from alipay_client.simulator import gmt8, views
from alipay_client.simulator.amounts import exponent, to_text
from alipay_client.simulator.config import Faults, Quirks
from alipay_client.simulator.context import Context
from alipay_client.simulator.legend import explained
from alipay_client.simulator.model import CodeStatus
from alipay_client.simulator.reader import CodeList, TradeList
from alipay_client.simulator.screens import Shown

CODES_MAX = 200
TRADES_MAX = 50
SCRIPT = """\
// Reads what changes once a second, but not while somebody types into it.
setInterval(async () => {
  const live = document.getElementById("live");
  if (document.hidden || live.contains(document.activeElement)) return;
  try {
    const answer = await fetch("/live");
    if (answer.ok && !live.contains(document.activeElement)) live.innerHTML = await answer.text();
  } catch { /* it was ended; the page stays as it is */ }
}, 1000);
"""
_STYLE = """body{font:15px/1.4 sans-serif;margin:2em auto;max-width:76em;padding:0 1em}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}
code{font-size:13px;overflow-wrap:anywhere}
.said{background:#eef;padding:.5em 1em}input[name=amount]{width:5em}input[name=buyer]{width:6em}
.machines{display:grid;grid-template-columns:repeat(auto-fill,minmax(23em,1fr));gap:1em}
.machine{border:1px solid #ccc;border-radius:6px;padding:.8em;display:flex;gap:.8em}
.machine.asks{border-color:#1677ff;background:#f0f6ff}.machine.dead{opacity:.5}
.machine img{width:116px;height:116px;flex:none}.machine p{margin:.3em 0}
.screen{min-height:2.8em}
.switches label{display:grid;grid-template-columns:10em 19em 1fr;gap:1em;margin:.3em 0}
.switches input,.switches select{width:10em;box-sizing:border-box}form{margin:0}"""


def render(context: Context, codes: CodeList, trades: TradeList, said: str = "") -> str:
    """Return the whole page; ``said`` is what the last button did."""
    note = f'<p class="said">{escape(said)}</p>' if said else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Pretend '
        f'Alipay</title><style>{_STYLE}</style><script src="/page.js" defer></script></head>'
        f"<body><h1>Pretend Alipay</h1><p>Merchant {escape(context.config.partner)}. No real "
        f'money moves here.</p>{note}<div id="live">{live(context, codes, trades)}</div>'
        f"{_switches(context)}{_turned(context)}</body></html>"
    )


def live(context: Context, codes: CodeList, trades: TradeList) -> str:
    """Return the part of the page that changes by itself: machines and book."""
    now = gmt8.text(context.now_ms())
    return f"<p>{now} GMT+8</p>{_machines(context, codes)}{_book(trades)}"


def picture(qrcode: str) -> bytes:
    """Return a code as an SVG picture."""
    drawn = BytesIO()
    segno.make(qrcode, error="m", micro=False).save(drawn, kind="svg", scale=4, light="#fff")
    return drawn.getvalue()


def _machines(context: Context, found: CodeList) -> str:
    view = views.codes(found)
    cards = "".join(_machine(context, code) for code in view["codes"])
    cards = cards or "<p>None yet: one comes when a machine is registered with the gateway.</p>"
    return f'<h2>Machines</h2><div class="machines">{cards}</div>{_rest(view)}'


def _machine(context: Context, code: Mapping[str, str]) -> str:
    shown = context.screens.of(code["qrcode"])
    is_active = code["status"] == CodeStatus.ACTIVE.value
    kind = " asks" if shown is not None and shown.amount else ""
    kind = kind if is_active else " dead"
    status = "" if is_active else f"<p>This code is {escape(code['status'])}.</p>"
    return (
        f'<div class="machine{kind}"><img alt="QR code of {escape(code["store_id"])}" '
        f'src="/code.svg?{escape(urlencode({"text": code["qrcode"]}))}"><div>'
        f"<strong>{escape(code['store_id'])}</strong> {escape(code['store_name'])}"
        f'<p class="screen">{_screen(context, shown, code["currency"])}</p>{status}'
        f"{_pay_form(code, shown)}<p><code>{escape(code['qrcode'])}</code></p></div></div>"
    )


def _screen(context: Context, shown: Shown | None, currency: str) -> str:
    if shown is None:
        return "The machine says nothing."
    asks = f"<br>asks for <strong>{escape(shown.amount)} {escape(currency)}</strong>"
    left_ms = None if shown.until_ms is None else max(0, shown.until_ms - context.now_ms())
    left = "" if left_ms is None else f", {left_ms // 1000} s left"
    return f"{escape(shown.text)}{asks if shown.amount else ''}{left}"


def _pay_form(code: Mapping[str, str], shown: Shown | None) -> str:
    amount = "5.00" if exponent(code["currency"]) else "500"
    if shown is not None and shown.amount:
        amount = shown.amount
    return (
        '<form method="post" action="/pay"><input type="hidden" name="qrcode" '
        f'value="{escape(code["qrcode"])}">'
        f'<input name="amount" value="{escape(amount)}" aria-label="amount"> '
        f'{escape(code["currency"])} by <input name="buyer" value="alice" aria-label="buyer"> '
        "<button>Pay</button></form>"
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
    return (
        "<h2>Faults and quirks</h2>"
        '<form class="switches" method="post" action="/faults">'
        f"<h3>What goes wrong</h3><p>Chances are numbers from 0 (never) to 1 (always).</p>"
        f"{_group(context.faults)}<h3>What the documents leave open</h3>{_group(context.quirks)}"
        "<p><button>Switch</button></p></form>"
    )


def _group(group: Faults | Quirks) -> str:
    return "".join(
        f"<label>{_input(name, value, choices)}<code>{escape(name)}</code>"
        f"<span>{escape(words)}</span></label>"
        for name, value, words, choices in explained(group)
    )


def _input(name: str, value: object, choices: Sequence[str]) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    if isinstance(value, bool):
        text, choices = text.lower(), ("false", "true")
    if choices:
        options = "".join(
            f"<option{' selected' if item == text else ''}>{escape(item)}</option>"
            for item in choices
        )
        return f'<select name="{name}">{options}</select>'
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
