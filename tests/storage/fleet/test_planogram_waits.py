"""Whoever gives a machine a planogram and whatever the machine says: the table of those who have
not converged holds exactly those whose versions differ.
"""

import pytest
from sqlalchemy import select

from actors.machine.events import ConfigurationChanged, Connected, PlanogramAcknowledged
from actors.machine.ids import BootId, MachineId, StreamId
from actors.machine.state import Column
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.tables import planogram_waits
from tests.storage.owner import COLUMNS, START_MS, Owner, new_machine

VM_1 = MachineId("VM-1")
STREAM = StreamId("g-VM-1")


async def waits(db: Database) -> list[tuple[str, int, int]]:
    """Who waits for which version, since when."""
    wanted = select(planogram_waits).order_by(planogram_waits.c.machine_id)
    rows = await db.read(lambda connection: connection.execute(wanted).all())
    return [(row.machine_id, row.planogram_version, row.since_at_ms - START_MS) for row in rows]


async def priced(db: Database, price_minor: int, at_ms: int) -> ConfigurationChanged:
    """Give the machine another planogram."""
    columns = (Column(column="A1", product="cola", price_minor=price_minor, capacity=9, stock=0),)
    changed = await Registry(db).change(
        VM_1,
        MachineChange(columns=columns, goods_may_be_removed=True),
        actor="ann",
        action="SetPlanogram",
        now_ms=START_MS + at_ms,
    )
    return changed.told


def shown(version: int) -> PlanogramAcknowledged:
    """The machine has a planogram."""
    return PlanogramAcknowledged(stream_id=STREAM, planogram_version=version)


@pytest.mark.slow_on_postgres
async def test_a_machine_waits_from_the_order_to_the_acknowledgement(db: Database) -> None:
    """Since the first of several; an acknowledgement of an older one ends nothing."""
    registry = Registry(db)
    await registry.register(new_machine("VM-0", columns=()), actor="ann", now_ms=START_MS)
    await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    assert [("VM-1", 1, 0)] == await waits(db)
    owner = await Owner.claim(db, "VM-1", holder="h1")
    await owner.start("VM-1")
    assert [] == await waits(db)
    await priced(db, 600, 5)
    await owner.do("VM-1", await priced(db, 700, 6))
    assert [("VM-1", 3, 5)] == await waits(db)
    await owner.do("VM-1", shown(2))
    assert [("VM-1", 3, 5)] == await waits(db)
    await owner.do("VM-1", shown(3))
    assert [] == await waits(db)


@pytest.mark.slow_on_postgres
async def test_a_machine_that_lost_its_memory_waits_again(db: Database) -> None:
    """From the Hello that says so until it has its planogram."""
    owner = await Owner.of(db, "VM-1")
    owner.now_ms += 9
    await owner.do(
        "VM-1", Connected(stream_id=STREAM, opened_at_ms=owner.now_ms, boot_id=BootId("b2"))
    )
    assert [("VM-1", 1, 9)] == await waits(db)
    await owner.do("VM-1", shown(1))
    assert [] == await waits(db)


@pytest.mark.slow_on_postgres
async def test_whose_first_row_says_it_all_does_not_wait(db: Database) -> None:
    """A machine's first state may be saved with its Hello in it."""
    await Registry(db).register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    owner = await Owner.claim(db, "VM-1", holder="h1")
    loaded = await owner.store.load(VM_1)
    assert loaded is not None
    hello = Connected(
        stream_id=STREAM, opened_at_ms=START_MS, boot_id=BootId("b1"), planogram_version=1
    )
    changes = [owner.decide("VM-1", event) for event in (loaded.configuration, hello)]
    await owner.commit(changes)
    assert [] == await waits(db)


@pytest.mark.slow_on_postgres
async def test_a_retired_machine_waits_for_nothing(db: Database) -> None:
    """Not when it is retired, and not when it comes back without its memory."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", await priced(db, 600, 5))
    await Registry(db).change(
        VM_1, MachineChange(retire=True), actor="ann", action="RetireMachine", now_ms=START_MS
    )
    assert [] == await waits(db)
    await owner.do("VM-1", shown(0))
    assert [] == await waits(db)


@pytest.mark.slow_on_postgres
async def test_the_same_planogram_again_is_no_wait(db: Database) -> None:
    """Nothing was changed."""
    await Owner.of(db, "VM-1")
    same = MachineChange(columns=COLUMNS)
    await Registry(db).change(VM_1, same, actor="ann", action="SetPlanogram", now_ms=START_MS)
    assert [] == await waits(db)
