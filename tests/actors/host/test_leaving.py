"""What a host lets go of is left to the next owner. With other hosts it is in ``test_moves``."""

import asyncio
from typing import Any

import pytest

from actors.leases import Claimant
from actors.link import MOVED, CommandDone
from actors.machine.effects import CreateCode
from actors.machine.events import StockCounted
from actors.machine.ids import MachineId
from actors.placement import partition_of
from actors.ports import InboxPage, Ownership, StoreError
from tests.support.stage import Stage

pytestmark = pytest.mark.virtual_time
ITS = partition_of(MachineId("VM-1"), 16)


async def test_nothing_is_left_of_its_machines(stage: Stage) -> None:
    """No runner, no timer, no route; the other machines stay, and the host too."""
    before = stage.host.stats()
    assert 2 == before["machines"]
    await stage.host._loop.leaving.let_go(ITS)
    after = stage.host.stats()
    assert (1, 0) == (after["machines"], after["timers"])
    assert not stage.host._loop.leaving.wanted
    assert ITS not in stage.host._loop.ownership.epochs  # type: ignore[union-attr]
    attachment = stage.host._gateways.find(stage.gateway.attachment)
    assert {"VM-2"} == {machine_id for machine_id, _ in attachment.streams}
    assert [] == stage.fatal


async def test_a_call_is_abandoned_and_the_next_one_has_its_place(stage: Stage) -> None:
    """Also one that waits for a place; what is answered afterwards comes to nobody."""
    calls = stage.host._loop.calls
    calls._in_flight_max = 1
    stage.provider.gate = asyncio.Event()
    place = stage.store.rows[MachineId("VM-1")].place
    made = len(stage.provider.calls)
    for number, machine_id in enumerate(("VM-1", "VM-1", "VM-2")):
        calls.start(MachineId(machine_id), CreateCode(store=f"s-{number}"), place, "HKD")  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    assert made + 1 == len(stage.provider.calls)
    await stage.host._loop.leaving.let_go(ITS)
    await asyncio.sleep(0.1)
    assert made + 2 == len(stage.provider.calls)
    assert (0, 1) == (calls.of(MachineId("VM-1")), calls.of(MachineId("VM-2")))
    stage.provider.gate.set()


async def test_an_act_that_waits_was_not_done(stage: Stage) -> None:
    """Whoever asked hears that its machine has moved."""
    stage.store.gate = asyncio.Event()
    slow = asyncio.create_task(stage.gateway.give(stage.gateway.hello("VM-2", stream="again")))
    await asyncio.sleep(0.1)
    act = stage.gateway.command(StockCounted(column="A1", stock=3))
    asked = asyncio.create_task(stage.gateway.give(act))
    await asyncio.sleep(0.1)
    leaving = asyncio.create_task(stage.host._loop.leaving.let_go(ITS))
    await asyncio.sleep(0.1)
    assert not leaving.done(), "a COMMIT is under way"
    stage.store.gate.set()
    await asyncio.gather(slow, asked, leaving)
    await asyncio.sleep(0.1)
    assert CommandDone(command_id="c-1", refusal=MOVED) in stage.gateway.heard
    assert 10 == stage.store.state("VM-1").columns[0].stock


async def test_a_start_that_failed_half_way_leaves_no_machine_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two tries the layout has given its partition to another host: what the first try had
    loaded takes no turn here.
    """
    claim, untaken = stage.store.claim, stage.store.untaken
    wanted = [*range(stage.store.partition_count)]

    async def of_now(claimant: Claimant, *, partitions: object, **how: Any) -> Ownership:
        return await claim(claimant, partitions=wanted, **how)

    async def away_once(ownership: Ownership, **how: Any) -> InboxPage:
        if ITS in wanted:
            wanted.remove(ITS)
            raise StoreError("away")
        return await untaken(ownership, **how)

    monkeypatch.setattr(stage.store, "claim", of_now)
    monkeypatch.setattr(stage.store, "untaken", away_once)
    await stage.restart()
    assert ITS not in stage.host._loop.ownership.epochs  # type: ignore[union-attr]
    assert "VM-1" not in stage.host._mailboxes.runners
    await asyncio.sleep(400)  # its customer's five minutes are over
    assert [] == stage.fatal


async def test_word_of_a_payment_that_comes_after_a_move_is_no_want_of_room(stage: Stage) -> None:
    """Its new host finds it in SQL. A page for it would ring with each scaling."""
    stage.host._follows = True
    await stage.host._loop.leaving.let_go(ITS)
    await stage.gateway.give(stage.gateway.paid("t-1"))
    assert 0 == stage.host.stats()["overloads"]
    assert MachineId("VM-1") not in stage.host._mailboxes.runners
