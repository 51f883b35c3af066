"""What waits for a person, made and listed for tests."""

from typing import Any

from sqlalchemy import insert

from actors.machine.events import Event
from storage.database.engine import Database
from storage.fleet.queries import Queries
from storage.fleet.views import WorkItemView
from storage.fleet.work_items import OVERDUE_AFTER_MS
from storage.tables import vends
from tests.storage.owner import START_MS, Owner, paid

LATER_MS = START_MS + OVERDUE_AFTER_MS + 10_000


async def late(
    owner: Owner, trade_id: str, answer: Event | None, *, machine_id: str = "VM-1"
) -> None:
    """A payment that came too late, goes back at once, and what Alipay said to that; each takes a
    millisecond.
    """
    owner.now_ms += 1
    await owner.do(machine_id, paid(trade_id, at_ms=START_MS - 3_600_000))
    if answer is not None:
        await owner.do(machine_id, answer)


async def in_review(db: Database, vend_id: str, at_ms: int) -> None:
    """A row as the actor writes it."""
    row = {
        "vend_id": vend_id,
        "machine_id": "VM-1",
        "session_id": "VM-1-s1",
        "request_id": "r1",
        "column": "A1",
        "product": "cola",
        "price_minor": 500,
        "currency": "HKD",
        "status": "IN_REVIEW",
        "reason": "INDETERMINATE",
        "requested_at_ms": at_ms,
        "ended_at_ms": None,
        "evidence": "the motor ran",
    }
    await db.write(lambda connection: connection.execute(insert(vends).values(row)))


async def items(
    db: Database, *, now_ms: int = LATER_MS, limit: int = 100, **asked: Any
) -> list[WorkItemView]:
    return await Queries(db).work_items(limit=limit, now_ms=now_ms, **asked)
