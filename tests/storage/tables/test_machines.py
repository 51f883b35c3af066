"""A machine's planogram and state refuse what cannot be."""

import pytest

from storage.database.engine import Database
from storage.tables import machine_states, planogram_columns
from tests.storage.owner import Owner
from tests.storage.tables.refused import refused, taken

COLUMN = {
    "machine_id": "VM-1",
    "column": "Z9",
    "place": 9,
    "product": "tea",
    "price_minor": 300,
    "capacity": 10,
    "stock": 5,
}


@pytest.mark.slow_on_postgres
async def test_a_column_that_can_be_is_taken(db: Database) -> None:
    """The row that the next test spoils is sound."""
    await Owner.of(db, "VM-1")
    await taken(db, planogram_columns, COLUMN)


@pytest.mark.slow_on_postgres
async def test_a_column_that_cannot_be_is_refused(db: Database, subtests: pytest.Subtests) -> None:
    """It has a price and room, and holds no more than there is room for."""
    await Owner.of(db, "VM-1")
    for change in ({"price_minor": 0}, {"capacity": 0, "stock": 0}, {"stock": 11}, {"stock": -1}):
        with subtests.test(change=change):
            await refused(db, planogram_columns, {**COLUMN, **change})


@pytest.mark.slow_on_postgres
async def test_a_state_of_an_unknown_machine_is_refused(db: Database) -> None:
    """A state belongs to a registered machine."""
    state = {
        "machine_id": "VM-404",
        "partition": 1,
        "epoch": 1,
        "version": 1,
        "revision": 1,
        "active": True,
        "phase": "IDLE",
        "online": False,
        "updated_at_ms": 1,
        "format": 1,
        "body": "{}",
    }
    await refused(db, machine_states, state)
