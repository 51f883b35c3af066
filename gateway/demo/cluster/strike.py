"""Blows, as signals and routes, and how long until each part serves again.

Flows in: a blow. Flows out: what was measured. Whatever does not come back within a bound is said
to be so, and nobody waits longer.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from actors.machine.ids import MachineId
from actors.placement import host_of, partition_of
from actors.ports import StoreError
from gateway.demo.cluster import figures
from gateway.demo.cluster.blows import CUT_S, FROZEN_S, HEAD_WATCH_S, Blow, BlowKind
from gateway.demo.cluster.look import Held, holders, online
from gateway.demo.cluster.parts import State
from gateway.demo.cluster.plan import HOSTS, node_ip
from gateway.demo.cluster.system import System
from gateway.demo.cluster.table import Measured
from gateway.demo.cluster.vends import LATE_MS, Vends
from gateway.demo.processes import load, with_descendants
from gateway.simulator.fleet import COUNT_EVERY_S
from storage.fleet.lists import Wanted

WAIT_S = 120.0
"""Longer than anything may take; who is not back then is said not to come back."""
LOOK_EVERY_S = 0.1
STEADY_S = 3.0
"""Machines count themselves once a second: a share that stays so long is no old count."""
BACK_SHARE = 0.99
_PAGE = 500


class Striker:
    """Strikes, and watches the vends all the time."""

    def __init__(self, system: System) -> None:
        count = system.database.partition_count
        self._system = system
        self._vends = Vends(
            {
                machine_id: host_of(partition_of(MachineId(machine_id), count), HOSTS)
                for machine_id in system.plan.machine_ids
            }
        )

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the block lasts."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    def pause_s(self, from_ms: int, until_ms: int) -> float:
        """Return the longest time in that span in which nobody got goods, in seconds."""
        return self._vends.pause_s(from_ms, until_ms)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(StoreError):  # it was killed, too
                wanted = Wanted(from_ms=now_ms() - LATE_MS)
                self._vends.saw(await self._system.look.queries.vends(wanted, limit=_PAGE))
            await asyncio.sleep(LOOK_EVERY_S)

    async def strike(self, blow: Blow) -> Measured:
        """Do it, and return once all is as before, or will not be."""
        began = now_ms()
        seconds, note = await self._do(blow)
        pause_s = self._vends.pause_s(began, now_ms())
        if not await self.whole():
            seconds, note = None, f"not all came back within {WAIT_S:g} s"
        return Measured(kind=blow.kind, seconds=seconds, pause_s=pause_s, load=load(), note=note)

    async def _do(self, blow: Blow) -> tuple[float | None, str]:
        match blow.kind:
            case BlowKind.HOST_KILLED | BlowKind.HOST_FROZEN:
                return await self._host(blow)
            case BlowKind.GATEWAY_KILLED | BlowKind.GATEWAY_FROZEN:
                return await self._gateway(blow)
            case BlowKind.NODE_KILLED | BlowKind.NODE_CUT:
                return await self._node(blow)
            case BlowKind.DATABASE_KILLED:
                self._system.parts.kill("postgres")
                await self._part_is("postgres", State.DOWN)
                await self._part_is("postgres", State.UP)
                return await self._sells(now_ms(), range(HOSTS)), ""
            case BlowKind.HEAD_KILLED:
                began = now_ms()
                self._system.parts.kill("ray-head")
                await asyncio.sleep(HEAD_WATCH_S)
                return self._vends.pause_s(began, now_ms()), ""

    async def _host(self, blow: Blow) -> tuple[float | None, str]:
        held = await self._held()
        one = held[blow.choice % len(held)]
        since = now_ms()
        if blow.kind is BlowKind.HOST_KILLED:
            os.kill(one.pid, signal.SIGKILL)
        else:
            os.kill(one.pid, signal.SIGSTOP)
            await asyncio.sleep(FROZEN_S)
            since = now_ms()
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGCONT)
        return await self._sells(since, [index_of(one)]), ""

    async def _gateway(self, blow: Blow) -> tuple[float | None, str]:
        names = [gateway.name for gateway in self._system.plan.gateways]
        name = names[blow.choice % len(names)]
        since = time.monotonic()
        if blow.kind is BlowKind.GATEWAY_KILLED:
            before = 0  # another process begins at nothing
            self._system.parts.kill(name)
        else:
            before = figures.approved((await self._system.look.metrics()).get(name, ""))
            self._system.parts.freeze(name)
            await asyncio.sleep(FROZEN_S)
            since = time.monotonic()
            self._system.parts.thaw(name)
        back_s = await self._machines_back(since)

        async def sold() -> bool:
            said = (await self._system.look.metrics()).get(name, "")
            return figures.approved(said) > before

        itself = await _until(sold, since)
        note = "" if itself is None else f"{name} itself approved again after {itself:.1f} s"
        return (back_s if itself is not None else None), note

    async def _node(self, blow: Blow) -> tuple[float | None, str]:
        held = await self._held()
        homes = self._nodes_of(held)
        name = sorted(homes)[blow.choice % len(homes)]
        hosts = [index_of(one) for one in homes[name]]
        since = now_ms()
        note = f"{name} had {len(hosts)} of {len(held)} hosts"
        if blow.kind is BlowKind.NODE_KILLED:
            self._system.parts.kill(name)
            return await self._sells(since, hosts), note
        route(node_ip(name), cut=True)
        try:
            healing = asyncio.create_task(asyncio.sleep(CUT_S))
            seconds = await self._sells(since, hosts)
            await healing
        finally:
            route(node_ip(name), cut=False)
        return seconds, note

    def _nodes_of(self, held: Sequence[Held]) -> dict[str, list[Held]]:
        """Return the nodes that have hosts, each with them."""
        found: dict[str, list[Held]] = {}
        for name in self._system.plan.node_ports:
            child = self._system.parts.part(name).child
            there = set(with_descendants(child.process.pid)) if child is not None else set()
            if hosts := [one for one in held if one.pid in there]:
                found[name] = hosts
        return found

    async def _held(self) -> Sequence[Held]:
        return [one for one in await holders(self._system.database) if one.pid]

    # --- waiting ---

    async def _sells(self, since_ms: int, hosts: Sequence[int]) -> float | None:
        """Return the seconds until machines of each of the hosts got goods that they had asked for
        after that moment.
        """

        async def all_do() -> bool:
            return all(self._vends.first(since_ms, [host]) is not None for host in hosts)

        if await _until(all_do, time.monotonic()) is None:
            return None
        firsts = [self._vends.first(since_ms, [host]) or 0 for host in hosts]
        return (max(firsts) - since_ms) / 1_000

    async def _machines_back(self, since: float) -> float | None:
        """Return the seconds until nearly all machines had a stream, to stay; at most so many, for
        they count themselves once a second only.
        """
        wanted = BACK_SHARE * len(self._system.plan.machine_ids)
        last_below = since
        while time.monotonic() < since + WAIT_S:
            if online(self._system.plan.fleet) < wanted:
                last_below = time.monotonic()
            elif time.monotonic() > last_below + STEADY_S:
                return last_below - since + COUNT_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
        return None

    async def _part_is(self, name: str, state: State) -> None:
        part = self._system.parts.part(name)

        async def it_is() -> bool:
            return part.state is state

        await _until(it_is, time.monotonic())

    async def whole(self) -> bool:
        """Wait until every part is up, every partition held and nearly every machine there; return
        whether that came to be.
        """
        wanted = BACK_SHARE * len(self._system.plan.machine_ids)

        async def it_is() -> bool:
            if any(part.state is not State.UP for part in self._system.parts.views()):
                return False
            try:
                held = await holders(self._system.database)
            except StoreError:
                return False
            all_held = sum(one.partitions for one in held) == self._system.database.partition_count
            return all_held and online(self._system.plan.fleet) >= wanted

        return await _until(it_is, time.monotonic()) is not None


async def _until(it_is: Callable[[], Awaitable[bool]], since: float) -> float | None:
    """Return the seconds from ``since`` until it is so; None if it is not within the bound."""
    while time.monotonic() < since + WAIT_S:
        if await it_is():
            return time.monotonic() - since
        await asyncio.sleep(LOOK_EVERY_S)
    return None


def now_ms() -> int:
    """Return milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def index_of(held: Held) -> int:
    """Return which place of the layout a host has: 0 of vendgate-host-0 and of its successor
    vendgate-host-0-2.
    """
    return int(held.host.removeprefix("vendgate-host-").partition("-")[0])


def route(address: str, *, cut: bool) -> None:
    """Let nothing reach an address of this network, or let all reach it again. Raises
    CalledProcessError.
    """
    subprocess.run(  # noqa: S603 - our own words
        ["ip", "route", "add" if cut else "del", "blackhole", f"{address}/32", "table", "local"],  # noqa: S607 - found where it is
        check=True,
    )
