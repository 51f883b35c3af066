"""Lines are kept for a while after what they are of has ended; the rest of it for ever."""

import pytest

from storage.database.engine import Database
from storage.office import import_lines
from storage.office.imports import ImportKind, ImportLine, Imports, ImportState
from tests.storage.office.long_ago import ended, lines_left
from tests.storage.office.places import by


async def test_only_lines_of_what_ended_long_ago_go(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of what runs, however long, nor what has just ended; the whole and its counts stay.
    Some at a time.
    """
    monkeypatch.setattr(import_lines, "AT_ONCE", 3)
    await ended(db, "done", ImportState.DONE, 99, done_count=2)
    await ended(db, "stopped", ImportState.STOPPED, 99)
    await ended(db, "late", ImportState.DONE, 100)
    imports = Imports(db, ImportKind.PLANOGRAMS)
    line = ImportLine(line=1, machine_id="VM-1", content="{}")
    await imports.begin("runs", [line], by(now_ms=5), lines_per_s=1, failures_max=0)
    assert [3, 1, 0] == [await import_lines.forget(db, before_ms=100) for _ in range(3)]
    assert {"late": 2, "runs": 1} == await lines_left(db)
    there = await imports.get("done")
    assert (2, 2) == (there.line_count, there.done_count)
