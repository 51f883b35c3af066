"""When a machine is asked to move, and when its time is over; and a whole drain, over real gRPC."""

from collections.abc import AsyncIterator

import grpc
import pytest

from actors.machine import effects
from actors.machine.ids import RequestId, VendId
from actors.machine.state import DenyReason
from gateway.machines.moving import Moving
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from tests.support.edge import Edge, MachineCall, Spans, running_edge
from tests.support.patience import until

WISH = {
    "vend_request": wire.VendRequest(
        request_id="r1", column="A1", price_minor=500, planogram_version=1
    )
}
DENY = effects.DenyVend(request_id=RequestId("r1"), reason=DenyReason.SOLD_OUT, funds_minor=0)
APPROVE = effects.ApproveVend(
    vend_id=VendId("v1"),
    request_id=RequestId("r1"),
    column="A1",
    amount_minor=500,
    valid_for_ms=30_000,
)


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A machine side with default limits, before which nobody stands who must notice a drain."""
    async with running_edge(limits=EdgeLimits(move_notice_ms=0)) as running:
        yield running


def test_an_idle_machine_is_asked_once() -> None:
    """The window begins when it may go, and ends with the drain at the latest."""
    spans = Spans(at_s=100.0)
    moving = Moving(window_s=10.0, monotonic=spans)
    asked = moving.ask(103.0, 220.0)
    assert asked is not None
    assert (3_000, 13_000) == (asked.move_request.not_before_ms, asked.move_request.not_after_ms)
    assert moving.ask(104.0, 220.0) is None
    short = Moving(window_s=10.0, monotonic=spans).ask(103.0, 105.0)
    assert short is not None
    assert 5_000 == short.move_request.not_after_ms


def test_a_vend_comes_first() -> None:
    """The request waits for the end of the vend; then the machine has a whole window, however late
    it is.
    """
    spans = Spans(at_s=100.0)
    moving = Moving(window_s=10.0, monotonic=spans)
    moving.vend_opened()
    assert moving.ask(103.0, 220.0) is None
    spans.at_s = 150.0
    asked = moving.vend_closed()
    assert asked is not None
    assert (0, 10_000) == (asked.move_request.not_before_ms, asked.move_request.not_after_ms)
    assert moving.vend_closed() is None


def test_its_time_is_over_when_it_may_go_and_does_not_sell() -> None:
    """Before it was asked it never is; a vend in between is waited for."""
    spans = Spans(at_s=100.0)
    moving = Moving(window_s=10.0, monotonic=spans)
    assert not moving.is_over()
    moving.ask(100.0, 220.0)
    spans.at_s = 109.9
    assert not moving.is_over()
    spans.at_s = 110.0
    assert moving.is_over()
    moving.vend_opened()
    assert not moving.is_over()
    moving.vend_closed()
    assert moving.is_over()


# --- the hour ---


async def beat(machine: MachineCall) -> None:
    """The machine is alive, and the gateway has noticed."""
    await machine.say(heartbeat=wire.Heartbeat())
    await machine.hear()


async def test_a_stream_that_is_old_is_asked_to_move(edge: Edge) -> None:
    """Once, and not before its age; one that stays has its window, and comes back elsewhere."""
    machine = await edge.welcomed()
    age_s = edge.service.limits.stream_age_max_ms / 1000
    edge.spans.at_s += 0.89 * age_s
    await beat(machine)
    edge.service.look_after()
    edge.spans.at_s += 0.22 * age_s
    await beat(machine)
    edge.service.look_after()
    move = (await machine.hear()).move_request
    assert (0, edge.service.limits.move_window_ms) == (move.not_before_ms, move.not_after_ms)
    edge.service.look_after()
    assert 1 == edge.service.stats().streams
    edge.spans.at_s += move.not_after_ms / 1000 + 0.01
    edge.service.look_after()
    code, message = await machine.end()
    assert grpc.StatusCode.UNAVAILABLE is code
    assert "as old as one may get" in message


async def test_a_stream_that_is_old_sells_to_the_end(edge: Edge) -> None:
    """Nothing is cut in the middle of a vend: it is asked when the vend is over."""
    machine = await edge.welcomed("m1")
    edge.link.tell("m1", APPROVE)
    assert (await machine.hear()).HasField("vend_approved")
    edge.spans.at_s += 2 * edge.service.limits.stream_age_max_ms / 1000
    await beat(machine)
    edge.service.look_after()
    assert 1 == edge.service.stats().streams
    await machine.say(1, vend_success=wire.VendSuccess(vend_id="v1"))
    assert (await machine.hear()).HasField("move_request")


# --- the drain ---


async def test_drain(edge: Edge) -> None:
    """A draining gateway asks idle machines to move, refuses new streams, and is done when all have
    left.
    """
    machine = await edge.welcomed()
    drain = edge.background(edge.service.drain())
    move = (await machine.hear()).move_request
    assert (3, 10_003) == (move.not_before_ms, move.not_after_ms)
    refused = edge.machine()
    code, message = await refused.end()
    assert grpc.StatusCode.UNAVAILABLE is code
    assert "this gateway is going away" in message
    assert not drain.done()
    await machine.call.done_writing()
    assert grpc.StatusCode.OK is (await machine.end())[0]
    await drain


async def test_drain_waits_for_vends(edge: Edge) -> None:
    """A machine in the middle of a vend is asked to move when the vend is over, not before."""
    asked, approved, free = (
        await edge.welcomed("m1"),
        await edge.welcomed("m2"),
        await edge.welcomed("m3"),
    )
    edge.link.tell("m2", APPROVE)
    assert (await approved.hear()).HasField("vend_approved")
    await asked.say(1, **WISH)
    assert 1 == (await asked.hear()).ack
    edge.background(edge.service.drain())
    assert (await free.hear()).HasField("move_request")
    edge.link.tell("m1", DENY)
    assert (await asked.hear()).HasField("vend_denied")
    assert (await asked.hear()).HasField("move_request")
    await approved.say(1, vend_success=wire.VendSuccess(vend_id="v1"))
    assert (await approved.hear()).HasField("move_request")


async def test_a_drain_ends_when_all_who_may_go_had_their_time(edge: Edge) -> None:
    """A machine without another gateway cannot obey: it tries, is refused, and stays. It is closed
    after its own time, long before the drain's; one that sells is left alone until it has sold.
    """
    idle, selling = await edge.welcomed("m1"), await edge.welcomed("m2")
    edge.link.tell("m2", APPROVE)
    assert (await selling.hear()).HasField("vend_approved")
    drain = edge.background(edge.service.drain())
    move = (await idle.hear()).move_request
    second = edge.machine()
    assert grpc.StatusCode.UNAVAILABLE is (await second.end())[0]
    edge.spans.at_s += move.not_after_ms / 1000 - 0.01
    edge.service.look_after()
    assert 2 == edge.service.stats().streams
    edge.spans.at_s += 0.02
    edge.service.look_after()
    assert grpc.StatusCode.UNAVAILABLE is (await idle.end())[0]
    assert not drain.done()
    await selling.say(1, vend_success=wire.VendSuccess(vend_id="v1"))
    move = (await selling.hear()).move_request
    edge.spans.at_s += move.not_after_ms / 1000 + 0.01
    await until(lambda: edge.link.frames() == [1])
    edge.service.look_after()
    assert grpc.StatusCode.UNAVAILABLE is (await selling.end())[0]
    await drain


async def test_many_machines_are_asked_to_come_back_one_after_the_other(edge: Edge) -> None:
    """The more there are, the wider they are spread; a limit says how wide at most."""
    machines = [await edge.welcomed(f"m{number}") for number in range(4)]
    edge.background(edge.service.drain())
    for machine in machines:
        assert 10 == (await machine.hear()).move_request.not_before_ms  # half of 4 / 200 a second


async def test_drain_closes_what_stays(edge: Edge) -> None:
    """What has not left when the time is up is closed with UNAVAILABLE."""
    machine = await edge.welcomed()
    await edge.service.drain(within_ms=10)
    assert (await machine.hear()).HasField("move_request")
    assert grpc.StatusCode.UNAVAILABLE is (await machine.end())[0]
    assert 0 == edge.service.stats().streams
    assert 0 == edge.service.stats().closed_selling


async def test_who_sells_when_the_time_is_up_is_counted(edge: Edge) -> None:
    """A stop has an end, also for a vend that has none; whoever drains is told of it."""
    machine = await edge.welcomed()
    edge.link.tell("m1", APPROVE)
    assert (await machine.hear()).HasField("vend_approved")
    assert 1 == edge.service.stats().selling
    await edge.service.drain(within_ms=10)
    assert grpc.StatusCode.UNAVAILABLE is (await machine.end())[0]
    assert (0, 1) == ((stats := edge.service.stats()).selling, stats.closed_selling)


async def test_balancers_have_time_to_notice_a_drain() -> None:
    """Machines are told at once, and come back when nobody is sent here any more. Until then who
    comes is welcome, and told the same; afterwards nobody is.
    """
    async with running_edge(limits=EdgeLimits(move_notice_ms=60_000)) as edge:
        machine = await edge.welcomed("m1")
        edge.background(edge.service.drain())
        move = (await machine.hear()).move_request
        assert (60_003, 70_003) == (move.not_before_ms, move.not_after_ms)
        edge.spans.at_s += 59
        late = await edge.welcomed("m2")
        assert 1_000 < (await late.hear()).move_request.not_before_ms < 2_000
        edge.spans.at_s += 1
        code, message = await edge.machine().end()
        assert grpc.StatusCode.UNAVAILABLE is code
        assert "this gateway is going away" in message


async def test_who_was_not_taken_over_from_in_the_end_is_asked_too(edge: Edge) -> None:
    """A newer stream that goes before it was welcome leaves the machine with its older one."""
    older, newer = await edge.welcomed(), edge.machine()
    edge.link.open.clear()
    await newer.say(hello=wire.Hello(machine_id="m1", boot_id="b1"))
    await until(lambda: edge.links.stats()[0].streams == 2)
    edge.background(edge.service.drain())
    newer.call.cancel()
    assert (await older.hear()).HasField("move_request")
    edge.link.open.set()  # what is left of the streams ends at once
