"""The list of the lake's files has each name once, and ranges that are some."""

import pytest

from storage.database.engine import Database
from storage.tables import lake_files
from tests.storage.tables.refused import refused, taken

FILE = {
    "path": "sales/20260101/a.parquet",
    "stream": "SALES",
    "d": 20260101,
    "from_position": 0,
    "to_position": 5,
    "state": "PLANNED",
    "format": 1,
    "rows": 0,
    "bytes": 0,
    "sha256": "",
    "made_of": "",
    "changed_at_ms": 1,
}


@pytest.mark.slow_on_postgres
async def test_a_name_is_of_one_file(db: Database) -> None:
    """Of a stream and a state that are known, with a range that is not empty."""
    other = {**FILE, "path": "b"}
    await taken(db, lake_files, FILE)
    await refused(db, lake_files, FILE)
    await refused(db, lake_files, {**other, "stream": "GOODS"})
    await refused(db, lake_files, {**other, "state": "LOST"})
    await refused(db, lake_files, {**other, "to_position": 0})
    await taken(db, lake_files, {**other, "stream": "CUBES", "state": "REPLACED"})
