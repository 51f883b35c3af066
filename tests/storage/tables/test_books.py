"""A transfer of the ledger is written once."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import transfers
from tests.storage.tables.refused import refused, taken

TOP_UP = {
    "machine_id": "VM-1",
    "version": 1,
    "line": 0,
    "at_ms": 1,
    "kind": "TOP_UP",
    "cause": "t1",
    "debit_account": "RECEIVABLE",
    "debit_reference": "",
    "credit_account": "CUSTOMER_FUNDS",
    "credit_reference": "t1",
    "trade_id": "t1",
    "amount_minor": 10,
    "currency": "HKD",
}


@pytest.mark.parametrize(
    "change",
    [{"line": 1}, {"machine_id": "VM-2", "credit_reference": "t2"}, {"kind": "SETTLE"}],
    ids=["the cause again", "the cause again elsewhere", "the line again"],
)
async def test_a_transfer_is_written_once(db: Database, change: dict[str, Any]) -> None:
    """Neither its cause nor its number may come again."""
    await taken(db, transfers, TOP_UP)
    await refused(db, transfers, {**TOP_UP, **change})


@pytest.mark.parametrize("amount_minor", [0, -1])
async def test_a_transfer_moves_something(db: Database, amount_minor: int) -> None:
    """From the account that is debited to the one that is credited, never the other way."""
    await refused(db, transfers, {**TOP_UP, "amount_minor": amount_minor})
