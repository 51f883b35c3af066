"""A machine that is halted: what the database says of it, how it is tried again, and what a reload
does to one that works.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.host.halts import WORDS_MAX, HaltLimits, words
from actors.host.loop import TurnLimits
from actors.host.runner import Core
from actors.host.services import HostLimits
from actors.link import CloseReason, CommandDone, Reload
from actors.machine.code import CodeStatus
from actors.machine.decision import Decision
from actors.machine.effects import ApproveVend, ChangeCodeStatus, SendRefund, Welcome
from actors.machine.events import (
    CodeFailed,
    CodeStatusChanged,
    CodeStopOrdered,
    ConfigurationChanged,
    Event,
    FrameReceived,
    StockCounted,
    TopUpPaid,
    VendRequested,
    VendSucceeded,
)
from actors.machine.ids import MachineId, RequestId
from actors.machine.incident import FaultReported
from actors.machine.policy import Policy
from actors.machine.state import Configuration, MachineState
from actors.ports import CodeStop, MachineHalt, Ownership
from tests.support.stage import Stage, answers, closings

pytestmark = pytest.mark.virtual_time

VM_1 = MachineId("VM-1")
AGAIN_S = (60.0, 300.0, 900.0, 3_600.0)


class Broken:
    """A core with a defect that a test mends: it raises for one kind of fact. ``tried`` are the
    times of the loop.
    """

    def __init__(self, fact: type) -> None:
        self.mended = False
        self.tried: list[float] = []
        self._fact = fact

    def decide(
        self,
        state: MachineState,
        event: Event,
        now_ms: int,
        policy: Policy,
        heard: frozenset[str],
    ) -> Decision:
        """Decide, or raise."""
        if (
            isinstance(event.fact if isinstance(event, FrameReceived) else event, self._fact)
            and not self.mended
        ):
            self.tried.append(asyncio.get_running_loop().time())
            raise ZeroDivisionError("a defect")
        return Core().decide(state, event, now_ms, policy, heard)


async def reload(
    stage: Stage, machine_id: str = "VM-1", *, command_id: str = "reload"
) -> CommandDone:
    """Ask for a reload as a gateway does, and return the answer, which comes by itself."""
    await stage.gateway.give(stage.gateway.command(Reload(), machine_id, command_id=command_id))
    async with asyncio.timeout(30):
        while True:
            for message in stage.gateway.heard:
                if isinstance(message, CommandDone) and message.command_id == command_id:
                    return message
            await stage.gateway.hear()


@pytest.fixture
def broken() -> Broken:
    """Payments are what it cannot decide upon."""
    return Broken(TopUpPaid)


@pytest.fixture
async def stage(broken: Broken) -> AsyncIterator[Stage]:
    """Two machines that are connected, on a core with a defect."""
    stage = Stage(core=Core(decide=broken.decide))
    await stage.start("VM-1", "VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    await asyncio.sleep(0.1)
    yield stage
    await stage.host.stop()


async def halted(stage: Stage) -> None:
    """Let a customer pay, over which the machine is halted, and wait until the database says so."""
    await stage.gateway.give(stage.gateway.paid("t-1"))
    await asyncio.sleep(3)
    assert VM_1 in stage.store.halts


async def test_a_halt_is_written_down(stage: Stage) -> None:
    """Since when, over what, and why; the other machines have no row."""
    await asyncio.sleep(5)
    before_ms = stage.clock.now_ms()
    await halted(stage)

    assert [VM_1] == list(stage.store.halts)
    row = stage.store.halts[VM_1]
    assert (before_ms, "TopUpPaid", "ZeroDivisionError: a defect") == (
        row.halted_at_ms,
        row.fact,
        row.error,
    )


async def test_a_halt_that_cannot_be_written_is_written_later(stage: Stage) -> None:
    """Each sweep tries once; nobody else waits for it."""
    stage.store.halts_refused = 3
    await stage.gateway.give(stage.gateway.paid("t-1"))
    await asyncio.sleep(2.5)
    assert {} == stage.store.halts
    await stage.gateway.give(stage.gateway.command(StockCounted(column="A1", stock=2), "VM-2"))
    assert {"c-1": ""} == answers(stage.gateway.heard)
    await asyncio.sleep(3)
    assert [VM_1] == list(stage.store.halts)


async def test_a_stale_owner_writes_no_halt(stage: Stage) -> None:
    """The host that was taken over ends instead."""
    await stage.gateway.give(stage.gateway.paid("t-1"))
    stage.store.take_over(range(stage.store.partition_count))
    await asyncio.sleep(3)

    assert {} == stage.store.halts
    assert 1 == len(stage.fatal)


async def test_a_reload_takes_up_what_waits(stage: Stage, broken: Broken) -> None:
    """Once the cause is gone: the payment is credited before the answer, the row is gone with it,
    and customers are served again.
    """
    await halted(stage)
    broken.mended = True
    done = await reload(stage)

    assert "" == done.refusal
    assert [1_000] == [trade.paid_minor for trade in stage.store.state("VM-1").trades]
    assert {} == stage.store.halts
    await stage.gateway.give(stage.gateway.hello("VM-1", stream="again"))
    await stage.gateway.give(stage.gateway.frame(_wish(), stream="again"))
    assert isinstance(stage.gateway.commands()[-1], ApproveVend)


async def test_a_machine_that_halts_again_says_why(stage: Stage) -> None:
    """Its row stays, since when too, and so does what waits for it."""
    await halted(stage)
    since_ms = stage.store.halts[VM_1].halted_at_ms
    await asyncio.sleep(10)
    done = await reload(stage)
    await asyncio.sleep(3)

    assert (CloseReason.HALTED, ("ZeroDivisionError: a defect",)) == (done.refusal, done.notes)
    assert since_ms == stage.store.halts[VM_1].halted_at_ms
    assert not stage.store.inbox[1].taken
    assert 2 == stage.host.stats()["halted"]


async def test_money_goes_back_though_nobody_comes(stage: Stage, broken: Broken) -> None:
    """A halted machine is tried again by itself; its stream, which ended with the halt, is given
    up, and the customer is refunded.
    """
    await halted(stage)
    broken.mended = True
    await asyncio.sleep(60 + 30 + 60 + 10)

    assert {} == stage.store.halts
    assert 1 == len(stage.provider.of(SendRefund))


async def test_it_is_tried_at_growing_intervals(stage: Stage, broken: Broken) -> None:
    """After 1, 5, 15 and 60 minutes, then hourly, and never given up."""
    await halted(stage)
    await asyncio.sleep(3 * 3_600)

    waits_s = [
        after - before for before, after in zip(broken.tried, broken.tried[1:], strict=False)
    ]
    expected_s = [*AGAIN_S, 3_600.0]
    assert len(waits_s) >= 4
    assert all(
        wanted_s <= wait_s < wanted_s + 5
        for wanted_s, wait_s in zip(expected_s, waits_s, strict=False)
    )
    assert VM_1 in stage.store.halts


async def test_a_machine_that_worked_for_long_is_tried_soon() -> None:
    """What happened long ago does not make the next wait longer; what happened just now does."""
    broken = Broken(TopUpPaid)
    limits = HostLimits(turns=TurnLimits(halts=HaltLimits(again_s=(10.0, 100.0))))
    stage = Stage(core=Core(decide=broken.decide), limits=limits)
    await stage.start("VM-1")
    await halted(stage)
    broken.mended = True
    await asyncio.sleep(20)
    broken.mended = False
    await stage.gateway.give(stage.gateway.paid("t-2"))
    await asyncio.sleep(50)
    assert 2 == len(broken.tried)
    broken.mended = True
    await asyncio.sleep(500)
    broken.mended = False
    await stage.gateway.attach()
    await stage.gateway.give(stage.gateway.paid("t-3"))
    await asyncio.sleep(15)

    assert 4 == len(broken.tried)
    await stage.host.stop()


async def test_a_conflict_that_ends_lets_its_machine_go_on(stage: Stage) -> None:
    """While the store refuses the row each try halts it again, alone; the other machine is never
    told no.
    """
    stage.store.conflicting = {VM_1}
    await stage.gateway.give(stage.gateway.frame(FaultReported(code="EB"), "VM-1"))
    await asyncio.sleep(3)
    assert "FaultReported" == stage.store.halts[VM_1].fact
    await asyncio.sleep(70)
    assert VM_1 in stage.store.halts
    stage.store.conflicting = set()
    await stage.gateway.attach()
    assert "" == (await reload(stage)).refusal
    assert {} == stage.store.halts
    await stage.gateway.give(stage.gateway.hello("VM-2"))
    messages = await stage.gateway.give(stage.gateway.frame(_wish(), "VM-2"))
    assert [] == closings(messages)


async def test_a_machine_that_breaks_the_store_disturbs_nobody_when_it_is_tried_again(
    stage: Stage,
) -> None:
    """One failure is enough then, and it does not count as an store_health."""
    stage.store.breaking = {VM_1}
    await stage.gateway.give(stage.gateway.frame(FaultReported(code="EB"), "VM-1"))
    await asyncio.sleep(30)
    assert VM_1 in stage.store.halts
    attempts = stage.store.attempts
    task = asyncio.create_task(reload(stage))
    while not task.done():
        assert 1 == stage.host.stats()["saves"]
        await asyncio.sleep(0.001)

    assert CloseReason.HALTED == task.result().refusal
    assert attempts + 1 == stage.store.attempts


async def test_a_machine_that_cannot_be_read_stops_nobody() -> None:
    """Neither the others nor the start of a host; it goes on once its rows make sense."""
    stage = Stage()
    await stage.start("VM-1", "VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    await asyncio.sleep(1)
    stage.store.unreadable = {VM_1}
    await stage.restart()
    messages = await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    await asyncio.sleep(3)

    assert [("VM-1-stream", CloseReason.HALTED)] == closings(messages)
    assert any(isinstance(command, Welcome) for command in stage.gateway.commands("VM-2"))
    assert ("", "ValueError: the state of VM-1 makes no sense") == (
        stage.store.halts[VM_1].fact,
        stage.store.halts[VM_1].error,
    )
    stage.store.unreadable = set()
    assert "" == (await reload(stage)).refusal
    assert {} == stage.store.halts
    await stage.host.stop()


async def test_a_registry_change_of_what_cannot_be_read_stops_nobody() -> None:
    """The sweep that brings the change halts the machine, not the host."""
    stage = Stage()
    stage.store.unreadable = {VM_1}
    await stage.start("VM-1", "VM-2")
    await asyncio.sleep(20)

    assert [] == stage.fatal
    assert [VM_1] == list(stage.store.halts)
    assert 1 == stage.host.stats()["halted"]
    assert stage.store.state("VM-2").version > 0
    await stage.host.stop()


async def test_the_next_owner_knows_and_tries(stage: Stage, broken: Broken) -> None:
    """A halted machine that owes nothing is loaded by the next host as well: it works again, and
    the row is gone.
    """
    await stage.gateway.give(stage.gateway.bye("VM-1"))
    await halted(stage)
    broken.mended = True
    await stage.restart()
    await asyncio.sleep(1)

    assert {} == stage.store.halts
    assert stage.store.inbox[1].taken


async def test_the_next_owner_keeps_since_when(stage: Stage) -> None:
    """Over the same thing it is halted again, and its row says since when it has not worked."""
    await halted(stage)
    since_ms = stage.store.halts[VM_1].halted_at_ms
    await stage.restart()
    await asyncio.sleep(5)

    assert since_ms == stage.store.halts[VM_1].halted_at_ms
    assert 1 == stage.host.stats()["halted"]


async def test_a_reload_under_load_changes_nothing() -> None:
    """Reloads in the middle of customers: nothing is lost, nothing is done twice, no stream is
    closed, and the order is kept.
    """
    stage = Stage()
    stage.store.delay_s = 0.01
    await stage.start("VM-1")
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    gives = []
    for number in range(8):
        gives.append(
            asyncio.create_task(stage.gateway.give(stage.gateway.paid(f"t-{number}", 1_000)))
        )
        count = stage.gateway.command(
            StockCounted(column="A1", stock=number), command_id=f"c-{number}"
        )
        gives.append(
            asyncio.create_task(
                stage.gateway.give(
                    count, stage.gateway.command(Reload(), command_id=f"reload-{number}")
                )
            )
        )
        await asyncio.sleep(0.013)
    await asyncio.gather(*gives)
    await stage.gateway.give(stage.gateway.frame(_wish()))
    approved = stage.gateway.commands()[-1]
    assert isinstance(approved, ApproveVend)
    giving = asyncio.create_task(
        stage.gateway.give(stage.gateway.frame(VendSucceeded(vend_id=approved.vend_id)))
    )
    await stage.gateway.give(stage.gateway.command(Reload(), command_id="reload-last"))
    await giving
    await asyncio.sleep(400)

    told = answers(stage.gateway.heard)
    assert {""} == set(told.values())
    assert 17 == len(told)
    assert list(range(8)) == [
        event.stock for event in stage.store.events("VM-1") if isinstance(event, StockCounted)
    ]
    assert 8 == sum(isinstance(event, TopUpPaid) for event in stage.store.events("VM-1"))
    refunds = [call for call in stage.provider.of(SendRefund) if isinstance(call, SendRefund)]
    assert 8_000 - 500 == sum(refund.amount_minor for refund in refunds)
    assert len(refunds) == len({refund.refund_id for refund in refunds})
    assert [] == closings(stage.gateway.heard)
    assert 0 == stage.host.stats()["halted"]
    assert stage.host.stats()["loads"] >= 8
    listening.cancel()
    await stage.host.stop()


async def test_a_reload_during_a_commit_waits_for_it(stage: Stage) -> None:
    """What is being saved is saved and told once; the machine is loaded behind it."""
    stage.store.gate = asyncio.Event()
    giving = asyncio.create_task(
        stage.gateway.give(stage.gateway.command(StockCounted(column="A1", stock=3)))
    )
    await asyncio.sleep(0.1)
    reloading = asyncio.create_task(reload(stage))
    await asyncio.sleep(1)
    loads = stage.host.stats()["loads"]
    assert not reloading.done()
    stage.store.gate.set()
    await giving

    assert "" == (await reloading).refusal
    assert loads + 1 == stage.host.stats()["loads"]
    assert 0 == stage.host.stats()["commit_failures"]


async def test_a_reload_is_not_taken_while_the_store_is_away(stage: Stage) -> None:
    """Nothing is dropped then; one that was taken just before is answered when the store is
    back.
    """
    stage.store.away = True
    taken = asyncio.create_task(reload(stage, command_id="before"))
    await asyncio.sleep(5)
    assert "STORE_UNAVAILABLE" == (await reload(stage, command_id="during")).refusal
    assert not taken.done()
    stage.store.away = False

    assert "" == (await taken).refusal


async def test_a_reload_of_an_unknown_machine_is_refused(stage: Stage) -> None:
    """And leaves nothing in memory."""
    assert CloseReason.UNKNOWN_MACHINE == (await reload(stage, "VM-404")).refusal
    assert 2 == stage.host.stats()["machines"]


async def test_a_host_that_stops_ends_with_a_reload_under_way(stage: Stage) -> None:
    """It does not hang, and nothing of the machine is lost."""
    stage.store.delay_s = 60
    await stage.gateway.give(stage.gateway.command(Reload()))
    async with asyncio.timeout(20):
        await stage.host.stop()
    assert 0 == stage.host.stats()["halted"]


def test_the_words_of_an_error_are_bounded_and_name_nobody() -> None:
    """One line, without what follows, without what could be an id or a login at Alipay."""
    error = ValueError(
        "payer 2088123412341234 a.b@example.com paid 2026011522001400000000000001\nDETAIL: "
        "Failing row contains (...)"
    )

    assert "ValueError: payer … … paid 2026011522001400000000000001" == words(error)
    assert WORDS_MAX == len(words(ValueError("x" * 5_000)))


def _wish() -> VendRequested:
    return VendRequested(
        request_id=RequestId("r-1"), column="A1", price_minor=500, planogram_version=1
    )


# --- its code ---

STOP_AFTER_S = 600


def code_calls(stage: Stage) -> list[CodeStatus]:
    """What Alipay was asked to make of VM-1's code after it was created."""
    return [
        call.status
        for machine_id, call in stage.provider.calls
        if isinstance(call, ChangeCodeStatus) and machine_id == VM_1
    ]


async def test_the_code_of_a_machine_that_stays_halted_is_stopped(stage: Stage) -> None:
    """After ten minutes, once, and the row says so; tries in vain do not open it again."""
    await halted(stage)
    await asyncio.sleep(STOP_AFTER_S - 10)
    assert [] == code_calls(stage)
    await asyncio.sleep(15)
    assert [CodeStatus.STOPPED] == code_calls(stage)
    await asyncio.sleep(5 * 3_600)

    assert [CodeStatus.STOPPED] == code_calls(stage)
    assert CodeStop.DONE is stage.store.halts[VM_1].code_stop


async def test_a_machine_that_works_again_wants_its_code_back(stage: Stage, broken: Broken) -> None:
    """The row goes with the decision that asks Alipay for it, and not before."""
    await halted(stage)
    await asyncio.sleep(STOP_AFTER_S + 15)
    broken.mended = True
    await stage.gateway.attach()
    done = await reload(stage)
    await asyncio.sleep(5)

    assert "" == done.refusal
    assert [CodeStatus.STOPPED, CodeStatus.ACTIVE] == code_calls(stage)
    assert CodeStatus.ACTIVE is stage.store.state("VM-1").code.status
    assert {} == stage.store.halts
    (recovery,) = [
        changes for changes in stage.store.commits if any(change.recovers for change in changes)
    ]
    assert any(isinstance(change.event, CodeStopOrdered) for change in recovery)


@pytest.mark.parametrize("mended", [True, False])
async def test_an_order_survives_the_end_of_its_host(
    stage: Stage, broken: Broken, mended: bool
) -> None:
    """It was saved and its call was cut off: the next host asks for the code again if the machine
    works, and stops it at once if it does not.
    """
    await halted(stage)
    stage.provider.gate = asyncio.Event()
    await asyncio.sleep(STOP_AFTER_S + 15)
    assert [CodeStatus.STOPPED] == code_calls(stage)
    assert CodeStop.ORDERED is stage.store.halts[VM_1].code_stop
    stage.provider.gate = None
    broken.mended = mended
    await stage.restart()
    await asyncio.sleep(10)

    wanted = CodeStatus.ACTIVE if mended else CodeStatus.STOPPED
    assert [CodeStatus.STOPPED, wanted] == code_calls(stage)
    assert (VM_1 in stage.store.halts) is not mended
    if mended:
        assert CodeStatus.ACTIVE is stage.store.state("VM-1").code.status


async def test_an_order_that_cannot_be_saved_is_not_carried_out(stage: Stage) -> None:
    """What nobody remembers nobody would take back."""
    await halted(stage)
    await asyncio.sleep(STOP_AFTER_S - 20)
    stage.store.halts_refused = 30
    await asyncio.sleep(30)
    assert [] == code_calls(stage)
    await asyncio.sleep(60)
    assert [CodeStatus.STOPPED] == code_calls(stage)


@pytest.mark.parametrize("final", [True, False])
async def test_a_stop_that_fails(stage: Stage, final: bool) -> None:
    """Without an answer it is asked for again, later and later; a no for good is a person's."""
    await halted(stage)
    stage.provider.answer = lambda _call: CodeFailed(final=final, detail="no")
    await asyncio.sleep(STOP_AFTER_S + 3 * 3_600)

    asked = len(code_calls(stage))
    stopped = stage.store.halts[VM_1].code_stop
    assert ((1, CodeStop.REFUSED) if final else (6, CodeStop.ORDERED)) == (asked, stopped)


async def test_no_machine_is_let_go_on_while_its_code_is_being_stopped(
    stage: Stage, broken: Broken
) -> None:
    """Alipay would hear of both wishes in an order that nobody knows."""
    await halted(stage)
    stage.provider.gate = asyncio.Event()
    await asyncio.sleep(STOP_AFTER_S + 5)
    broken.mended = True
    await stage.gateway.attach()
    assert CloseReason.OVERLOADED == (await reload(stage)).refusal
    stage.provider.gate.set()
    await asyncio.sleep(3)
    assert "" == (await reload(stage, command_id="later")).refusal
    await asyncio.sleep(3)
    assert [CodeStatus.STOPPED, CodeStatus.ACTIVE] == code_calls(stage)


async def test_every_halted_machine_has_its_code_stopped(broken: Broken) -> None:
    """However many were halted at once: one sweep orders a bounded number, the next ones the rest;
    who has been told already holds up nobody.
    """
    limits = HostLimits(turns=TurnLimits(halts=HaltLimits(rows_max=1, stop_code_after_ms=20_000)))
    stage = Stage(core=Core(decide=broken.decide), limits=limits)
    await stage.start("VM-1", "VM-2")
    await asyncio.sleep(5)
    await stage.gateway.give(
        stage.gateway.paid("t-1"), stage.gateway.paid("t-2", machine_id="VM-2")
    )
    await asyncio.sleep(45)

    stops = {machine_id: halt.code_stop for machine_id, halt in stage.store.halts.items()}
    assert {VM_1: CodeStop.DONE, MachineId("VM-2"): CodeStop.DONE} == stops
    await stage.host.stop()


async def test_a_try_in_vain_does_not_open_a_stopped_code_again() -> None:
    """Not even if the machine was halted while its own call to restart it was under way: that call
    is made again only by a machine that works.
    """
    broken = Broken(CodeStatusChanged)
    broken.mended = True
    stage = Stage(core=Core(decide=broken.decide))
    await stage.start("VM-1")
    await asyncio.sleep(5)
    await _configured(stage, revision=2, enabled=False)
    broken.mended = False
    await _configured(stage, revision=3, enabled=True)
    assert VM_1 in stage.store.halts
    await asyncio.sleep(5 * 3_600)

    assert CodeStop.DONE is stage.store.halts[VM_1].code_stop
    assert CodeStatus.STOPPED is code_calls(stage)[-1], code_calls(stage)
    broken.mended = True
    await asyncio.sleep(2 * 3_600)
    assert CodeStatus.ACTIVE is code_calls(stage)[-1]
    assert CodeStatus.ACTIVE is stage.store.state("VM-1").code.status
    assert {} == stage.store.halts
    await stage.host.stop()


async def test_a_code_is_stopped_after_its_machines_own_call(stage: Stage) -> None:
    """A restart that the machine asked for before it was halted is answered first."""
    await _configured(stage, revision=2, enabled=False)
    stage.provider.gate = asyncio.Event()
    await _configured(stage, revision=3, enabled=True)
    await stage.gateway.give(stage.gateway.paid("t-1"))
    await asyncio.sleep(STOP_AFTER_S + 15)
    assert [CodeStatus.STOPPED, CodeStatus.ACTIVE] == code_calls(stage)
    stage.provider.gate.set()
    await asyncio.sleep(5)
    assert CodeStatus.STOPPED is code_calls(stage)[-1]
    assert CodeStop.DONE is stage.store.halts[VM_1].code_stop


async def test_an_order_that_breaks_the_store_ends_no_host(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One machine's row is one machine's matter, as when its halt is written down."""
    halt = stage.store.halt

    async def breaks(ownership: Ownership, row: MachineHalt) -> None:
        if row.code_stop and row.machine_id == VM_1:
            raise ValueError("of this row only")
        await halt(ownership, row)

    monkeypatch.setattr(stage.store, "halt", breaks)
    await halted(stage)
    await stage.gateway.give(stage.gateway.paid("t-2", machine_id="VM-2"))
    await asyncio.sleep(STOP_AFTER_S + 30)

    assert [] == stage.fatal
    assert [] == code_calls(stage)
    assert CodeStop.DONE is stage.store.halts[MachineId("VM-2")].code_stop


async def _configured(stage: Stage, *, revision: int, enabled: bool) -> None:
    """An administrator enables or disables VM-1."""
    configuration = Configuration(revision=revision, enabled=enabled, planogram_version=1)
    event = ConfigurationChanged(configuration=configuration)
    await stage.gateway.give(stage.gateway.command(event, command_id=f"r-{revision}"))
    await asyncio.sleep(5)
