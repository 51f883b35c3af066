"""Asking for many machines at once whether they are registered."""

import asyncio
from collections.abc import Collection, Sequence

import grpc

from actors.link import FromMachine
from actors.machine.ids import MachineId
from actors.ports import StoreError
from gateway.machines.registered import AT_ONCE_MAX, Registered
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from tests.support.edge import running_edge


class Registry:
    """Knows the machines whose names begin with VM, and answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answers = asyncio.Event()
        self.away = False

    async def look(self, machine_ids: Sequence[MachineId]) -> Collection[MachineId]:
        """Answer, and note how many were asked for."""
        self.asked.append(len(machine_ids))
        await self.answers.wait()
        if self.away:
            raise StoreError("away")
        return {machine_id for machine_id in machine_ids if machine_id.startswith("VM")}


async def test_ten_thousand_strangers_are_some_twenty_questions() -> None:
    """All that come while a question is under way go into the next one."""
    registry = Registry()
    registered = Registered(registry.look)
    names = [MachineId(f"{'VM' if number % 2 else 'x'}{number}") for number in range(10_000)]
    asking = [asyncio.create_task(registered.has(name)) for name in names]
    registry.answers.set()
    assert [bool(number % 2) for number in range(10_000)] == await asyncio.gather(*asking)
    assert [AT_ONCE_MAX] * 20 == registry.asked


async def test_one_name_is_asked_for_once() -> None:
    """Who says the same Hello a thousand times is one question; one that gives up
    spoils nothing.
    """
    registry = Registry()
    registered = Registered(registry.look)
    asking = [asyncio.create_task(registered.has(MachineId("VM-1"))) for _ in range(1_000)]
    await asyncio.sleep(0)
    asking.pop().cancel()
    registry.answers.set()
    assert [True] * 999 == await asyncio.gather(*asking)
    assert [1] == registry.asked


async def test_without_an_answer_the_host_decides() -> None:
    """While SQL is away nobody is turned away here, and it is asked anew."""
    registry = Registry()
    registered = Registered(registry.look)
    registry.answers.set()
    registry.away = True
    assert await registered.has(MachineId("x"))
    registry.away = False
    assert not await registered.has(MachineId("x"))


async def test_a_storm_of_strangers_reaches_no_host() -> None:
    """More unknown machines than usual are asked for in bulk, and are refused without their host;
    machines that are registered, and those that were here before, are welcome as ever.
    """
    asked: list[str] = []

    async def look(machine_ids: Sequence[MachineId]) -> Collection[MachineId]:
        asked.extend(machine_ids)
        return {one for one in machine_ids if one.startswith("m")}

    async with running_edge(limits=EdgeLimits(strangers_per_s=2), registered=look) as edge:
        for name in ("m1", "m2", "m3"):
            await edge.welcomed(name)
        strangers = [edge.machine() for _ in range(20)]
        for number, stranger in enumerate(strangers):
            await stranger.say(hello=wire.Hello(machine_id=f"x{number}", boot_id="b1"))
        for stranger in strangers:
            assert grpc.StatusCode.NOT_FOUND is (await stranger.end())[0]
            assert "is not registered: register it with" in await stranger.call.details()
        await edge.welcomed("m1")
        assert ["m3", *sorted(f"x{number}" for number in range(20))] == sorted(asked)
        heard = {one.machine_id for one in edge.link.received() if isinstance(one, FromMachine)}
        assert {"m1", "m2", "m3"} == heard
