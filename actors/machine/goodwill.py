"""The price of sold goods goes back because an administrator wants it to: stale crisps.

The event brings the trades that paid for the vend, as SQL holds them, because the state has
forgotten most of them. They are current only if nothing was decided since they were read, so the
event names the version of the state that stood beside them; with another version it is not done.
"""

from collections.abc import Sequence

from actors.machine import events, ledger, refunding
from actors.machine.draft import Draft
from actors.machine.state import RefundCause, Trade
from actors.machine.values import replace


def refund_vend(draft: Draft, event: events.VendRefundAsked) -> None:
    """Give the price of a sold vend back to those who paid it, each their part."""
    if event.version != draft.before.version:
        draft.note(
            f"vend {event.vend_id} is not refunded: its payments were read at version "
            f"{event.version}, this is {draft.before.version}"
        )
        return
    trades = {trade.trade_id: trade for trade in draft.state.trades}
    parts = [
        (trades.get(part.trade.trade_id) or replace(part.trade, closed_at_ms=None), part)
        for part in event.parts
    ]
    if why := _unfit(draft, parts):
        draft.note(f"vend {event.vend_id} is not refunded: {why}")
        return
    draft.note(f"{event.actor} refunded vend {event.vend_id}: {event.reason}")
    for trade, part in parts:
        draft.reopen_trade(
            replace(
                trade,
                sold_minor=trade.sold_minor - part.amount_minor,
                funds_minor=trade.funds_minor + part.amount_minor,
            )
        )
        draft.move(ledger.goodwill(event.vend_id, trade.trade_id, part.amount_minor))
        refunding.make(draft, draft.trade(trade.trade_id), part.amount_minor, RefundCause.GOODWILL)


def _unfit(draft: Draft, parts: Sequence[tuple[Trade, events.SoldPart]]) -> str:
    """Return why these payments cannot be given back now; empty if they can."""
    if not parts:
        return "nothing of it was sold"
    for trade, part in parts:
        if not 0 < part.amount_minor <= trade.sold_minor:
            return f"{part.amount_minor} of trade {trade.trade_id} is more than it sold"
    known = {trade.trade_id for trade in draft.state.trades}
    if len(known | {trade.trade_id for trade, _ in parts}) > draft.policy.trades_max:
        return "too many payments of the machine are open: come back when refunds are done"
    return ""
