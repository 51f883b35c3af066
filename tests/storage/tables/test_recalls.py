"""The database holds no recall and no lock that cannot be."""

from typing import Any

from storage.database.engine import Database
from storage.tables import column_locks, recalls
from tests.storage.office.places import some_machines
from tests.storage.tables.refused import refused, taken

RECALL: dict[str, Any] = {
    "recall_id": "r-1",
    "cause": "RECALLED",
    "product": "cola",
    "lot": "L1",
    "expires_on": "",
    "actor": "ann",
    "claimed": "",
    "proven": "",
    "created_at_ms": 1,
    "released_by": "",
    "holder": "",
    "held_until_ms": 0,
    "reason": "glass",
}
LOCK: dict[str, Any] = {
    "machine_id": "VM-1",
    "column": "A1",
    "recall_id": "r-1",
    "revision": 2,
    "locked_at_ms": 1,
}


async def test_a_lock_is_of_a_recall_that_is_there_and_a_recall_is_open_once(db: Database) -> None:
    """Of a known cause; one that was released may stand beside one that was not."""
    await some_machines(db, "VM-1")
    await refused(db, column_locks, LOCK)
    await refused(db, recalls, {**RECALL, "cause": "SPOILT"})
    await taken(db, recalls, RECALL)
    await refused(db, recalls, {**RECALL, "recall_id": "r-2"})
    await taken(db, recalls, {**RECALL, "recall_id": "r-2", "cause": "EXPIRED"})
    await taken(db, recalls, {**RECALL, "recall_id": "r-3", "released_at_ms": 2})
    await taken(db, column_locks, LOCK)
    await refused(db, column_locks, LOCK)
    await refused(db, column_locks, {**LOCK, "recall_id": "r-3", "machine_id": "VM-2"})
