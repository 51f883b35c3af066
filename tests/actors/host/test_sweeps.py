"""What the sweeps find: notifications and registry changes that nobody announced, streams that are
gone, machines at rest.
"""

import asyncio
from typing import Any

import pytest

from actors.host.runner import Runner
from actors.link import Reload
from actors.machine.effects import CreateCode, UpdatePlanogram
from actors.machine.events import ConfigurationChanged, Disconnected, TopUpPaid
from actors.machine.ids import MachineId
from actors.machine.state import Configuration
from actors.machine.values import replace
from actors.ports import Unreadable
from tests.support.memory_store import InboxRow
from tests.support.stage import Stage

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def stage(quiet_stage: Stage) -> Stage:
    """A host that serves one machine."""
    return quiet_stage


async def test_the_code_is_made_when_a_registered_machine_is_first_heard_of(stage: Stage) -> None:
    """The registry sweep finds the machine; nobody has to connect."""
    await asyncio.sleep(10)

    assert 1 == len(stage.provider.of(CreateCode))
    assert "https://qr.alipay.com/test" == stage.store.state("VM-1").code.qr_payload


async def test_the_sweep_brings_what_no_wake_up_brought(stage: Stage) -> None:
    """A saved notification is decided upon within seconds, once."""
    stage.pays("t-1")
    await asyncio.sleep(10)

    assert 1 == len([event for event in stage.store.events("VM-1") if isinstance(event, TopUpPaid)])
    assert all(row.taken for row in stage.store.inbox.values())


async def test_a_notification_that_cannot_be_read_holds_nothing_up(stage: Stage) -> None:
    """It waits for a host that can read it; the others are decided upon, and the host lives."""
    stage.store.inbox[0] = InboxRow(
        item=Unreadable(machine_id=MachineId("VM-1"), error=ValueError("no such kind")),
        received_at_ms=0,
    )
    stage.pays("t-1")
    await asyncio.sleep(10)

    assert 1 == len([event for event in stage.store.events("VM-1") if isinstance(event, TopUpPaid)])
    assert [False, True] == [
        stage.store.inbox[number].taken for number in sorted(stage.store.inbox)
    ]
    assert 0 == stage.host.stats()["halted"]


async def test_what_nobody_takes_hides_no_other(stage: Stage) -> None:
    """More than one look holds, of a machine that takes none of it: the next look goes on behind
    them, and the one after the last begins again.
    """
    for number in range(2_500):
        stage.store.inbox[-1 - number] = InboxRow(
            item=Unreadable(machine_id=MachineId("VM-1"), error=ValueError("no such kind")),
            received_at_ms=0,
        )
    for trade_id in ("t-1", "t-2"):
        stage.pays(trade_id)
        await asyncio.sleep(20)

    paid = [event for event in stage.store.events("VM-1") if isinstance(event, TopUpPaid)]
    assert ["t-1", "t-2"] == [event.trade_id for event in paid]


async def test_a_wake_up_and_the_sweep_do_not_decide_twice(stage: Stage) -> None:
    """A row that waits in a mailbox is not put there again."""
    stage.store.gate = asyncio.Event()
    giving = asyncio.create_task(stage.gateway.give(stage.gateway.paid("t-1")))
    await asyncio.sleep(20)
    stage.store.gate.set()
    await giving
    await asyncio.sleep(10)

    assert 1 == len([event for event in stage.store.events("VM-1") if isinstance(event, TopUpPaid)])


async def test_an_idle_machine_leaves_memory_and_comes_back(stage: Stage) -> None:
    """Offline, owing nothing and long silent: it is loaded again when something comes."""
    await stage.gateway.give(stage.gateway.hello(), stage.gateway.bye())
    await asyncio.sleep(800)
    assert 0 == stage.host.stats()["machines"]

    await stage.gateway.attach()
    await stage.gateway.give(stage.gateway.hello())
    assert stage.store.state("VM-1").link.online


async def test_a_change_of_the_registry_reaches_a_machine_that_works(stage: Stage) -> None:
    """Within seconds it is decided on, and the machine is sent its new columns."""
    await stage.gateway.give(stage.gateway.hello())
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await asyncio.sleep(1)
    row = stage.store.rows[MachineId("VM-1")]
    row.configuration = replace(
        row.configuration, configuration=Configuration(revision=2, planogram_version=2)
    )
    await asyncio.sleep(6)

    assert 2 == stage.store.state("VM-1").configuration.revision
    assert isinstance(stage.store.events("VM-1")[-1], ConfigurationChanged)
    assert isinstance(stage.gateway.commands()[-1], UpdatePlanogram)
    listening.cancel()


async def _registered(stage: Stage) -> list[MachineId]:
    """Fifty machines that nobody has heard of, put into the registry."""
    await asyncio.sleep(10)
    stage.store.reads.clear()
    names = [MachineId(f"VM-{number}") for number in range(2, 52)]
    for name in names:
        stage.store.register(name)
    return names


async def test_what_the_registry_changed_is_read_together(stage: Stage) -> None:
    """However many machines it is."""
    names = await _registered(stage)
    await asyncio.sleep(6)

    assert [tuple(names)] == stage.store.reads
    assert 51 == len(stage.provider.of(CreateCode))


async def test_one_machine_that_cannot_be_read_leaves_the_others_their_change(
    stage: Stage,
) -> None:
    """It came with them in one read, which brings the others and its error."""
    names = await _registered(stage)
    stage.store.unreadable.add(names[7])
    await asyncio.sleep(6)

    assert [tuple(names)] == stage.store.reads
    assert 50 == len(stage.provider.of(CreateCode))
    assert 1 == stage.host.stats()["halted"]


async def test_a_sweep_s_read_that_breaks_over_one_machine_is_made_of_each_alone(
    stage: Stage,
) -> None:
    """Only that one is halted, and no later sweep reads it again."""
    names = await _registered(stage)
    stage.store.breaking_reads.add(names[7])
    await asyncio.sleep(6)

    assert [50, *[1] * 50] == [len(read) for read in stage.store.reads]
    assert 50 == len(stage.provider.of(CreateCode))
    assert 1 == stage.host.stats()["halted"]


async def test_a_machine_at_rest_stays_in_memory_while_it_owes_something(stage: Stage) -> None:
    """A refund that Alipay has not answered keeps its machine."""
    await stage.gateway.give(stage.gateway.hello(), stage.gateway.paid("t-1"))
    stage.provider.gate = asyncio.Event()
    await stage.gateway.give(stage.gateway.bye())
    await asyncio.sleep(800)
    assert 1 == stage.host.stats()["calls"]
    assert 1 == stage.host.stats()["machines"]

    stage.provider.gate.set()
    await asyncio.sleep(800)
    assert 0 == stage.host.stats()["machines"]


async def test_a_sweep_outlives_a_store_that_is_away(stage: Stage) -> None:
    """The next one finds the same; what needs no store goes on meanwhile."""
    await stage.gateway.give(stage.gateway.hello())
    stage.store.away = True
    await asyncio.sleep(60)
    stage.store.away = False
    stage.pays("t-1")
    await asyncio.sleep(30)

    kinds = [type(event) for event in stage.store.events("VM-1")]
    assert {Disconnected, TopUpPaid} <= set(kinds)
    assert not stage.fatal


async def test_a_reload_that_outlasts_two_moves_reaches_the_machine_that_came_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partition has left and is here again: of one machine that is twice in memory two would
    decide past each other.
    """
    reading, untaken_of = asyncio.Event(), stage.store.untaken_of

    async def held_up(*words: Any, **more: Any) -> Any:
        await reading.wait()
        return await untaken_of(*words, **more)

    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    loop, mailboxes = stage.host._loop, stage.host._mailboxes
    machine_id, ownership = MachineId("VM-1"), loop.ownership
    before = mailboxes.runner(machine_id)
    monkeypatch.setattr(stage.store, "untaken_of", held_up)
    await stage.gateway.give(stage.gateway.command(Reload(), command_id="c-1"))
    await loop.leaving.let_go(loop.partition_of(machine_id))
    loop.ownership = ownership
    after = mailboxes.runner(machine_id)
    posted: list[Runner] = []
    monkeypatch.setattr(mailboxes, "post", lambda runner, *_: posted.append(runner))
    reading.set()
    await asyncio.sleep(1)

    assert after is not before
    assert [after] == posted
