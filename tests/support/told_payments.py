"""Notifications of payments, as rows that are kept: taken long ago, so that nobody decides them."""

from typing import Any

from actors.machine.events import TopUpPaid
from actors.machine.ids import Currency, TradeId
from storage import codec


def told_payment(number: int, event: Any, received_at_ms: int = 1) -> dict[str, Any]:
    """Return a row of ``inbox`` with this event."""
    return {
        "cause": f"c{number}",
        "kind": "PAID",
        "machine_id": "VM-1",
        "partition": 0,
        "trade_id": f"t{number}",
        "told_sha256": "",
        "received_at_ms": received_at_ms,
        "taken_at_ms": received_at_ms,
        "event": event,
        "fields": "[]",
    }


def paid(at_ms: int | None) -> Any:
    """Return the event of a payment at this time of Alipay's; None: it said none."""
    return codec.encode_event(
        TopUpPaid(
            trade_id=TradeId("t"),
            partner_trans_id="p",
            amount_minor=5,
            currency=Currency("HKD"),
            paid_at_ms=at_ms,
        )
    )
