"""The records of money refuse what must never be."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import refunds, trades
from tests.storage.tables.refused import refused

TRADE = {
    "trade_id": "t1",
    "machine_id": "VM-1",
    "partner_trans_id": "out-t1",
    "payer_id": "",
    "status": "OPEN",
    "currency": "HKD",
    "paid_minor": 10,
    "sold_minor": 5,
    "refunded_minor": 3,
    "held_minor": 2,
    "received_at_ms": 1,
}
REFUND = {
    "refund_id": "t1-r1",
    "machine_id": "VM-1",
    "trade_id": "t1",
    "partner_trans_id": "out-t1",
    "amount_minor": 0,
    "currency": "HKD",
    "cause": "IDLE",
    "status": "DUE",
    "attempts": 0,
    "due_at_ms": 1,
    "error": "",
}


@pytest.mark.slow_on_postgres
async def test_a_trade_that_does_not_add_up_is_refused(
    db: Database, subtests: pytest.Subtests
) -> None:
    """Paid = sold + refunded + held, each of them 0 or more."""
    changes: tuple[dict[str, Any], ...] = (
        {"held_minor": 3},
        {"sold_minor": 15, "held_minor": -8},
        {"status": "LOST"},
        {"paid_minor": None},
    )
    for change in changes:
        with subtests.test(change=change):
            await refused(db, trades, {**TRADE, **change})


@pytest.mark.slow_on_postgres
async def test_a_refund_of_nothing_is_refused(db: Database) -> None:
    """A refund returns money."""
    await refused(db, refunds, REFUND)
