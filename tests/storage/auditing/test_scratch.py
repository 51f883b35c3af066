"""The file of an audit's own."""

from pathlib import Path

import pytest
from sqlalchemy import insert, select

from storage.auditing.scratch import scratch
from storage.tables import as_read, metadata, starts


def test_it_takes_what_no_table_would_and_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What breaks a constraint is to be found, not to be left out; nothing stays in TMPDIR."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    row = {"machine_id": "VM-1", "digest": None}
    with scratch() as connection:
        for table in map(as_read, metadata.sorted_tables):
            assert [] == connection.execute(select(table)).all()
        for _ in range(2):
            connection.execute(insert(starts).values(row))
        assert ["VM-1", "VM-1"] == list(connection.scalars(select(starts.c.machine_id)))
        # A process that a signal ends here leaves an empty folder, and no copy of the books.
        assert [[]] == [list(folder.iterdir()) for folder in tmp_path.iterdir()]
    assert [] == list(tmp_path.iterdir())
