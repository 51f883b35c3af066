"""A cause stands once in the inbox, and what people look for among many rows has an index."""

import pytest
from sqlalchemy import select, text

from storage.database.engine import Database
from storage.tables import IS_CONFLICT, IS_REFUSED, inbox
from tests.storage.tables.refused import refused, taken

ROW = {
    "cause": "payment:t1",
    "kind": "PAID",
    "machine_id": "VM-1",
    "partition": 1,
    "trade_id": "t1",
    "told_sha256": "",
    "received_at_ms": 1,
    "fields": "{}",
}


@pytest.mark.slow_on_postgres
async def test_a_cause_stands_once(db: Database) -> None:
    """The same fact makes one row, whoever tells it."""
    await taken(db, inbox, ROW)
    await refused(db, inbox, ROW)


@pytest.mark.parametrize(
    ("words", "index"), [(IS_CONFLICT, "inbox_conflicts"), (IS_REFUSED, "inbox_refused")]
)
async def test_what_waits_for_a_person_is_found_by_an_index(
    db: Database, words: str, index: str
) -> None:
    """SQLite says that it uses it; PostgreSQL chooses by the number of rows."""
    if db.dialect.name != "sqlite":
        pytest.skip("of SQLite")
    wanted = select(inbox.c.id).where(text(words)).order_by(inbox.c.received_at_ms, inbox.c.id)
    plan = await db.read(
        lambda connection: connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {wanted}").all()
    )
    assert any(index in row.detail for row in plan), plan
