"""What machines' codes shall say is told to each of them by whoever has it in memory, those of whom
nobody changed anything one after the other.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random

import pytest

from actors.host.runner import Letter
from actors.host.services import HostLimits
from actors.host.sweeps import SweepLimits
from actors.host.wishes import Wishes
from actors.machine.code import Code, CodeStatus, Saying, Says
from actors.machine.effects import ModifyCode
from actors.machine.events import CodeWished, ConfigurationChanged, TimePassed
from actors.machine.ids import MachineId
from actors.machine.policy import Policy
from actors.machine.state import Configuration
from actors.machine.values import replace as changed
from actors.ports import LoadedMachine
from tests.support.memory_store import MemoryStore
from tests.support.stage import Stage
from tests.support.virtual_time import LoopClock

pytestmark = pytest.mark.virtual_time
OLD = Says(notify="old", name="Lobby")
NEW = Says(notify="new", name="Lobby")
EVERY_MS = 10_000


def registered(store: MemoryStore, machine_id: str, says: Says, known: Says | None) -> None:
    """A machine with a code that says what its registry and the settings ``known`` before had."""
    row = store.register(machine_id)
    row.place = replace(row.place, says=says)
    if known is not None:
        code = Code(
            status=CodeStatus.ACTIVE,
            qr_payload=f"https://qr.example/{machine_id}",
            saying=Saying(wanted=known, confirmed=known),
        )
        configuration = row.configuration.configuration
        row.state = changed(row.state, version=1, code=code, configuration=configuration)


async def loaded(store: MemoryStore, machine_id: str) -> LoadedMachine:
    """What the store has of it."""
    found = await store.load(MachineId(machine_id))
    assert found is not None
    return found


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A host that has not started."""
    limits = HostLimits(sweeps=SweepLimits(codes_s=1.0, codes_max=2))
    stage = Stage(policy=Policy(code_modify_every_ms=EVERY_MS), limits=limits)
    yield stage
    await stage.host.stop()


async def test_a_new_domain_reaches_all_machines_one_after_the_other(stage: Stage) -> None:
    """Also those that nothing would ever load; all are told soon, and modified in their turns."""
    names = [f"VM-{number}" for number in range(1, 8)]
    for name in names:
        registered(stage.store, name, NEW, OLD)
    await stage.start()
    await asyncio.sleep(9)
    assert all(NEW == stage.store.state(name).code.saying.wanted for name in names)
    assert len(stage.provider.of(ModifyCode)) <= 2

    await asyncio.sleep(len(names) * EVERY_MS / 1_000 + 10)
    assert len(names) == len(stage.provider.of(ModifyCode))
    assert all(NEW == stage.store.state(name).code.saying.confirmed for name in names)


async def test_a_machine_whose_place_was_changed_does_not_wait(stage: Stage) -> None:
    """An administrator waits for the answer: nobody stands before them."""
    registered(stage.store, "VM-1", OLD, OLD)
    await stage.start()
    row = stage.store.rows[MachineId("VM-1")]
    row.place = replace(row.place, says=NEW)
    row.configuration = ConfigurationChanged(configuration=Configuration(revision=2))
    await stage.gateway.give(stage.gateway.command(row.configuration))
    await asyncio.sleep(1)
    assert NEW == stage.store.state("VM-1").code.saying.confirmed


async def test_a_machine_whose_mailbox_is_full_is_told_later(stage: Stage) -> None:
    """The walk goes on behind it, and comes back."""
    await stage.start()
    registered(stage.store, "VM-1", NEW, OLD)
    registered(stage.store, "VM-2", NEW, OLD)
    sweeps, mailboxes = stage.host._sweeps, stage.host._mailboxes
    sweeps._codes_after = MachineId("")
    row = stage.store.rows[MachineId("VM-1")]
    row.place = replace(row.place, says=None)
    stage.host._loop.adopt(await loaded(stage.store, "VM-1"))
    row.place = replace(row.place, says=NEW)
    runner = mailboxes.runner(MachineId("VM-1"))
    stage.store.gate = asyncio.Event()
    stage.host._loop.post(runner, Letter(event=CodeWished(says=Says(notify="old"), wait_ms=1)))
    for _ in range(2):  # The loop takes the first ones, and waits with them for the store.
        while mailboxes.has_room(MachineId("VM-1")):
            stage.host._loop.post(runner, Letter(event=TimePassed(), forced=True))
        await asyncio.sleep(0.1)
    await sweeps.codes()
    assert [MachineId("VM-1")] == sweeps._codes_left

    stage.store.gate.set()
    await asyncio.sleep(EVERY_MS * 3 / 1_000)
    for name in ("VM-1", "VM-2"):
        assert NEW == stage.store.state(name).code.saying.confirmed


async def test_a_machine_that_has_left_is_not_told(stage: Stage) -> None:
    """The walk passed it while its mailbox was full, and then its partition moved: it is another
    host's, and comes to no life here.
    """
    await stage.start()
    registered(stage.store, "VM-1", NEW, OLD)
    stage.host._sweeps._codes_left = [MachineId("VM-1")]
    loop = stage.host._loop
    await loop.leaving.let_go(loop.partition_of(MachineId("VM-1")))
    await stage.host._sweeps.codes()
    assert MachineId("VM-1") not in stage.host._mailboxes.runners


async def test_who_is_told_and_how_long_they_wait() -> None:
    """Nobody who knows it, or is retired; at once who has no code yet, or was changed."""
    store, clock = MemoryStore(), LoopClock()
    wishes = Wishes(clock=clock, rng=Random(1), every_ms=EVERY_MS)
    registered(store, "VM-1", NEW, None)
    registered(store, "VM-2", NEW, NEW)
    registered(store, "VM-3", NEW, OLD)
    registered(store, "VM-4", NEW, OLD)
    one, two, three, four = [await loaded(store, f"VM-{number}") for number in range(1, 5)]
    assert wishes.letter(two) is None
    assert Letter(event=CodeWished(says=NEW, revision=1)) == wishes.letter(one)
    waits_ms = []
    for machine in (three, four):
        letter = wishes.letter(machine)
        assert letter is not None
        assert isinstance(letter.event, CodeWished)
        waits_ms.append(letter.event.wait_ms)
    assert 0 <= waits_ms[0] < EVERY_MS <= waits_ms[1] < 2 * EVERY_MS
    assert wishes.letter(three, two.state) is None

    newer = ConfigurationChanged(configuration=Configuration(revision=2))
    letter = wishes.letter(replace(four, configuration=newer))
    assert Letter(event=CodeWished(says=NEW, revision=2)) == letter
    gone = ConfigurationChanged(configuration=Configuration(revision=2, retired=True))
    assert wishes.letter(replace(four, configuration=gone)) is None
