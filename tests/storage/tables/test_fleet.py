"""An item is closed once."""

from storage.database.engine import Database
from storage.tables import work_item_closings
from tests.storage.tables.refused import refused, taken

CLOSING = {
    "item_id": "conflict:1",
    "kind": "CONFLICT",
    "machine_id": "VM-1",
    "actor": "ann",
    "closed_at_ms": 1,
    "reason": "seen",
}


async def test_an_item_is_closed_once(db: Database) -> None:
    """Whoever closes it again finds that it is closed."""
    await taken(db, work_item_closings, CLOSING)
    await refused(db, work_item_closings, {**CLOSING, "actor": "bob"})
