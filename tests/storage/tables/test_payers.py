"""A buyer has one number, and a number is one buyer's."""

import pytest

from storage.database.engine import Database
from storage.tables import payers
from tests.storage.tables.refused import refused, taken

ROW = {"buyer_hash": "h1", "payer_id": "p1", "first_seen_ms": 1, "last_seen_ms": 1}


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("change", [{"buyer_hash": "h2"}, {"payer_id": "p2"}], ids=str)
async def test_neither_stands_twice(db: Database, change: dict[str, str]) -> None:
    """Not even beside another of the other."""
    await taken(db, payers, ROW)
    await refused(db, payers, ROW | change)
    await taken(db, payers, ROW | {"buyer_hash": "h2", "payer_id": "p2"})
