"""Allowances: what a machine may have us write, and what it may always say."""

import asyncio

import grpc
import pytest

from actors.link import FromMachine
from actors.machine.events import (
    CashSold,
    Connected,
    FrameReceived,
    VendRequested,
    VendSucceeded,
)
from actors.machine.ids import MachineId, RequestId, VendId
from gateway.machines.allowances import PAUSE_MAX_S, ROW_BYTES, Allowance, Allowances
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from tests.support.edge import Edge, running_edge
from tests.support.patience import HANGS_AFTER_S, until

DAY_S = 86_400
MIB = 1_048_576
LIMITS = EdgeLimits(
    hellos_per_minute=3, faults_per_minute=3, repeats_per_minute=3, journal_bytes_per_day=MIB
)
SOLD = VendSucceeded(vend_id=VendId("v1"))
CASH = CashSold(column="A1", price_minor=100)


@pytest.fixture
def allowances() -> Allowances:
    """Give those of a gateway that has just started."""
    return Allowances(limits=LIMITS)


def used_up(allowance: Allowance, now: float) -> int:
    """Let the machine say what costs until it is kept waiting; return how often it could."""
    for said in range(100_000):
        if allowance.charge(now, CASH, 0):
            return said
    raise AssertionError("nothing bounds it")


def test_an_allowance_belongs_to_the_machine(allowances: Allowances) -> None:
    """Whatever stream it comes by, a machine finds what it left."""
    one = allowances.of(MachineId("VM-1"), 0.0)
    assert [True] * 6 + [False] == [one.hears_hello(0.0, 0) for _ in range(7)]
    assert one is allowances.of(MachineId("VM-1"), 0.0)
    assert allowances.of(MachineId("VM-2"), 0.0).hears_hello(0.0, 0)
    assert one.hears_hello(20.0, 0)
    assert 1 == allowances.counts["hellos_refused"]


def test_only_so_many_machines_are_remembered() -> None:
    """Who makes up names fills no memory; the machine that was seen last stays."""
    allowances = Allowances(limits=EdgeLimits(machines_remembered_max=2))
    kept = allowances.of(MachineId("VM-1"), 0.0)
    for number in range(100):
        allowances.of(MachineId(f"x{number}"), 0.0)
        assert kept is allowances.of(MachineId("VM-1"), 0.0)
    assert 2 == len(allowances)


def test_a_days_journal_bounds_a_machine() -> None:
    """With it used up the machine is read as slowly as the day gives it back: twice a day's share
    in its first day, and one in each further one.
    """
    share = EdgeLimits().journal_bytes_per_day
    allowances = Allowances(limits=EdgeLimits())
    allowance = allowances.of(MachineId("VM-1"), 0.0)
    now, said = 0.0, used_up(allowance, 0.0)
    assert share // ROW_BYTES == said
    while now < DAY_S:
        now += allowance.charge(now, CASH, 0)
        said += 1
    assert said <= 2 * share / ROW_BYTES + 2
    assert said - share // ROW_BYTES == allowances.counts["pauses"] - 1


def test_results_pass_when_all_else_waits(allowances: Allowances) -> None:
    """A machine that has used up its day says at once how its vends ended; as many of them as no
    machine has in a day cost what everything costs.
    """
    allowance = allowances.of(MachineId("VM-1"), 0.0)
    used_up(allowance, 0.0)
    results = MIB // 4 // ROW_BYTES
    assert [0.0] * results == [allowance.charge(0.0, SOLD, 0) for _ in range(results)]
    assert 0 < allowance.charge(0.0, SOLD, 0) <= PAUSE_MAX_S


def test_a_hello_is_heard_once_a_minute_whatever_was_used_up(allowances: Allowances) -> None:
    """It may bring the evidence of a vend."""
    allowance = allowances.of(MachineId("VM-1"), 0.0)
    used_up(allowance, 0.0)
    assert [True, False] == [allowance.hears_hello(0.0, 32) for _ in range(2)]
    assert [True, False] == [allowance.hears_hello(60.0, 32) for _ in range(2)]


def test_a_request_costs_what_it_writes(allowances: Allowances) -> None:
    """A request for goods writes more than a line."""
    request = VendRequested(
        request_id=RequestId("r1"), column="A1", price_minor=1, planogram_version=1
    )
    allowance = allowances.of(MachineId("VM-1"), 0.0)
    said = 0
    while not allowance.charge(0.0, request, 50):
        said += 1
    assert MIB // (4 * ROW_BYTES + 100) == said


def test_no_pause_is_longer_than_a_stream_may_be_silent(allowances: Allowances) -> None:
    """However much is owed, the machine is read again before it must think that we are gone."""
    allowance = allowances.of(MachineId("VM-1"), 0.0)
    assert PAUSE_MAX_S == max(allowance.charge(0.0, CASH, 60_000) for _ in range(10_000))
    assert PAUSE_MAX_S * 1_000 < EdgeLimits().silent_after_ms


# --- over real streams ---


def from_machines(edge: Edge) -> list[FromMachine]:
    """What the host heard from machines."""
    return [message for message in edge.link.received() if isinstance(message, FromMachine)]


async def test_hellos_are_counted_for_the_machine() -> None:
    """A machine that connects again and again is told to come back later, on whatever stream; its
    host hears nothing more, and others are welcome.
    """
    async with running_edge(limits=EdgeLimits(hellos_per_minute=2)) as edge:
        for _ in range(4):
            await edge.welcomed()
        refused = edge.machine()
        await refused.say(hello=wire.Hello(machine_id="m1", boot_id="b1"))
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is (await refused.end())[0]
        assert "m1 connects too often" in await refused.call.details()
        assert 4 == sum(isinstance(said.event, Connected) for said in from_machines(edge))
        assert {"hellos_refused": 1} == edge.service.stats().held_back
        await edge.welcomed("m2")
        edge.spans.at_s += 30
        await edge.welcomed("m1")


async def test_a_machine_that_writes_too_much_is_read_slowly() -> None:
    """Its frames reach the host one after the other, at a pace; it is not hung up on, and other
    machines are read as ever.
    """
    async with running_edge(limits=EdgeLimits(journal_bytes_per_day=10_000)) as edge:
        machine, other = await edge.welcomed("m1"), await edge.welcomed("m2")
        for seq in range(1, 20):
            await machine.say(seq, reader_enable=wire.ReaderEnable())
        await until(lambda: 1 == edge.service.stats().held_back.get("pauses"))
        heard = len(edge.link.frames())
        await other.say(1, reader_enable=wire.ReaderEnable())
        assert 1 == (await other.hear()).ack
        frames = [said for said in from_machines(edge) if isinstance(said.event, FrameReceived)]
        assert ["m2"] == [said.machine_id for said in frames if said.machine_id != "m1"]
        assert heard < 19
        assert not machine.call.done()


async def test_faults_by_the_dozen_become_a_line() -> None:
    """The host hears of the first ones, and of the others as one; the machine's numbers are
    acknowledged all the same, at the latest after a while.
    """
    async with running_edge(limits=EdgeLimits(faults_per_minute=1)) as edge:
        machine = await edge.welcomed()
        for seq in range(1, 8):
            await machine.say(seq, fault=wire.Fault(code="EJB"))
        await until(lambda: 5 == edge.service.stats().held_back.get("faults_counted"))
        edge.spans.at_s += edge.service.limits.faults_held_s + 1
        edge.service.look_after()
        async with asyncio.timeout(HANGS_AFTER_S):
            while (await machine.hear()).ack < 7:
                pass
        assert [1, 2, 7] == edge.link.frames()
