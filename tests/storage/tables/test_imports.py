"""The database holds no import that cannot be."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import machine_import_lines, machine_imports
from tests.storage.tables.refused import refused, taken

IMPORT: dict[str, Any] = {
    "import_id": "i-1",
    "state": "RUNNING",
    "actor": "ann",
    "claimed": "",
    "proven": "",
    "line_count": 1,
    "done_count": 0,
    "failed_count": 0,
    "lines_per_s": 1,
    "failures_max": 0,
    "holder": "",
    "held_until_ms": 0,
    "created_at_ms": 1,
    "reason": "",
}
LINE: dict[str, Any] = {
    "import_id": "i-1",
    "line": 2,
    "machine_id": "VM-1",
    "state": "WAITING",
    "said": "",
    "content": "{}",
}


@pytest.mark.slow_on_postgres
async def test_an_import_and_its_lines_are_in_known_states(db: Database) -> None:
    """And a line is of an import that is there, once."""
    await refused(db, machine_import_lines, LINE)
    await refused(db, machine_imports, {**IMPORT, "state": "PAUSED"})
    await taken(db, machine_imports, IMPORT)
    await refused(db, machine_import_lines, {**LINE, "state": "RUNNING"})
    await taken(db, machine_import_lines, LINE)
    await refused(db, machine_import_lines, LINE)
