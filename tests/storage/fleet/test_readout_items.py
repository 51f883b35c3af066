"""What a machine counted otherwise than the books waits for a person, and for no second one."""

import pytest

from storage.database.engine import Database
from storage.fleet.closings import Closings
from storage.fleet.queries import Queries
from storage.fleet.views import WorkItemKind
from storage.office.audit_figures import MachineCounters, Meter
from storage.office.readouts import Readouts
from tests.storage.fleet.waiting import items
from tests.storage.office.read_out import READ_AT_MS, brought, by, one_sale_too_many
from tests.storage.owner import Owner


async def test_it_waits_until_it_is_closed(db: Database) -> None:
    """It says what differs and perhaps why, and what lies between both sides."""
    await Owner.of(db, "VM-1")
    await Readouts(db).keep([one_sale_too_many()], by())
    (item,) = await items(db)
    assert (WorkItemKind.READOUT_DIFFERENCE, "VM-1", 500, "HKD", READ_AT_MS) == (
        item.kind,
        item.machine_id,
        item.amount_minor,
        item.currency,
        item.since_at_ms,
    )
    said = "DA2: since installation the machine counted 1 (500 in minor units) sales without cash"
    assert item.reason.startswith(said)
    assert "; perhaps: the machine counted before it was registered here" in item.reason
    await Closings(db).close(item.item_id, actor="ann", reason="a test vend", now_ms=READ_AT_MS)
    assert [] == await items(db)
    gauges = await Queries(db).gauges(now_ms=READ_AT_MS)
    assert [0] == [one.count for one in gauges if one.status == WorkItemKind.READOUT_DIFFERENCE]


@pytest.mark.slow_on_postgres
async def test_where_an_amount_is_unknown_none_is_said(db: Database) -> None:
    """The number alone differs."""
    await Owner.of(db, "VM-1")
    silent = MachineCounters(cashless=Meter(number=1))
    await Readouts(db).keep([brought(counters=silent)], by())
    assert [0] == [item.amount_minor for item in await items(db)]
