"""A host on virtual time: the order of things, timers, takeovers. Gateways are in
``test_gateways``, what happens when the store or a machine misbehaves in ``test_loop``,
``test_saving`` and ``test_loading``.
"""

import asyncio
from dataclasses import replace

import pytest

from actors.link import CloseReason, LinkBroken, Notified
from actors.machine import values
from actors.machine.effects import (
    ApproveVend,
    BeginSession,
    DenyVend,
    EndSession,
    QueryRefund,
    SendRefund,
    Welcome,
)
from actors.machine.events import (
    RefundRetryAsked,
    SessionCompleted,
    StockCounted,
    TopUpPaid,
    VendSucceeded,
)
from actors.machine.ids import RefundId, SessionId, VendId
from actors.machine.state import EndReason
from tests.support.stage import Stage, acks, answers, closings, request

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def stage(quiet_stage: Stage) -> Stage:
    """A host that serves one machine."""
    return quiet_stage


async def sell_to_paying_customer(stage: Stage) -> None:
    """Connect, take 10.00, and request one column at 5.00."""
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(0.1)  # the code is made
    await stage.gateway.give(stage.gateway.paid("t-1"))
    await stage.gateway.give(stage.gateway.frame(request()))


async def test_a_customer_pays_first_and_is_refunded_what_is_left(stage: Stage) -> None:
    """From Hello to refund: each answer comes with the exchange that caused it, and the rest goes
    back.
    """
    await sell_to_paying_customer(stage)
    approved = next(
        command for command in stage.gateway.commands() if isinstance(command, ApproveVend)
    )
    await stage.gateway.give(stage.gateway.frame(VendSucceeded(vend_id=approved.vend_id)))
    session = next(
        command for command in stage.gateway.commands() if isinstance(command, BeginSession)
    )
    messages = await stage.gateway.give(
        stage.gateway.frame(SessionCompleted(session_id=session.session_id))
    )
    await asyncio.sleep(0.1)

    assert [3] == acks(messages)
    assert (
        500
        == next(
            command for command in stage.gateway.commands() if isinstance(command, EndSession)
        ).refund_minor
    )
    assert [500] == [
        call.amount_minor for call in stage.provider.of(SendRefund) if isinstance(call, SendRefund)
    ]
    assert () == stage.store.state("VM-1").refunds


async def test_hello_is_welcomed_and_acknowledged_in_one_message(stage: Stage) -> None:
    """All that one batch has for a stream leaves together."""
    messages = await stage.gateway.give(stage.gateway.hello())

    assert [0] == acks(messages)
    assert isinstance(stage.gateway.commands()[0], Welcome)


async def test_what_arrives_during_a_commit_is_saved_in_one_transaction(stage: Stage) -> None:
    """While a batch is being saved the next one gathers, whatever its size."""
    for number in range(2, 12):
        stage.store.register(f"VM-{number}")
    await stage.gateway.give(*(stage.gateway.hello(f"VM-{number}") for number in range(1, 12)))
    await asyncio.sleep(1)
    stage.store.gate = asyncio.Event()
    before = len(stage.store.commits)
    first = asyncio.create_task(
        stage.gateway.give(stage.gateway.command(StockCounted(column="A1", stock=3)))
    )
    await asyncio.sleep(0.1)
    gives = [
        first,
        *(
            asyncio.create_task(stage.gateway.give(stage.gateway.bye(f"VM-{number}")))
            for number in range(2, 12)
        ),
    ]
    await asyncio.sleep(0.1)
    stage.store.gate.set()
    await asyncio.gather(*gives)

    assert [1, 10] == [len(commit) for commit in stage.store.commits[before:]]


async def test_nothing_leaves_before_the_commit(stage: Stage) -> None:
    """Neither frame nor acknowledgement, refund call nor command answer, however long the commit
    takes.
    """
    await sell_to_paying_customer(stage)
    stage.store.gate = asyncio.Event()
    session = next(
        command for command in stage.gateway.commands() if isinstance(command, BeginSession)
    )
    approved = next(
        command for command in stage.gateway.commands() if isinstance(command, ApproveVend)
    )
    told, called = len(stage.gateway.heard), len(stage.provider.calls)
    listening = asyncio.create_task(stage.gateway.keep_listening())
    giving = asyncio.create_task(
        stage.gateway.give(
            stage.gateway.frame(VendSucceeded(vend_id=approved.vend_id)),
            stage.gateway.frame(SessionCompleted(session_id=session.session_id)),
            stage.gateway.command(StockCounted(column="A1", stock=3)),
        )
    )
    await asyncio.sleep(60)

    assert (told, called) == (len(stage.gateway.heard), len(stage.provider.calls))

    stage.store.gate.set()
    await asyncio.sleep(1)
    await giving
    assert {"c-1": ""} == answers(stage.gateway.heard)
    assert 1 == len(stage.provider.of(SendRefund))
    listening.cancel()


async def test_events_of_one_machine_are_decided_in_their_order(stage: Stage) -> None:
    """A machine's letters keep their order, whoever else has mail."""
    stage.store.register("VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    counts = [
        stage.gateway.command(StockCounted(column="A1", stock=stock), command_id=f"c-{stock}")
        for stock in range(10)
    ]
    others = [stage.gateway.bye("VM-2")]
    await stage.gateway.give(*counts[:5], *others, *counts[5:])

    saved = [event.stock for event in stage.store.events("VM-1") if isinstance(event, StockCounted)]
    assert list(range(10)) == saved


async def test_an_unknown_machine_is_refused(stage: Stage) -> None:
    """Neither its stream nor a command for it is taken."""
    messages = await stage.gateway.give(
        stage.gateway.hello("VM-404"),
        stage.gateway.command(StockCounted(column="A1", stock=1), "VM-404"),
    )

    assert closings(messages) == [("VM-404-stream", CloseReason.UNKNOWN_MACHINE)]
    assert answers(messages) == {"c-1": CloseReason.UNKNOWN_MACHINE}
    assert 0 == stage.host.stats()["machines"]


async def test_the_idle_refund_comes_at_its_time(stage: Stage) -> None:
    """Five minutes after the last operation what is left goes back, and not a second earlier."""
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(stage.gateway.paid("t-1"))
    await asyncio.sleep(299)
    assert [] == stage.provider.of(SendRefund)

    await asyncio.sleep(2)
    assert 1 == len(stage.provider.of(SendRefund))
    assert (
        next(
            command for command in stage.gateway.commands() if isinstance(command, EndSession)
        ).reason
        == EndReason.IDLE
    )
    listening.cancel()


async def test_after_a_restart_what_is_owed_is_done_under_the_same_id(stage: Stage) -> None:
    """What became of the refund whose answer never came is asked by the next host, and timers run
    on: a second request might be refused because the first was done.
    """
    stage.provider.gate = asyncio.Event()
    await stage.gateway.give(stage.gateway.paid("t-1"))
    await asyncio.sleep(70)  # offline: the grace is over
    stage.provider.gate = None
    await stage.restart()
    await asyncio.sleep(1)

    (sent,), (asked,) = stage.provider.of(SendRefund), stage.provider.of(QueryRefund)
    assert isinstance(sent, SendRefund)
    assert isinstance(asked, QueryRefund)
    assert sent.refund_id == asked.refund_id
    assert () == stage.store.state("VM-1").refunds


async def test_a_timer_that_was_due_while_no_host_lived_fires_at_once(stage: Stage) -> None:
    """Deadlines are the state's, not the process's."""
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    await stage.gateway.give(stage.gateway.paid("t-1"))
    for task in stage.host._tasks:
        task.cancel()
    await asyncio.sleep(400)
    assert [] == stage.provider.of(SendRefund)
    await stage.restart()
    await asyncio.sleep(1)

    assert 1 == len(stage.provider.of(SendRefund))


async def test_a_takeover_stops_the_host_at_once(stage: Stage) -> None:
    """A host whose epoch is over saves nothing, lets nothing out, says so once and answers no
    call.
    """
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    saved = stage.store.state("VM-1")
    stage.store.take_over(range(16))

    with pytest.raises(LinkBroken):
        await stage.gateway.give(stage.gateway.paid("t-1"))
    assert saved == stage.store.state("VM-1")
    assert 1 == len(stage.fatal)
    with pytest.raises(LinkBroken):
        await stage.gateway.attach()


async def test_a_repeated_frame_is_acknowledged_and_changes_nothing(stage: Stage) -> None:
    """(machine, boot, seq) happens once: no second vend, no second answer."""
    await sell_to_paying_customer(stage)
    session = stage.store.state("VM-1").session
    messages = await stage.gateway.give(stage.gateway.frame(request(), seq=1))

    assert [1] == acks(messages)
    assert session == stage.store.state("VM-1").session
    assert 1 == len(
        [command for command in stage.gateway.commands() if isinstance(command, ApproveVend)]
    )


async def test_a_command_that_changes_nothing_says_why(stage: Stage) -> None:
    """The answer carries the decision's notes."""
    await stage.gateway.give(
        stage.gateway.command(RefundRetryAsked(refund_id=RefundId("nothing"), actor="ann"))
    )

    assert {"c-1": ""} == answers(stage.gateway.heard)


async def test_stopping_saves_what_is_here_and_breaks_the_link(stage: Stage) -> None:
    """A clean stop loses nothing that was given, and takes nothing more."""
    stage.store.delay_s = 1
    giving = asyncio.create_task(stage.gateway.give(stage.gateway.hello()))
    await asyncio.sleep(0.1)
    await stage.host.stop()

    assert stage.store.state("VM-1").link.online
    assert [0] == acks(await giving)
    with pytest.raises(LinkBroken):
        await stage.gateway.give()


async def test_a_host_waits_for_a_store_that_is_away_at_its_start() -> None:
    """Nothing is served until the partitions are claimed."""
    stage = Stage()
    stage.store.register("VM-1")
    stage.store.away = True
    starting = asyncio.create_task(stage.host.start())
    await asyncio.sleep(30)
    with pytest.raises(LinkBroken):
        await stage.gateway.attach()
    stage.store.away = False
    await starting
    await stage.gateway.attach()
    await stage.host.stop()


async def test_a_denied_request_names_its_reason(stage: Stage) -> None:
    """Business refusals are the core's and pass through unchanged."""
    await stage.gateway.give(stage.gateway.hello())
    await stage.gateway.give(stage.gateway.frame(request(column="Z9")))

    assert any(isinstance(command, DenyVend) for command in stage.gateway.commands())


async def test_ids_survive(stage: Stage) -> None:
    """Sessions and vends are named by the machine and its saved counters."""
    await sell_to_paying_customer(stage)
    approved = next(
        command for command in stage.gateway.commands() if isinstance(command, ApproveVend)
    )
    begun = next(
        command for command in stage.gateway.commands() if isinstance(command, BeginSession)
    )

    assert (VendId("VM-1-v1"), SessionId("VM-1-s1")) == (approved.vend_id, begun.session_id)


async def test_a_payment_is_judged_by_alipays_clock() -> None:
    """Ours is six minutes fast, and Alipay's answers have told it: nobody's money goes back."""
    stage = Stage()
    stage.ahead_ms = stage.clock.jump_ms = 6 * 60_000
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    paid = stage.pays("t-1")
    assert isinstance(paid.event, TopUpPaid)
    assert paid.event.paid_at_ms is not None
    told = values.replace(paid.event, paid_at_ms=paid.event.paid_at_ms - stage.ahead_ms)
    await stage.gateway.give(Notified(item=replace(paid, event=told)))

    assert stage.store.state("VM-1").session is not None
    assert () == stage.store.state("VM-1").refunds
    await stage.host.stop()


async def test_alipay_is_asked_for_the_time_before_anything_is_owned() -> None:
    """So the first payment is judged by a clock that was compared, and once for each start."""
    stage = Stage()
    await stage.start("VM-1")

    assert [0] == stage.asked_time
    assert stage.store.epochs
    await stage.host.stop()
