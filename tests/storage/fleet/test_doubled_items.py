"""A machine of which there are two waits for a person."""

import pytest

from storage.database.engine import Database
from storage.fleet.closings import Closings
from storage.fleet.views import WorkItemKind
from tests.storage.fleet.waiting import items
from tests.storage.office.enrolled import NOW_MS, doubled
from tests.storage.owner import Owner


@pytest.mark.slow_on_postgres
async def test_it_waits_until_it_is_closed(db: Database) -> None:
    """It says which certificate gave it away."""
    await Owner.of(db, "VM-1")
    await doubled(db)
    (item,) = await items(db)
    assert (WorkItemKind.MACHINE_DOUBLED, "VM-1", NOW_MS, f"doubled:VM-1.{NOW_MS}") == (
        item.kind,
        item.machine_id,
        item.since_at_ms,
        item.item_id,
    )
    assert item.reason.startswith("certificate a1 of generation 1 was used from ipv4:10.0.0.9")
    await Closings(db).close(item.item_id, actor="ann", reason="found it", now_ms=NOW_MS)
    assert [] == await items(db)
