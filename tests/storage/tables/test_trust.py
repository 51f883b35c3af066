"""The database holds no denial that cannot be."""

from typing import Any

from storage.database.engine import Database
from storage.tables import denials
from tests.storage.tables.refused import refused, taken

DENIAL: dict[str, Any] = {
    "kind": "MACHINE",
    "name": "VM-1",
    "denied_by": "ann",
    "denied_at_ms": 1,
    "reason": "stolen",
}


async def test_somebody_is_denied_once_and_is_of_a_known_kind(db: Database) -> None:
    """A machine and a person may have the same name."""
    await refused(db, denials, {**DENIAL, "kind": "GATEWAY"})
    await taken(db, denials, DENIAL)
    await refused(db, denials, DENIAL)
    await taken(db, denials, {**DENIAL, "kind": "PERSON"})
