"""Machines that are brought into memory: what they owe is taken up, and what goes wrong on the way
is one machine's matter.
"""

import asyncio

import pytest

from actors.host.loop import TurnLimits
from actors.host.runner import Core, Runner
from actors.host.services import HostLimits
from actors.link import CloseReason
from actors.machine import next_deadline, owed
from actors.machine.effects import ApproveVend, BeginSession, DenyVend, ProviderCall, Welcome
from actors.machine.ids import MachineId
from actors.machine.policy import Policy
from actors.machine.state import MachineState
from actors.ports import LoadedMachine
from tests.support.stage import Stage, closings, request, vends_saved

pytestmark = pytest.mark.virtual_time
VM_2 = MachineId("VM-2")


async def test_a_commit_whose_answer_is_lost_is_told_to_the_machine_all_the_same(
    stage: Stage,
) -> None:
    """The approval is saved, the machine was denied: it is told both, in that order, and no second
    vend is made.
    """
    listening = asyncio.create_task(stage.gateway.keep_listening())
    stage.store.lost_answers = 1
    await stage.gateway.give(stage.gateway.frame(request()))
    await asyncio.sleep(5)

    kinds = [type(command) for command in stage.gateway.commands()]
    assert kinds.index(DenyVend) < kinds.index(ApproveVend)
    assert 1 == len(
        {
            command.vend_id
            for command in stage.gateway.commands()
            if isinstance(command, ApproveVend)
        }
    )
    assert 1 == stage.store.state("VM-1").vends_made
    assert ["VendRequested"] == vends_saved(stage)[:1]
    listening.cancel()


async def test_a_lost_answer_about_a_payment_does_not_lose_the_customer(stage: Stage) -> None:
    """Saved and never released: after the reload the machine hears of the funds, and the trade is
    counted once.
    """
    listening = asyncio.create_task(stage.gateway.keep_listening())
    stage.store.lost_answers = 1
    await stage.gateway.give(stage.gateway.paid("t-9", 700, "VM-2"))
    await asyncio.sleep(5)

    assert [700] == [trade.funds_minor for trade in stage.store.state("VM-2").trades]
    begun = [
        command for command in stage.gateway.commands("VM-2") if isinstance(command, BeginSession)
    ]
    assert {700} == {command.funds_minor for command in begun}
    assert begun
    listening.cancel()


async def test_a_load_that_failed_is_tried_again_though_nobody_else_comes() -> None:
    """Whatever the moment in which it failed, the loop does not go to sleep over the machine that
    still waits for it.
    """
    stage = Stage()
    await stage.start("VM-1")
    stage.store.away = True
    giving = asyncio.create_task(stage.gateway.give(stage.gateway.bye()))
    await asyncio.sleep(5)
    stage.store.away = False
    await giving
    await asyncio.sleep(15)

    assert 1 == stage.host.stats()["saves"]
    assert 0 == stage.host.stats()["letters"]
    await stage.host.stop()


async def test_an_unknown_machine_leaves_memory(stage: Stage) -> None:
    """All that waits for it is refused, and nothing of it is kept."""
    messages = await stage.gateway.give(stage.gateway.hello("VM-404"), stage.gateway.bye("VM-404"))

    assert closings(messages) == [("VM-404-stream", CloseReason.UNKNOWN_MACHINE)]
    assert 2 == stage.host.stats()["machines"]


# --- many at once ---


async def _slept(machines: int, limits: TurnLimits | None = None) -> tuple[Stage, list[MachineId]]:
    """A host that has just started, and machines that it knows nothing of yet."""
    stage = Stage(limits=HostLimits(turns=limits or TurnLimits()))
    names = [MachineId(f"VM-{number}") for number in range(1, machines + 1)]
    await stage.start(*names)
    stage.store.reads.clear()
    stage.store.commits.clear()
    return stage, names


async def test_machines_that_come_together_are_read_and_saved_together() -> None:
    """A storm costs a read for each part of it, and a COMMIT for many Connected; nobody is read
    twice.
    """
    stage, names = await _slept(300, TurnLimits(machines_read_max=128))
    await stage.gateway.give(*(stage.gateway.hello(name) for name in names))

    assert [128, 128, 44] == [len(read) for read in stage.store.reads]
    assert sorted(names) == sorted(name for read in stage.store.reads for name in read)
    assert 4 > len(stage.store.commits)
    assert 300 == stage.host.stats()["loads"]
    for name in names:
        assert any(isinstance(command, Welcome) for command in stage.gateway.commands(name))
    await stage.host.stop()


async def test_one_machine_that_cannot_be_read_is_halted_and_the_others_are_served() -> None:
    """It came with them in one read, which brings the others and its error."""
    stage, names = await _slept(3)
    stage.store.unreadable.add(VM_2)
    messages = await stage.gateway.give(*(stage.gateway.hello(name) for name in names))

    assert {("VM-2-stream", CloseReason.HALTED)} == set(closings(messages))
    assert [3] == [len(read) for read in stage.store.reads]
    assert 1 == stage.host.stats()["halted"]
    await stage.host.stop()


async def test_a_read_that_breaks_over_one_machine_is_made_of_each_alone() -> None:
    """Only that one is halted, and each of the others is there at once."""
    stage, names = await _slept(3)
    stage.store.breaking_reads.add(VM_2)
    messages = await stage.gateway.give(*(stage.gateway.hello(name) for name in names))

    assert {("VM-2-stream", CloseReason.HALTED)} == set(closings(messages))
    assert [3, 1, 1, 1] == [len(read) for read in stage.store.reads]
    assert 1 == stage.host.stats()["halted"]
    await stage.host.stop()


async def test_a_store_that_was_away_is_asked_for_one_machine_at_a_time() -> None:
    """Whatever it was that failed, a read that holds fewer gets past it; all are served in the
    end.
    """
    stage, names = await _slept(5)
    stage.store.away = True
    giving = asyncio.create_task(stage.gateway.give(*(stage.gateway.hello(name) for name in names)))
    await asyncio.sleep(5)
    tries = [len(read) for read in stage.store.reads]
    stage.store.away = False
    await giving
    await asyncio.sleep(15)

    assert [5, 1, 1] == tries[:3]
    assert 0 == stage.host.stats()["letters"]
    assert all(stage.store.state(name).link.online for name in names)
    await stage.host.stop()


# --- a core that raises ---


def owed_raises(state: MachineState) -> tuple[ProviderCall, ...]:
    """A core that cannot say what VM-2 owes."""
    if state.machine_id == VM_2:
        raise RuntimeError("a defect")
    return owed(state)


def deadline_raises(state: MachineState, policy: Policy) -> int | None:
    """A core that cannot say when VM-2 wants to be asked again, once something was decided."""
    if state.machine_id == VM_2 and state.version:
        raise RuntimeError("a defect")
    return next_deadline(state, policy)


@pytest.mark.parametrize("core", [Core(owed=owed_raises), Core(next_deadline=deadline_raises)])
async def test_a_machine_whose_core_raises_is_halted_and_the_others_are_served(core: Core) -> None:
    """Whether it raises when the machine is taken up or after its first turn."""
    stage = Stage(core=core)
    await stage.start("VM-1", "VM-2")
    messages = await stage.gateway.give(stage.gateway.hello("VM-2"), stage.gateway.hello("VM-1"))
    await asyncio.sleep(1)

    assert ("VM-2-stream", CloseReason.HALTED) in closings(messages)
    assert any(isinstance(command, Welcome) for command in stage.gateway.commands("VM-1"))
    assert 1 == stage.host.stats()["halted"]
    assert not stage.fatal
    await stage.host.stop()


@pytest.mark.parametrize("core", [Core(owed=owed_raises), Core(next_deadline=deadline_raises)])
async def test_the_next_owner_is_not_stopped_by_it_either(core: Core) -> None:
    """A machine with something open is taken up at the start, and is halted there."""
    stage = Stage()
    await stage.start("VM-1", "VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    await asyncio.sleep(1)
    stage.core = core
    await stage.restart()
    messages = await stage.gateway.give(stage.gateway.hello("VM-2"), stage.gateway.hello("VM-1"))

    assert [("VM-2-stream", CloseReason.HALTED)] == closings(messages)
    assert 1 == stage.host.stats()["halted"]
    await stage.host.stop()


async def test_an_illegal_move_of_a_load_ends_the_host(
    monkeypatch: pytest.MonkeyPatch, illegal_moves: list[str]
) -> None:
    """It is the host's mistake, not the machine's, and is not lost with its task."""
    stage = Stage()
    await stage.start("VM-1")
    adopt = Runner.adopt

    def twice(runner: Runner, loaded: LoadedMachine) -> None:
        adopt(runner, loaded)
        adopt(runner, loaded)

    monkeypatch.setattr(Runner, "adopt", twice)
    giving = asyncio.create_task(stage.gateway.give(stage.gateway.hello()))
    await asyncio.sleep(1)

    assert ["IllegalMove: VM-1: READY -> READY is no move of a machine in memory"] == stage.fatal
    assert ["VM-1: READY -> READY is no move of a machine in memory"] == illegal_moves
    illegal_moves.clear()
    await asyncio.gather(giving, return_exceptions=True)
    await stage.host.stop()
