"""When the store, one machine or the clock misbehaves: what is denied, what waits, what is halted,
and how it all comes back.
"""

import asyncio

import pytest

from actors.host.loop import TurnLimits
from actors.host.runner import Core
from actors.host.services import HostLimits
from actors.link import CloseReason, ToMachine
from actors.machine.decision import Decision
from actors.machine.effects import ApproveVend, SendRefund, Welcome
from actors.machine.events import (
    Event,
    FrameReceived,
    StockCounted,
    TimePassed,
    VendSucceeded,
)
from actors.machine.incident import FaultReported
from actors.machine.policy import Policy
from actors.machine.state import DenyReason, MachineState
from tests.support.stage import Stage, acks, answers, closings, denials, request, vends_saved

pytestmark = pytest.mark.virtual_time


async def test_a_request_is_denied_at_once_while_the_store_is_away(stage: Stage) -> None:
    """The customer hears no within a second, unacknowledged, and keeps their funds."""
    stage.store.away = True
    start_s = asyncio.get_running_loop().time()
    messages = await stage.gateway.give(stage.gateway.frame(request()))

    assert asyncio.get_running_loop().time() - start_s < 1
    assert [None] == acks(messages)
    assert denials(stage) == [(DenyReason.BACKEND_UNAVAILABLE, 1_000)]


async def test_new_requests_are_denied_without_asking_the_store(stage: Stage) -> None:
    """Once the store is known to be away, each request is denied by itself and exchanges do not
    hang.
    """
    stage.store.away = True
    await stage.gateway.give(stage.gateway.frame(request("r-1")))
    start_s = asyncio.get_running_loop().time()
    messages = await stage.gateway.give(
        stage.gateway.frame(request("r-2")),
        stage.gateway.command(StockCounted(column="A1", stock=1)),
    )

    assert start_s == asyncio.get_running_loop().time()
    assert [None] == acks(messages)
    assert {"c-1": "STORE_UNAVAILABLE"} == answers(messages)
    assert 2 == len(denials(stage))


async def test_the_store_comes_back_and_everything_goes_on_in_order(stage: Stage) -> None:
    """After a minute: the denied numbers are used up, later frames follow, acknowledgements come,
    customers are served again.
    """
    listening = asyncio.create_task(stage.gateway.keep_listening())
    stage.store.away = True
    await stage.gateway.give(stage.gateway.frame(request("r-1")))
    await stage.gateway.give(
        stage.gateway.frame(FaultReported(code="EB")), stage.gateway.paid("t-2", 200)
    )
    await asyncio.sleep(60)
    saved = stage.store.state("VM-1")
    stage.store.away = False
    await asyncio.sleep(15)

    assert 0 == saved.link.last_seq
    assert ["VendTurnedAway"] == vends_saved(stage)
    assert 2 == stage.store.state("VM-1").link.last_seq
    assert [2] == [ack for ack in acks(stage.gateway.heard) if ack][-1:]
    await stage.gateway.give(stage.gateway.frame(request("r-3")))
    assert isinstance(stage.gateway.commands()[-1], ApproveVend)
    assert 1 == stage.host.stats()["saves"]
    assert all(row.taken for row in stage.store.inbox.values())
    listening.cancel()


async def test_the_store_is_not_hammered_while_it_is_away(stage: Stage) -> None:
    """Tries are seconds apart, so that a database that comes up is let up."""
    stage.store.away = True
    await stage.gateway.give(stage.gateway.frame(request()))
    before = stage.store.attempts
    await asyncio.sleep(60)

    assert stage.store.attempts - before <= 20


async def test_a_mistake_of_the_core_halts_one_machine() -> None:
    """What was decided before it is saved; the machine's streams are closed; the others do not
    notice.
    """
    real = Core()

    def decide(
        state: MachineState, event: Event, now_ms: int, policy: Policy, heard: frozenset[str]
    ) -> Decision:
        if isinstance(event, FrameReceived) and isinstance(event.fact, FaultReported):
            raise ZeroDivisionError("a defect")
        return real.decide(state, event, now_ms, policy, heard)

    stage = Stage(core=Core(decide=decide))
    await stage.start("VM-1", "VM-2")
    messages = await stage.gateway.give(
        stage.gateway.hello("VM-1"),
        stage.gateway.frame(FaultReported(code="EB")),
        stage.gateway.frame(request()),
        stage.gateway.hello("VM-2"),
    )

    assert ("VM-1-stream", CloseReason.HALTED) in closings(messages)
    assert stage.store.state("VM-1").link.online
    assert any(isinstance(command, Welcome) for command in stage.gateway.commands("VM-2"))
    stage.pays("t-1")
    await asyncio.sleep(10)
    assert not stage.store.inbox[1].taken
    await stage.host.stop()


async def test_a_deadline_that_stays_due_does_not_spin() -> None:
    """A core that never lets its deadline pass is asked once a second."""
    asked: list[int] = []
    real = Core()

    def decide(
        state: MachineState, event: Event, now_ms: int, policy: Policy, heard: frozenset[str]
    ) -> Decision:
        if isinstance(event, TimePassed):
            asked.append(now_ms)
            return Decision(state=state, changed=False)
        return real.decide(state, event, now_ms, policy, heard)

    stage = Stage(
        core=Core(decide=decide, next_deadline=lambda state, _: 1 if state.version else None)
    )
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(30)

    assert 25 <= len(asked) <= 35
    await stage.host.stop()


async def test_the_wall_clock_may_jump_ahead(stage: Stage) -> None:
    """Deadlines are wall time: within a second of a jump they are acted on."""
    stage.clock.jump_ms = 400_000
    await asyncio.sleep(2)

    assert 1 == len(stage.provider.of(SendRefund))


async def test_a_busy_machine_lets_the_others_have_their_turn() -> None:
    """Machines are read in turn, a few letters each."""
    stage = Stage(limits=HostLimits(turns=TurnLimits(batch_max=8, turns_in_a_row_max=4)))
    await stage.start("VM-1", "VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    await asyncio.sleep(1)
    before = len(stage.store.commits)
    many = [
        stage.gateway.command(
            StockCounted(column="A1", stock=stock % 10), "VM-1", command_id=f"c-{stock}"
        )
        for stock in range(20)
    ]
    await stage.gateway.give(*many, stage.gateway.frame(FaultReported(code="EB"), "VM-2"))

    assert "VM-2" in {change.machine_id for change in stage.store.commits[before]}
    await stage.host.stop()


async def test_calls_to_alipay_are_bounded_and_made_once() -> None:
    """Many refunds at once wait for room; a reload while they are under way does not make them
    twice.
    """
    stage = Stage(limits=HostLimits(turns=TurnLimits(calls_in_flight_max=2)))
    names = [f"VM-{number}" for number in range(6)]
    await stage.start(*names)
    await stage.gateway.give(*(stage.gateway.paid(f"t-{name}", 100, name) for name in names))
    await asyncio.sleep(30)
    stage.provider.gate = asyncio.Event()
    await asyncio.sleep(70)  # offline machines: the money goes back
    assert 2 == len(stage.provider.of(SendRefund))
    stage.store.lost_answers = 1
    await stage.gateway.attach()
    await stage.gateway.give(
        *(
            stage.gateway.command(StockCounted(column="A1", stock=2), name, command_id=name)
            for name in names
        )
    )
    await asyncio.sleep(5)
    stage.provider.gate.set()
    await asyncio.sleep(5)

    assert 6 == len(stage.provider.of(SendRefund))
    assert all(stage.store.state(name).refunds == () for name in names)
    await stage.host.stop()


async def test_results_are_taken_even_when_mailboxes_are_full() -> None:
    """The answer to our own call and the machine's result are not weighed against newcomers."""
    stage = Stage(limits=HostLimits(letters_max=1))
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(10)

    assert "https://qr.alipay.com/test" == stage.store.state("VM-1").code.qr_payload
    await stage.host.stop()


async def test_frames_of_one_batch_are_acknowledged_by_the_last(stage: Stage) -> None:
    """One acknowledgement for all frames that one transaction saved."""
    await stage.gateway.give(stage.gateway.frame(request()))
    approved = stage.gateway.commands()[-1]
    assert isinstance(approved, ApproveVend)
    messages = await stage.gateway.give(
        stage.gateway.frame(VendSucceeded(vend_id=approved.vend_id)),
        stage.gateway.frame(FaultReported(code="EB")),
    )

    assert [3] == acks([message for message in messages if isinstance(message, ToMachine)])
