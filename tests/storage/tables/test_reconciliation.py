"""A file is read once, and a difference has a status that is known."""

import pytest

from storage.database.engine import Database
from storage.tables import reconciliation_differences, reconciliation_runs
from tests.storage.tables.refused import refused, taken

RUN = {
    "id": 1,
    "day": "2026-01-15",
    "file_sha256": "aa",
    "file_name": "daily.csv",
    "row_count": 1,
    "read_at_ms": 1,
    "totals": "[]",
    "day_was_over": True,
    "restored": False,
}
DIFFERENCE = {
    "run_id": 1,
    "day": "2026-01-15",
    "kind": "MISSING",
    "subject": "t1",
    "status": "OPEN",
    "trade_id": "t1",
    "refund_id": "",
    "machine_id": "VM-1",
    "currency": "HKD",
    "found_at_ms": 1,
    "said": "",
    "cause": "",
    "advice": "",
}


@pytest.mark.slow_on_postgres
async def test_a_file_has_one_run(db: Database) -> None:
    """The same content is never another run."""
    await taken(db, reconciliation_runs, RUN)
    await refused(db, reconciliation_runs, {**RUN, "id": 2})


@pytest.mark.slow_on_postgres
async def test_a_difference_of_an_unknown_status_is_refused(db: Database) -> None:
    """It is open, passed on or resolved; that a person closed it is a row of its own."""
    await taken(db, reconciliation_runs, RUN)
    await refused(db, reconciliation_differences, {**DIFFERENCE, "status": "CLOSED"})
    await taken(db, reconciliation_differences, DIFFERENCE)
