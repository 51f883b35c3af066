"""The life of a machine in memory: the published moves are those that a host makes, all of them.

That nothing else ever happens is held where it would: a move that is not in the table raises;
``conftest`` fails the test in which it does, and the worlds fail when a host breaks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from actors.host import runner
from actors.host.life import MOVES, IllegalMove, Life, moved
from actors.host.runner import Core
from actors.link import Reload
from actors.machine import decide
from actors.machine.decision import Decision
from actors.machine.events import ConfigurationChanged, Event, StockCounted
from actors.machine.ids import MachineId
from actors.machine.incident import FaultReported
from actors.machine.policy import Policy
from actors.machine.state import Configuration, MachineState
from actors.machine.values import replace
from tests.support.stage import Stage

Move = tuple[Life, Life]
VM_1 = MachineId("VM-1")
PAGE = Path(__file__).parents[3] / "docs" / "architecture.md"


def published() -> set[Move]:
    """The table "A machine in memory" of docs/architecture.md."""
    _, found, rest = PAGE.read_text().partition("| Life | Becomes | When |\n")
    assert found, f"{PAGE} has no table of lives"
    moves: set[Move] = set()
    for line in rest.splitlines()[1:]:
        if not line.startswith("|"):
            break
        before, after, _ = (cell.strip() for cell in line.strip("|").split("|"))
        moves.add((Life(before), Life(after)))
    return moves


def allowed() -> set[Move]:
    """The table of the code."""
    return {(before, after) for before, afters in MOVES.items() for after in afters}


def test_the_published_table_is_the_code_s() -> None:
    """Nobody has to read the code to know it."""
    assert allowed() == published()


@pytest.mark.parametrize("before", Life)
@pytest.mark.parametrize("after", Life)
def test_a_move_that_is_not_in_the_table_raises(before: Life, after: Life) -> None:
    """It names the machine and the move."""
    if (before, after) in allowed():
        assert after is moved(VM_1, before, after)
    else:
        with pytest.raises(IllegalMove, match=f"VM-1: {before} -> {after}"):
            moved(VM_1, before, after)


# --- each move, made by a host ---


async def served(core: Core | None = None) -> Stage:
    """A host with one machine that is connected and has been paid."""
    stage = Stage(core=core)
    await stage.start("VM-1", "VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"))
    await asyncio.sleep(0.1)
    await stage.gateway.give(stage.gateway.paid("t-1"))
    return stage


async def sells(stage: Stage) -> None:
    """UNLOADED, LOADING, READY, SAVING, READY."""
    await asyncio.sleep(1)


async def is_taken_over(stage: Stage) -> None:
    """Another host of the same machines begins: what is open is READY without a letter."""
    await stage.host.stop()
    stage.host = stage.new_host()
    await stage.host.start()


async def is_reloaded(stage: Stage) -> None:
    """READY, UNLOADED."""
    await stage.gateway.give(stage.gateway.command(Reload()))
    await asyncio.sleep(1)


async def a_commit_is_not_answered(stage: Stage) -> None:
    """SAVING, IN_DOUBT, RESOLVING, READY; while the store is away, RESOLVING, IN_DOUBT."""
    stage.store.away = True
    await stage.gateway.give(stage.gateway.frame(FaultReported(code="EB")))
    await asyncio.sleep(5)
    stage.store.away = False
    await asyncio.sleep(20)


async def a_commit_conflicts(stage: Stage) -> None:
    """SAVING, UNLOADED, and by itself again: HALTED; tried again after a minute, UNLOADED."""
    stage.store.conflicting = {VM_1}
    await stage.gateway.give(stage.gateway.frame(FaultReported(code="EB")))
    await asyncio.sleep(5)
    stage.store.conflicting = set()
    await asyncio.sleep(61)


async def it_breaks_the_store(stage: Stage) -> None:
    """SAVING, IN_DOUBT, and by itself again and again: HALTED."""
    stage.store.breaking = {VM_1}
    await stage.gateway.give(stage.gateway.frame(FaultReported(code="EB")))
    await asyncio.sleep(30)


async def its_rows_break_while_in_doubt(stage: Stage) -> None:
    """IN_DOUBT, RESOLVING, HALTED."""
    stage.store.lost_answers = 1
    stage.store.unreadable = {VM_1}
    await stage.gateway.give(stage.gateway.frame(FaultReported(code="EB")))
    await asyncio.sleep(10)


async def the_store_is_away_when_it_comes(stage: Stage) -> None:
    """LOADING, UNLOADED."""
    stage.store.away = True
    await stage.gateway.give(stage.gateway.hello("VM-2"))
    await asyncio.sleep(5)
    stage.store.away = False
    await asyncio.sleep(20)


async def its_rows_are_broken_when_it_comes(stage: Stage) -> None:
    """LOADING, HALTED."""
    stage.store.unreadable = {MachineId("VM-2")}
    await stage.gateway.give(stage.gateway.hello("VM-2"))
    await asyncio.sleep(1)


async def its_core_raises(stage: Stage) -> None:
    """READY, HALTED."""
    await stage.gateway.give(stage.gateway.command(StockCounted(column="A1", stock=1)))
    await asyncio.sleep(1)


async def a_sweep_finds_broken_rows(stage: Stage) -> None:
    """UNLOADED, HALTED: nobody spoke of the machine, and its configuration changed."""
    stage.store.unreadable = {MachineId("VM-2")}
    stage.store.rows[MachineId("VM-2")].configuration = _newer(stage, "VM-2")
    await asyncio.sleep(11)


async def a_sweep_finds_broken_rows_during_a_commit(stage: Stage) -> None:
    """SAVING, HALTED."""
    stage.store.gate = asyncio.Event()
    stage.store.unreadable = {VM_1}
    stage.store.rows[VM_1].configuration = _newer(stage, "VM-1")
    exchange = asyncio.create_task(
        stage.gateway.give(stage.gateway.frame(FaultReported(code="EB")))
    )
    await asyncio.sleep(11)
    stage.store.gate.set()
    await exchange


def _newer(stage: Stage, machine_id: str) -> ConfigurationChanged:
    row = stage.store.rows[MachineId(machine_id)]
    return replace(row.configuration, configuration=Configuration(revision=9, planogram_version=1))


def raises_on_a_count(
    state: MachineState, event: Event, now_ms: int, policy: Policy, heard: frozenset[str]
) -> Decision:
    """A core with a defect."""
    if isinstance(event, StockCounted):
        raise RuntimeError("a defect")  # noqa: TRY004 - any error will do
    return decide(state, event, now_ms, policy, heard)


SCENES: list[Callable[[Stage], Awaitable[None]]] = [
    sells,
    is_taken_over,
    is_reloaded,
    a_commit_is_not_answered,
    a_commit_conflicts,
    it_breaks_the_store,
    its_rows_break_while_in_doubt,
    the_store_is_away_when_it_comes,
    its_rows_are_broken_when_it_comes,
    its_core_raises,
    a_sweep_finds_broken_rows,
    a_sweep_finds_broken_rows_during_a_commit,
]


@pytest.mark.virtual_time
async def test_each_move_of_the_table_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A move that nothing leads to would be a line that tells nobody anything."""
    seen: dict[Move, str] = {}
    scene_now = ""

    def noted(machine_id: MachineId, before: Life, after: Life) -> Life:
        seen.setdefault((before, after), scene_now)
        return moved(machine_id, before, after)

    monkeypatch.setattr(runner, "moved", noted)
    for scene in SCENES:
        scene_now = scene.__name__
        stage = await served(Core(decide=raises_on_a_count))
        await scene(stage)
        assert not stage.fatal
        await stage.host.stop()

    assert set() == allowed() - seen.keys()
