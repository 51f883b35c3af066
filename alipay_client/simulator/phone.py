"""The pretend Alipay as a phone: scan a machine's code, pay what it asks for, see what comes back.

Flows in: codes, trades and what screens say. Flows out: pages of plain HTML for a screen of 360
pixels and more. Everything works without the one script, which only reads again, once a second, the
part of a page that changes.
"""

from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import segno

from alipay_client.simulator import gmt8, views
from alipay_client.simulator.amounts import exponent, to_text
from alipay_client.simulator.book import NotificationEntry, NotificationState
from alipay_client.simulator.context import Context
from alipay_client.simulator.model import Code, CodeStatus, RefundEntry, RefundStatus, Trade
from alipay_client.simulator.reader import CodeList, TradeList
from alipay_client.simulator.screens import Shown

_HERE = Path(__file__).parent
CODES_MAX = 200
TRADES_MAX = 50
BUYER = "alice"
"""Whose phone it is, until somebody writes another name."""
SCRIPT = (_HERE / "phone.js").read_text("utf-8")
STYLE = (_HERE / "phone.css").read_text("utf-8")
_TABS = (("/", "Scan"), ("/payments", "Payments"), ("/counter", "Counter"))


def scanner(context: Context, found: CodeList, said: str = "") -> str:
    """Return the page on which a machine is chosen, as if its code were scanned."""
    body = f"<h2>Scan a machine</h2>{_live('/live', codes(context, found))}"
    return _page(context, "/", "Scan", body, said)


def codes(context: Context, found: CodeList) -> str:
    """Return what there is to scan, with what each machine's screen says."""
    view = views.codes(found)
    cards = "".join(_card(context, code) for code in view["codes"])
    if not cards:
        return "<p>None yet: a code comes when a machine is registered with the gateway.</p>"
    return f"<ul>{cards}</ul>{left_off(view)}"


def _card(context: Context, code: Mapping[str, str]) -> str:
    shown = context.screens.of(code["qrcode"])
    is_active = code["status"] == CodeStatus.ACTIVE.value
    kind = "asks" if shown is not None and shown.amount else ""
    status = "" if is_active else f'<p class="bad">This code is {as_text(code["status"])}.</p>'
    href = as_text(f"/scan?{urlencode({'text': code['qrcode']})}")
    return (
        f'<li class="{kind if is_active else "dead"}"><a href="{href}">'
        f'<img alt="" src="{_picture_of(code["qrcode"])}">'
        f"<div><strong>{as_text(code['store_name'])}</strong> {as_text(code['store_id'])}"
        f"<p>{_screen(context, shown, code['currency'])}</p>{status}</div></a></li>"
    )


def sheet(
    context: Context, code: Code, said: str = "", buyer: str = BUYER, written: str = ""
) -> str:
    """Return the page of a code that was scanned: whom it pays, what their screen says, and a
    button. ``written``: the amount that somebody wrote and that was declined.
    """
    shown = context.screens.of(code.qrcode)
    asked = shown.amount if shown is not None else ""
    amount = written or asked or ("5.00" if exponent(code.trans_currency) else "500")
    href = as_text(f"/scan/live?{urlencode({'text': code.qrcode})}")
    body = (
        f'<div class="sheet"><img class="code" alt="QR code of {as_text(code.store_id)}" '
        f'src="{_picture_of(code.qrcode)}"><p class="who">{as_text(code.store_name)} '
        f"{as_text(code.store_id)}</p>{_live(href, screen(context, code))}</div>"
        '<form method="post" action="/pay"><input type="hidden" name="qrcode" '
        f'value="{as_text(code.qrcode)}"><label for="amount">Amount, '
        f'{as_text(code.trans_currency)}</label><input id="amount" name="amount" '
        f'inputmode="decimal" value="{as_text(amount)}"><label for="buyer">Who pays</label>'
        f'<input id="buyer" name="buyer" value="{as_text(buyer)}"><button>Pay</button></form>'
        f'<p class="soft"><code>{as_text(code.qrcode)}</code></p>'
    )
    return _page(context, "/", f"Pay {code.store_id}", body, said)


def screen(context: Context, code: Code) -> str:
    """Return what the machine's own screen says, to somebody who stands before it."""
    shown = context.screens.of(code.qrcode)
    status = "" if code.status is CodeStatus.ACTIVE else f"<br>This code is {code.status.value}."
    return f'<p class="screen">{_screen(context, shown, code.trans_currency)}{status}</p>'


def _screen(context: Context, shown: Shown | None, currency: str) -> str:
    if shown is None:
        return "The machine says nothing."
    asks = f"<br>asks for <strong>{as_text(shown.amount)} {as_text(currency)}</strong>"
    left_ms = None if shown.until_ms is None else max(0, shown.until_ms - context.now_ms())
    left = "" if left_ms is None else f", {left_ms // 1000} s left"
    return f"{as_text(shown.text)}{asks if shown.amount else ''}{left}"


def receipt(
    context: Context,
    trade: Trade,
    refunds: Sequence[RefundEntry],
    told: Sequence[NotificationEntry],
) -> str:
    """Return the page of one payment. It is read again by itself, with the script or without."""
    path = f"/payments/{quote(trade.trade_no)}"
    again = '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    body = (
        f'{_live(f"{path}/live", steps(trade, refunds, told), "polite")}<p class="soft">Trade '
        f'<code>{as_text(trade.trade_no)}</code></p><p><a href="/scan?'
        f'{as_text(urlencode({"text": trade.qrcode, "buyer": trade.buyer}))}">Pay this machine '
        "again</a></p>"
    )
    return _page(context, "/payments", "Paid", body, head=again)


def steps(trade: Trade, refunds: Sequence[RefundEntry], told: Sequence[NotificationEntry]) -> str:
    """Return what was paid, whether the merchant knows, and what of it came back."""
    knows = any(one.cause == "paid" and one.state is NotificationState.ACKNOWLEDGED for one in told)
    news = "The merchant knows of it." if knows else "The merchant has not heard of it yet."
    back = sum(one.amount_minor for one in refunds if one.state is RefundStatus.SUCCEEDED)
    spent = f"You spent {_money(trade.paid_minor - back, trade.currency)}."
    rows = "".join(map(_returned, refunds))
    return (
        f'<p class="big">{_money(trade.paid_minor, trade.currency)}</p>'
        f'<p class="sheet">Paid to <strong>{as_text(trade.store_id)}</strong> by '
        f"{as_text(trade.buyer)}, {gmt8.text(trade.paid_at_ms)}</p>"
        f'<ul class="steps"><li>{news}</li>{rows}</ul><p>{spent if refunds else ""}</p>'
    )


def _returned(refund: RefundEntry) -> str:
    kind, words = {
        RefundStatus.SUCCEEDED: ("good", "Came back to you"),
        RefundStatus.FAILED: ("bad", "Did not come back"),
    }.get(refund.state, ("", "On its way back to you"))
    why = f" ({as_text(refund.error)})" if refund.error else ""
    amount = _money(refund.amount_minor, refund.currency)
    return (
        f'<li class="{kind}"><span class="amount">{amount}</span>{words}{why}'
        f'<p class="soft"><code>{as_text(refund.refund_id)}</code></p></li>'
    )


def payments(context: Context, found: TradeList) -> str:
    """Return the page of all that was paid, newest first, whoever paid."""
    return _page(
        context,
        "/payments",
        "Payments",
        f"<h2>Payments</h2>{_live('/payments/live', paid(found))}",
    )


def paid(found: TradeList) -> str:
    """Return the payments, each with what came back of it."""
    view = views.book(found)
    rows = "".join(_payment(trade) for trade in reversed(view["trades"]))
    return f"<ul>{rows}</ul>{left_off(view)}" if rows else "<p>Nobody has paid yet.</p>"


def _payment(trade: Mapping[str, Any]) -> str:
    currency = trade["currency"]
    back = trade["refunded_minor"]
    due = sum(one["amount_minor"] for one in trade["refunds"]) - back
    lines = [
        *([f'<p class="good">{_money(back, currency)} came back</p>'] if back else ()),
        *([f"<p>{_money(due, currency)} not back yet</p>"] if due else ()),
    ]
    return (
        f'<li><a href="/payments/{quote(trade["trade_no"])}"><div><span class="amount">'
        f"{_money(trade['paid_minor'], currency)}</span><strong>{as_text(trade['store_id'])}"
        f'</strong> by {as_text(trade["buyer"])}{"".join(lines)}<p class="soft">'
        f"{gmt8.text(trade['paid_at_ms'])}</p></div></a></li>"
    )


def picture(qrcode: str) -> bytes:
    """Return a code as an SVG picture."""
    drawn = BytesIO()
    segno.make(qrcode, error="m", micro=False).save(drawn, kind="svg", scale=4, light="#fff")
    return drawn.getvalue()


def left_off(view: Mapping[str, Any]) -> str:
    """Return how many more there are than are shown."""
    return f"<p>{view['left_off']} more are not shown.</p>" if view["left_off"] else ""


def _page(
    context: Context, path: str, title: str, body: str, said: str = "", head: str = ""
) -> str:
    note = f'<p class="said" role="status">{as_text(said)}</p>' if said else ""
    tabs = "".join(
        f'<a href="{href}"{" aria-current=page" if href == path else ""}>{name}</a>'
        for href, name in _TABS
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{as_text(title)} · Pretend Alipay'
        f'</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/phone.css">'
        f'<script src="/page.js" defer></script>{head}</head><body><div class="phone"><header>'
        f"<h1>Pretend Alipay</h1><p>Merchant {as_text(context.config.partner)}. No real money "
        f"moves here.</p></header><main>{note}{body}</main><nav aria-label=Pages>{tabs}</nav>"
        "</div></body></html>"
    )


def _live(href: str, content: str, tone: str = "off") -> str:
    return f'<div id="live" data-from="{href}" aria-live="{tone}">{content}</div>'


def _money(minor: int, currency: str) -> str:
    return f"{to_text(minor, currency)} {as_text(currency)}"


def _picture_of(qrcode: str) -> str:
    return as_text(f"/code.svg?{urlencode({'text': qrcode})}")


def as_text(text: str) -> str:
    """Return what somebody wrote as it stands in a page: no markup, and nothing that turns a line
    around or is not seen.
    """
    return escape("".join(letter if letter.isprintable() else "\ufffd" for letter in text))
