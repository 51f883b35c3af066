"""A line of the ledger is written once."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import ledger_entries
from tests.storage.tables.refused import refused, taken

ENTRY = {
    "machine_id": "VM-1",
    "version": 1,
    "line": 0,
    "partition": 1,
    "epoch": 1,
    "at_ms": 1,
    "kind": "TOP_UP",
    "cause": "t1",
    "account": "RECEIVABLE",
    "reference": "",
    "trade_id": "t1",
    "amount_minor": 10,
    "currency": "HKD",
}


@pytest.mark.parametrize(
    "change", [{"line": 1}, {"kind": "SETTLE"}], ids=["the cause again", "the line again"]
)
async def test_a_ledger_line_is_written_once(db: Database, change: dict[str, Any]) -> None:
    """Neither its cause nor its number may come again."""
    await taken(db, ledger_entries, ENTRY)
    await refused(db, ledger_entries, {**ENTRY, **change})
