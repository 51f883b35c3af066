"""What of its customers' money waits with a halted machine."""

import pytest

from actors.machine.ids import MachineId
from actors.ports import MachineHalt
from storage.database.engine import Database
from storage.fleet.views import WorkItemKind
from storage.machines.inbox import Inbox
from tests.storage.fleet.waiting import items, late
from tests.storage.notifications import received
from tests.storage.owner import START_MS, Owner, paid


@pytest.mark.slow_on_postgres
async def test_a_halt_says_how_much_waits_for_it(db: Database) -> None:
    """What trades hold, what is due back, and what was paid since and nobody has decided on."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1", 700))
    await late(owner, "t2", None)
    await Inbox(db).put(received("t5", amount_minor=50))
    halt = MachineHalt(
        machine_id=MachineId("VM-1"), halted_at_ms=START_MS, error="Unsound", fact="TopUpPaid"
    )
    await owner.store.halt(owner.ownership, halt)
    halted = [one for one in await items(db) if one.kind is WorkItemKind.MACHINE_HALTED]
    assert [1_750] == [one.amount_minor for one in halted]
