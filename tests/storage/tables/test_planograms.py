"""A machine waits once for its planogram."""

import pytest

from storage.database.engine import Database
from storage.fleet.registry import Registry
from storage.tables import planogram_waits
from tests.storage.owner import START_MS, new_machine
from tests.storage.tables.refused import refused, taken

WAIT = {"machine_id": "VM-1", "planogram_version": 1, "since_at_ms": START_MS}


@pytest.mark.slow_on_postgres
async def test_a_wait_is_of_a_machine_that_is_there_and_once(db: Database) -> None:
    """And never for a version below zero."""
    await refused(db, planogram_waits, WAIT)
    await Registry(db).register(new_machine("VM-1", columns=()), actor="ann", now_ms=START_MS)
    await refused(db, planogram_waits, {**WAIT, "planogram_version": -1})
    await taken(db, planogram_waits, WAIT)
    await refused(db, planogram_waits, WAIT)
