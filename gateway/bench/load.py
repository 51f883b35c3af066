"""Many machines at one gateway: who comes all at once, who buys as fast as they can, who buys now
and then.

Flows in: an address and machines' names. Flows out: :class:`Span` and :class:`Storm`, what happened
in a stretch of time. All of them live in this process and on one loop; nothing else should run on
it meanwhile.
"""

import asyncio
import contextlib
import random
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from actors import collector
from gateway.bench import http2
from gateway.bench.figures import Latency
from gateway.bench.machine import PATH, Ears, LoadMachine, Tally, now_s
from gateway.demo import processes
from gateway.rpc.limits import EdgeLimits

_CONNECTS_AT_ONCE = 64
_CONNECT_TIMEOUT_S = 10.0
_BEAT_EVERY_S = EdgeLimits().heartbeat_interval_ms / 1000
"""A machine says something this often: it is what a gateway tells it if nobody says otherwise."""
_BEAT_LOOK_S = 0.01
_AGAIN_S = 0.25
"""After a refusal the next customer comes."""
_SETTLE_S = 30.0
_QUEUE_A_MACHINE_MAX = 50
"""More customers than this wait for longer than anybody would."""


class LoadFailed(Exception):
    """The load was not what it should have been, so its figures mean nothing. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What happened in a stretch of time. ``cpu_us``: of each process, for each vend."""

    seconds: float
    vends: int
    approvals: Latency
    results: Latency
    denied: int
    cpu_us: Mapping[str, float]

    @property
    def vends_a_second(self) -> float:
        """How many were acknowledged in a second."""
        return self.vends / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """Machines that came all at once. ``refused``: streams that the server ended, or that nobody
    welcomed in time.
    """

    machines: int
    seconds: float
    refused: int


class Load:
    """Machines at ``address`` (host:port). Use as ``async with Load.of(...)``."""

    def __init__(self, address: str, machine_ids: Iterable[str]) -> None:
        host, _, port = address.rpartition(":")
        self._at = (host, int(port))
        self._ears = Ears()
        opening, boot = http2.opening(PATH, address), f"b{secrets.token_hex(4)}"
        self.machines = [
            LoadMachine(machine_id, boot=boot, opening=opening, ears=self._ears)
            for machine_id in machine_ids
        ]
        self._beating: asyncio.Task[None] | None = None
        self._seldom = contextlib.ExitStack()

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, address: str, machine_ids: Iterable[str]) -> AsyncIterator["Load"]:
        """Make the machines; hang all of them up at the end."""
        load = cls(address, machine_ids)
        try:
            yield load
        finally:
            await load.close()

    @property
    def tally(self) -> Tally:
        """What was heard since ``count_anew``."""
        return self._ears.tally

    @property
    def ears(self) -> Ears:
        """Who is told of frames."""
        return self._ears

    def count_anew(self) -> Tally:
        """Begin a new tally and return it."""
        self._ears.tally = Tally()
        return self._ears.tally

    # --- coming and going ---

    async def connect(self, machines: Sequence[LoadMachine], *, within_s: float = 60.0) -> Storm:
        """Let the machines come at once, and wait until each was welcomed or refused."""
        loop = asyncio.get_running_loop()
        tally, began = self.count_anew(), now_s()
        for first in range(0, len(machines), _CONNECTS_AT_ONCE):
            some = machines[first : first + _CONNECTS_AT_ONCE]
            sockets = [self._connected() for _ in some]
            for machine, connected in zip(some, sockets, strict=True):
                await loop.create_connection(lambda made=machine: made, sock=connected)  # type: ignore[misc]  # a lambda with a default
        # From when all have asked: a busy computer takes long to connect thousands.
        waiting, until = machines, now_s() + within_s
        while waiting and now_s() < until:
            await asyncio.sleep(0.01)
            waiting = [one for one in waiting if not one.welcome_at]
            if len(waiting) <= tally.ended.total():
                break
        last = max((one.welcome_at for one in machines), default=began)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
        # The collector's passes over tens of thousands of objects would count as the server's.
        self._seldom.close()
        self._seldom.enter_context(collector.seldom())
        return Storm(machines=len(machines), seconds=last - began, refused=len(waiting))

    def _connected(self) -> socket.socket:
        """Connect in this thread: a connection to this computer is there at once. Raises
        LoadFailed.
        """
        try:
            made = socket.create_connection(self._at, timeout=_CONNECT_TIMEOUT_S)
        except OSError as error:
            raise LoadFailed(f"a machine cannot connect: {error}") from error
        made.setblocking(False)
        return made

    async def close(self) -> None:
        """Hang up."""
        if self._beating is not None:
            self._beating.cancel()
        for machine in self.machines:
            machine.close()
        await asyncio.sleep(0)
        self._seldom.close()

    async def _beat(self) -> None:
        """Each at its turn, evenly: real machines came at all times, and beat at all times. Who
        came together would beat together, and be a crowd for ever.
        """
        place, turns, looked_at = 0, 0.0, now_s()
        while True:
            await asyncio.sleep(_BEAT_LOOK_S)
            now, before = now_s(), looked_at
            turns, looked_at = turns + (now - before) * len(self.machines) / _BEAT_EVERY_S, now
            while turns >= 1:
                machine, turns = self.machines[place], turns - 1
                place = (place + 1) % len(self.machines)
                if machine.welcome_at and machine.said_at < now - _BEAT_EVERY_S / 2:
                    machine.beat()

    # --- buying ---

    async def saturate(
        self,
        machines: Sequence[LoadMachine],
        *,
        warm_s: float,
        seconds: float,
        pids: Mapping[str, Sequence[int]],
    ) -> Span:
        """Let each machine sell again as soon as it has sold."""
        loop = asyncio.get_running_loop()
        on = True

        def later(machine: LoadMachine) -> None:
            if on and machine.idle:
                machine.ask(now_s())

        def again(machine: LoadMachine, at: float, sold: bool) -> None:
            if on and sold:
                machine.ask(at)
            elif on:
                loop.call_later(_AGAIN_S, later, machine)

        self._ears.free = again
        try:
            for machine in machines:
                machine.ask(now_s())
            await asyncio.sleep(warm_s)
            return await self._span(seconds, pids)
        finally:
            on = False
            await self.settled(machines)

    async def steady(
        self,
        machines: Sequence[LoadMachine],
        *,
        rate: float,
        warm_s: float,
        seconds: float,
        pids: Mapping[str, Sequence[int]],
        seed: int = 1,
    ) -> Span:
        """Let ``rate`` customers a second come, each at a machine that is free, whatever becomes of
        those before. Answers are timed from when the customer came, not from when there was time
        to say so.
        """
        queue: deque[float] = deque()
        self._ears.free = lambda machine, _at, _sold: _next(queue, machine)
        customers = asyncio.create_task(self._customers(machines, queue, rate, seed))
        try:
            await asyncio.sleep(warm_s)
            return await self._span(seconds, pids)
        finally:
            customers.cancel()
            queue.clear()
            (ended,) = await asyncio.gather(customers, return_exceptions=True)
            if isinstance(ended, Exception):
                raise ended
            await self.settled(machines)

    async def _customers(
        self, machines: Sequence[LoadMachine], queue: deque[float], rate: float, seed: int
    ) -> None:
        """Bring customers. Who finds no machine free waits in ``queue`` for the next one."""
        dice, due, place = random.Random(seed), now_s(), 0  # noqa: S311 - a load, no secret
        while True:
            due += dice.expovariate(rate)
            await asyncio.sleep(due - now_s())  # 0 and less: at once
            for _ in machines:
                place = (place + 1) % len(machines)
                if machines[place].idle:
                    machines[place].ask(due)
                    break
            else:
                queue.append(due)
            if len(queue) > _QUEUE_A_MACHINE_MAX * len(machines):
                raise LoadFailed(
                    f"{rate:.0f} customers a second are too many for {len(machines)} machines"
                )

    async def _span(self, seconds: float, pids: Mapping[str, Sequence[int]]) -> Span:
        before = {name: processes.cpu_s(those) for name, those in pids.items()}
        own, began, tally = time.process_time(), now_s(), self.count_anew()
        await asyncio.sleep(seconds)
        spent, own = now_s() - began, time.process_time() - own
        vends = tally.vends
        self.count_anew()
        if not vends:
            raise LoadFailed(
                f"nothing was sold in {seconds:g} s; denied: {dict(tally.denied)}, errors: "
                f"{dict(tally.errors)}, ended: {dict(tally.ended)}"
            )
        if tally.errors or tally.ended:
            raise LoadFailed(f"errors: {dict(tally.errors)}, ended: {dict(tally.ended)}")
        used = {name: processes.cpu_s(those) - before[name] for name, those in pids.items()}
        used["client"] = own
        return Span(
            seconds=spent,
            vends=vends,
            approvals=Latency.of(tally.approvals),
            results=Latency.of(tally.results),
            denied=tally.denied.total(),
            cpu_us={name: 1e6 * cpu / vends for name, cpu in used.items()},
        )

    async def settled(self, machines: Sequence[LoadMachine]) -> None:
        """Wait until no vend is open. Raises LoadFailed."""
        self._ears.free = lambda _machine, _at, _sold: None
        until = now_s() + _SETTLE_S
        while any(not machine.idle for machine in machines):
            if now_s() > until:
                raise LoadFailed(f"vends were still open {_SETTLE_S:g} s after the load")
            await asyncio.sleep(0.02)


def _next(queue: deque[float], machine: LoadMachine) -> None:
    if queue:
        machine.ask(queue.popleft())
