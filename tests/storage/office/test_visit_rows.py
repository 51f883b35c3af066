"""What may be part of a visit."""

import pytest
from sqlalchemy import insert

from storage.database.engine import Database
from storage.office.deeds import NotPossible, NotThere
from storage.office.visit_rows import Part, check, visit_named
from storage.tables import visits

ROWS = [
    {
        "visit": visit,
        "machine_id": "VM-1",
        "van": "VAN:7",
        "revision": 1,
        "reason": "",
        "opened_by": "ann",
        "opened_at_ms": 1,
        "closed_by": "",
        "closed_at_ms": closed_at_ms,
    }
    for visit, closed_at_ms in (("now", None), ("over", 2))
]
COLUMN = "COLUMN:VM-1/A1"


@pytest.mark.parametrize(
    ("visit", "come_from", "to", "machine_id", "reason"),
    [
        ("now", "VAN:7", "VISIT:now", "", ""),
        ("now", "VISIT:now", "LOADING:x", "VM-1", ""),
        ("now", "VISIT:now", "LOADING:x", "VM-2", "VISIT_ELSEWHERE"),
        ("over", "VAN:7", "VISIT:over", "", "VISIT_CLOSED"),
        ("over", "VISIT:over", "LOADING:x", "VM-1", "VISIT_CLOSED"),
        ("over", COLUMN, "LOST", "VM-1", "VISIT_CLOSED"),
        ("over", "VISIT:over", "VAN:7", "", ""),
        ("over", "LOADING:x", "VISIT:over", "VM-1", ""),
        ("none", "VAN:7", "VISIT:none", "", "not there"),
        ("a note", "VAN:7", "WASTE", "", ""),
        ("", "VAN:7", "WAREHOUSE:n", "", ""),
    ],
)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_part_fits_its_visit(
    db: Database, visit: str, come_from: str, to: str, machine_id: str, reason: str
) -> None:
    """At its machine, as long as it is open; what was begun is ended, and what is left is cleared
    away, also later. A name that nobody opened is a note.
    """
    await db.write(lambda connection: connection.execute(insert(visits), ROWS))
    part = Part(visit=visit, machine_id=machine_id, from_place=come_from, to_place=to)
    said = ""
    try:
        await db.read(lambda connection: check(connection, part, lock=False))
    except NotPossible as refused:
        said = refused.reason
    except NotThere:
        said = "not there"
    assert reason == said


@pytest.mark.slow_on_postgres
async def test_a_visit_is_found_by_its_name(db: Database) -> None:
    """Locked or not; None if nobody opened it."""
    await db.write(lambda connection: connection.execute(insert(visits), ROWS))
    found = await db.write(lambda connection: visit_named(connection, "over", lock=True))
    assert found is not None
    assert ("VM-1", 2) == (found.machine_id, found.closed_at_ms)
    assert await db.read(lambda connection: visit_named(connection, "x")) is None
