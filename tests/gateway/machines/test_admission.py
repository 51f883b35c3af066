"""Whose Hello goes to its host next, when many machines come at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc
import pytest

from actors.machine.ids import MachineId
from actors.ports import StoreError
from gateway.machines.admission import Admission, Look
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from tests.support.edge import Edge, running_edge
from tests.support.patience import until


class Crowd:
    """Machines before one host, and whose turn it was, in order."""

    def __init__(self, *, at_once: int = 1, busy: Look | None = None) -> None:
        self.admission = Admission(at_once=at_once, wait_s=8.0, remembered_max=2, busy=busy)
        self.turns: list[str] = []
        self.sent_away: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, urgent: bool = False, host: int = 0) -> None:
        """Let machines say Hello, one after the other."""
        for name in names:
            self.tasks[name] = asyncio.create_task(self._one(name, urgent, host))
            await asyncio.sleep(0.001)

    async def _one(self, name: str, urgent: bool, host: int) -> None:
        had = await self.admission.turn(host, MachineId(name), urgent=urgent)
        (self.turns if had else self.sent_away).append(name)

    async def welcome(self, count: int = 1) -> None:
        """Let so many be welcomed, one after the other."""
        for _ in range(count):
            self.admission.over(0)
            await asyncio.sleep(0.001)
            await asyncio.sleep(0.001)


@pytest.mark.virtual_time
async def test_as_many_as_a_host_may_have_go_at_once() -> None:
    """Another host's go by themselves; whoever is welcome makes room for the next."""
    crowd = Crowd(at_once=2)
    await crowd.come("a", "b", "c", "d")
    await crowd.come("x", host=1)
    assert (["a", "b", "x"], 2) == (crowd.turns, crowd.admission.waiting)
    await crowd.welcome()
    assert (["a", "b", "x", "c"], 1) == (crowd.turns, crowd.admission.waiting)
    await crowd.welcome(4)
    await crowd.come("e")
    assert ["a", "b", "x", "c", "d", "e"] == crowd.turns


@pytest.mark.virtual_time
async def test_machines_in_the_middle_of_something_go_first_and_nobody_waits_for_ever() -> None:
    """Of four turns one is for who has waited longest of the others."""
    crowd = Crowd()
    await crowd.come("a", "b", "c")
    await crowd.come(*"12345", urgent=True)
    await crowd.welcome(7)
    assert ["a", "1", "2", "3", "b", "4", "5", "c"] == crowd.turns


@pytest.mark.virtual_time
async def test_who_waits_too_long_is_sent_away_and_goes_before_others_then() -> None:
    """Of a bounded number of machines this is remembered."""
    crowd = Crowd()
    await crowd.come("a", "b", "c", "d")
    await asyncio.sleep(8.1)
    assert (["b", "c", "d"], 0) == (crowd.sent_away, crowd.admission.waiting)
    await crowd.come("b", "new", "c", "d")
    await crowd.come("vend", urgent=True)
    await crowd.welcome(5)
    assert ["a", "vend", "c", "d", "b", "new"] == crowd.turns


@pytest.mark.virtual_time
async def test_who_is_busy_is_asked_of_sql_in_one_question() -> None:
    """A machine does not say in its Hello that a customer's money is in it."""
    asked: list[list[MachineId]] = []

    async def busy(machine_ids: Sequence[MachineId]) -> set[MachineId]:
        asked.append(list(machine_ids))
        return {MachineId("c")}

    crowd = Crowd(busy=busy)
    await crowd.come("a")
    for name in "bcd":
        crowd.tasks[name] = asyncio.create_task(crowd._one(name, urgent=False, host=0))
    await asyncio.sleep(0.01)
    await crowd.welcome(3)
    assert ["a", "c", "b", "d"] == crowd.turns
    assert [["b", "c", "d"]] == asked


@pytest.mark.virtual_time
async def test_without_sql_they_go_as_they_came() -> None:
    """Nobody waits for its answer."""

    async def busy(_machine_ids: Sequence[MachineId]) -> set[MachineId]:
        raise StoreError("away")

    crowd = Crowd(busy=busy)
    await crowd.come("a", "b", "c")
    await crowd.welcome(2)
    assert ["a", "b", "c"] == crowd.turns


@pytest.mark.virtual_time
async def test_who_goes_while_it_waits_leaves_nothing_behind() -> None:
    """Neither its place in the line, nor a turn that came in the same moment."""
    crowd = Crowd()
    await crowd.come("a", "b", "c")
    crowd.tasks["b"].cancel()
    await asyncio.sleep(0)
    assert 1 == crowd.admission.waiting
    crowd.admission.over(0)
    crowd.tasks["c"].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await crowd.come("d")
    assert ["a", "d"] == crowd.turns


# --- over real gRPC ---


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A machine side whose host has one Hello before it."""
    async with running_edge(limits=EdgeLimits(hellos_at_once=1, hello_wait_s=0.05)) as running:
        yield running


def hello(machine_id: str) -> wire.Hello:
    """Who it is."""
    return wire.Hello(machine_id=machine_id, boot_id="b1")


async def test_a_hello_waits_until_the_one_before_is_welcome() -> None:
    """Its host does not hear of it before; nor is it told that it was late to say Hello."""
    limits = EdgeLimits(hellos_at_once=1, hello_wait_s=600.0)
    async with running_edge(limits=limits) as edge:
        edge.link.open.clear()
        first, second = edge.machine(), edge.machine()
        await first.say(hello=hello("m1"))
        await until(lambda: edge.service.stats().machines == 1)
        await second.say(hello=hello("m2"))
        await until(lambda: edge.service.stats().hellos_waiting == 1)
        edge.spans.at_s += 14
        edge.service.look_after()
        assert 2 == edge.service.stats().streams
        first.call.cancel()
        await until(lambda: edge.service.stats().hellos_waiting == 0)
        edge.link.open.set()
        assert (await second.hear()).HasField("welcome")


async def test_a_hello_that_waits_too_long_is_told_when_to_come(edge: Edge) -> None:
    """It is no failure of the machine's; the next time it goes before others."""
    edge.link.open.clear()
    first, second = edge.machine(), edge.machine()
    await first.say(hello=hello("m1"))
    await until(lambda: edge.service.stats().machines == 1)
    await second.say(hello=hello("m2"))
    code, message = await second.end()
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is code
    assert "go before the others" in message
    edge.link.open.set()
    assert (await first.hear()).HasField("welcome")
    assert (await edge.machine().hello("m2")).HasField("welcome")
