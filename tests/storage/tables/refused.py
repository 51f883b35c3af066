"""Rows that a database takes, and rows that it must not take."""

from typing import Any

import pytest
from sqlalchemy import Table, insert
from sqlalchemy.exc import IntegrityError

from actors.ports import StoreError
from storage.database.engine import Database


async def refused(db: Database, table: Table, row: dict[str, Any]) -> None:
    """Expect that the database refuses the row for what it is."""
    with pytest.raises(StoreError) as caught:
        await taken(db, table, row)
    assert isinstance(caught.value.__cause__, IntegrityError)


async def taken(db: Database, table: Table, row: dict[str, Any]) -> None:
    """Expect that the database takes the row."""
    await db.write(lambda connection: connection.execute(insert(table).values(row)))
