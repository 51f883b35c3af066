"""There is one installation in a database, and epochs never fall below 0."""

import pytest

from storage.database.engine import Database
from storage.tables import installation, partitions
from tests.storage.tables.refused import refused


@pytest.mark.slow_on_postgres
async def test_a_second_installation_is_refused(db: Database) -> None:
    """The number of partitions stands in one row."""
    await refused(db, installation, {"id": 2, "partition_count": 8, "created_at_ms": 1})


@pytest.mark.slow_on_postgres
async def test_an_epoch_below_0_is_refused(db: Database) -> None:
    """Owners count up from 0."""
    row = {"partition": 99, "owner": "", "holder": "", "epoch": -1, "claimed_at_ms": 0}
    await refused(db, partitions, row)
