"""The tables hold to the rules of the house and refuse what must never be."""

from typing import Any

import pytest
from sqlalchemy import BigInteger, Float, Numeric, insert
from sqlalchemy.exc import IntegrityError

from actors.ports import StoreError
from storage.database.engine import Database
from storage.tables import ledger_entries, metadata, trades

COLUMNS = [column for table in metadata.tables.values() for column in table.columns]
TRADE = {
    "trade_id": "t1",
    "machine_id": "VM-1",
    "partner_trans_id": "out-t1",
    "payer": "",
    "status": "OPEN",
    "currency": "HKD",
    "paid_minor": 10,
    "sold_minor": 5,
    "refunded_minor": 3,
    "held_minor": 2,
    "received_at_ms": 1,
}
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


def test_amounts_and_times_are_wide_integers() -> None:
    """Nothing that counts money or time is narrower than 64 bits, and nothing at all is a float."""
    assert [] == [str(column) for column in COLUMNS if isinstance(column.type, Float | Numeric)]
    counted = [column for column in COLUMNS if column.name.endswith(("_minor", "_ms"))]
    assert [] == [str(column) for column in counted if not isinstance(column.type, BigInteger)]


def test_no_name_is_too_long() -> None:
    """PostgreSQL cuts names off after 63 bytes."""
    names = [
        str(getattr(item, "name", ""))
        for table in metadata.tables.values()
        for item in (*table.constraints, *table.indexes)
    ]
    assert [] == [name for name in names if len(name) > 63]


@pytest.mark.parametrize(
    "change",
    [
        {"held_minor": 3},
        {"sold_minor": 15, "held_minor": -8},
        {"status": "LOST"},
        {"paid_minor": None},
    ],
    ids=str,
)
async def test_a_trade_that_does_not_add_up_is_refused(
    db: Database, change: dict[str, Any]
) -> None:
    """Paid = sold + refunded + held, each of them 0 or more."""
    await refuse(db, insert(trades).values({**TRADE, **change}))


@pytest.mark.parametrize(
    "change", [{"line": 1}, {"kind": "SETTLE"}], ids=["the cause again", "the line again"]
)
async def test_a_ledger_line_is_written_once(db: Database, change: dict[str, Any]) -> None:
    """Neither its cause nor its number may come again."""
    await db.write(lambda connection: connection.execute(insert(ledger_entries).values(ENTRY)))
    await refuse(db, insert(ledger_entries).values({**ENTRY, **change}))


async def refuse(db: Database, statement: Any) -> None:
    """Expect that the database refuses the statement."""
    with pytest.raises(StoreError) as caught:
        await db.write(lambda connection: connection.execute(statement))
    assert isinstance(caught.value.__cause__, IntegrityError)
