"""What the transfers add up to only grows."""

import pytest

from storage.database.engine import Database
from storage.tables import balances
from tests.storage.tables.refused import refused, taken

SOLD = {
    "machine_id": "VM-1",
    "day": 20_000,
    "account": "SALES",
    "debit_minor": 0,
    "credit_minor": 500,
    "currency": "HKD",
}


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("side", ["debit_minor", "credit_minor"])
async def test_a_balance_is_never_below_zero(db: Database, side: str) -> None:
    """On neither side."""
    await refused(db, balances, {**SOLD, side: -1})
    await taken(db, balances, {**SOLD, side: 0})


@pytest.mark.slow_on_postgres
async def test_an_account_has_one_balance_a_day(db: Database) -> None:
    """A second one would be added beside it, and not to it."""
    await taken(db, balances, SOLD)
    await refused(db, balances, SOLD)
