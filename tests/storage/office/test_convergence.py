"""Who has not converged is told with what each waits for, page by page, along an index."""

import pytest
from sqlalchemy import insert, update

from actors.machine import values
from actors.machine.events import (
    ConfigurationChanged,
    Disconnected,
    PlanogramAcknowledged,
    StockCounted,
)
from actors.machine.ids import MachineId, StreamId
from storage.database.engine import Database
from storage.fleet.changes import GoodsWithoutPlace, MachineChange
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from storage.office.convergence import Convergence, ConvergenceView, WaitsFor
from storage.office.selectors import Selector, looked_at
from storage.tables import machine_labels, machine_states, planogram_waits
from tests.storage.office.plans import plan_of
from tests.storage.owner import COLUMNS, START_MS, Owner, paid

EVERYONE = Selector(all=True)


async def of(
    db: Database, selector: Selector = EVERYONE, *, converged: bool | None = None
) -> dict[str, WaitsFor]:
    """What each machine waits for."""
    found, position = await Convergence(db).page(selector, START_MS, limit=50, converged=converged)
    assert not position
    return {view.machine_id: view.waits_for for view in found}


async def changed(db: Database, owner: Owner, *machine_ids: str, heard: bool = True) -> None:
    """Give the machines one column less."""
    for machine_id in machine_ids:
        told = await Registry(db).change(
            MachineId(machine_id),
            MachineChange(columns=COLUMNS[:1], goods_may_be_removed=True),
            actor="ann",
            action="SetPlanogram",
            now_ms=START_MS + 7,
        )
        if heard:
            await owner.do(machine_id, told.told)


@pytest.mark.slow_on_postgres
async def test_each_says_what_it_waits_for(db: Database) -> None:
    """Its host, its customer, its stream, its own word, or nothing."""
    names = ("VM-1", "VM-2", "VM-3", "VM-4", "VM-5")
    owner = await Owner.of(db, *names)
    await owner.do("VM-2", paid("t2"))
    await owner.do("VM-3", Disconnected(stream_id=StreamId("g-VM-3")))
    await changed(db, owner, "VM-1", heard=False)
    await changed(db, owner, "VM-2", "VM-3", "VM-4")
    waiting = {
        "VM-1": WaitsFor.HOST,
        "VM-2": WaitsFor.SESSION,
        "VM-3": WaitsFor.STREAM,
        "VM-4": WaitsFor.ACKNOWLEDGEMENT,
    }
    assert waiting | {"VM-5": WaitsFor.NOTHING} == await of(db)
    assert waiting == await of(db, converged=False)
    assert {"VM-5": WaitsFor.NOTHING} == await of(db, converged=True)
    (one,), _ = await Convergence(db).page(Selector(machine_ids=("VM-4",)), START_MS, limit=1)
    assert (
        ConvergenceView(
            machine_id="VM-4",
            wanted_version=2,
            version_in_force=2,
            shown_version=1,
            online=True,
            waits_for=WaitsFor.ACKNOWLEDGEMENT,
            since_at_ms=START_MS + 7,
        )
        == one
    )
    await owner.do("VM-4", PlanogramAcknowledged(stream_id=StreamId("g-VM-4"), planogram_version=2))
    assert "VM-4" not in await of(db, converged=False)


async def test_goods_in_its_way_are_said(db: Database) -> None:
    """They came behind the call, and nobody said that they may be removed: its machine is shown
    with what is in it, and who says so gives it another one, which is in force at once.
    """
    owner = await Owner.of(db, "VM-1")
    first, *others = COLUMNS
    smaller = (values.replace(first, capacity=first.stock), *others)

    async def wanted(*, agreed: bool = False) -> ConfigurationChanged:
        change = MachineChange(columns=smaller, goods_may_be_removed=agreed)
        changed = await Registry(db).change(
            MachineId("VM-1"), change, actor="ann", action="SetPlanogram", now_ms=START_MS
        )
        return changed.told

    told = await wanted()
    await owner.do("VM-1", StockCounted(column=first.column, stock=first.stock + 1))
    await owner.do("VM-1", told)
    assert {"VM-1": WaitsFor.GOODS} == await of(db)
    view = await Queries(db).machine("VM-1")
    assert view is not None
    assert (first.stock + 1, 1) == (view.columns[0].stock, view.planogram_in_force)
    with pytest.raises(GoodsWithoutPlace, match=f"1 {first.product} of {first.column}"):
        await wanted()
    told = await wanted(agreed=True)
    assert (3, True) == (told.configuration.planogram_version, told.goods_may_be_removed)
    assert (await wanted()).columns is None  # agreed already, and on its way
    loaded = await owner.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert told == loaded.configuration
    await owner.do("VM-1", told)
    assert {"VM-1": WaitsFor.ACKNOWLEDGEMENT} == await of(db)


async def test_a_selector_narrows_them_and_pages_hold_all(db: Database) -> None:
    """By a label, by names, and one by one."""
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-3")
    await changed(db, owner, "VM-1", "VM-3")
    row = {"label": "floor", "value": "2"}
    await db.write(
        lambda connection: connection.execute(
            insert(machine_labels),
            [{"machine_id": name, **row} for name in ("VM-2", "VM-3")],
        )
    )
    assert ["VM-3"] == list(await of(db, Selector(labels={"floor": "2"}), converged=False))
    named = Selector(machine_ids=("VM-1", "VM-2"))
    assert ["VM-1"] == list(await of(db, named, converged=False))
    found, position = [], ""
    for _ in range(2):
        page, position = await Convergence(db).page(
            EVERYONE, START_MS, converged=False, position=position, limit=1
        )
        found += [view.machine_id for view in page]
    assert ["VM-1", "VM-3"] == found


@pytest.mark.slow_on_postgres
async def test_a_state_that_cannot_be_read_hides_nobody(db: Database) -> None:
    """Its host has halted the machine; it waits for its host, then."""
    owner = await Owner.of(db, "VM-1")
    await changed(db, owner, "VM-1")
    await db.write(
        lambda connection: connection.execute(update(machine_states).values(body="broken"))
    )
    assert {"VM-1": WaitsFor.HOST} == await of(db, converged=False)


async def test_those_who_wait_are_found_along_their_own_table(db: Database) -> None:
    """However large the fleet is."""
    plan = await plan_of(db, looked_at(EVERYONE, START_MS, "VM-1", 9, planogram_waits))
    keys = ("planogram_waits_key", "sqlite_autoindex_planogram_waits_1")
    assert any(key in line for line in plan for key in keys), plan
    tables = ("SCAN machines", "SCAN planogram_waits", "Seq Scan")
    assert [] == [line for line in plan if any(table in line for table in tables)], plan
