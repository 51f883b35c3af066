"""One whole world from one seed: Alipay, machines, customers, gateways, hosts and SQL on one
virtual clock.

Flows in: a seed. Flows out: an ``Outcome``: what was lived through, and the first truth that did
not hold, with the tail of the story. A world is busy for a while, then calm; when everything has
come to rest the books are compared, then a year goes by and all is told again, and they are
compared once more.
"""

import asyncio
import contextlib
import gc
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from actors.host.runner import Core
from actors.machine.ids import Currency, MachineId
from actors.machine.policy import PolicyOverrides
from actors.machine.state import Column, Mode
from alipay_client.config import SignType
from gateway.v1 import machine_service_pb2 as service_pb
from storage import codec
from storage.fleet.joining import NewMachine
from storage.fleet.registry import Registry
from tests.simulation import admins, chaos, givers, movers, recallers, transitions
from tests.simulation.backend import (
    NOTIFY_BASE,
    GatewayProcess,
    HostProcess,
    HostSlot,
    fleet_policy,
)
from tests.simulation.checker import Checker
from tests.simulation.clock import WallClock, WorldLoop
from tests.simulation.customers import Customer
from tests.simulation.disk import Disk
from tests.simulation.faults import Faults, drawn
from tests.simulation.final_checks import check_all, the_audit_is_clean, unrest
from tests.simulation.machines import SimMachine
from tests.simulation.network import Call, SimLine
from tests.simulation.no_logs import without_logs
from tests.simulation.orderers import Orderers
from tests.simulation.planners import Planners
from tests.simulation.processes import Process, task_factory
from tests.simulation.provider import Provider
from tests.simulation.restores import Lost
from tests.simulation.shelvers import FITS, Shelvers
from tests.support.keys_once import read_once
from tests.support.transitions import Transition

REST_WITHIN_S = 2.5 * 3_600.0
LOOK_EVERY_S = 30.0
DAY_MS = 86_400_000
LATER_AT_AWAITS = 5
"""A host goes on after an await more often than it deals with the outside; a death at an await is
drawn so much later.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A truth that did not hold."""

    truth: str
    detail: str
    at_s: float
    commits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one seed."""

    seed: int
    failure: Failure | None
    sessions: int
    visits: int
    commits: int
    virtual_s: float
    story: tuple[str, ...] = ()
    dooms: tuple[str, ...] = ()
    """In a fault-free world: which process died at which await, as ``name@await``."""
    transitions: frozenset[Transition] = frozenset()
    steer: str = ""
    """By what name it was steered (``steers``)."""


class World:
    """``note`` is told what happens; it costs nothing unless the world is traced."""

    def __init__(self, seed: int, loop: WorldLoop, folder: Path, *, traced: bool) -> None:
        self.seed = seed
        self.loop = loop
        self.folder = folder
        self.over = False
        self.failure: Failure | None = None
        self.traced = traced
        self.story: deque[str] = deque(maxlen=None if traced else 1)
        self._failed = asyncio.Event()
        rng = self.rng("world")
        # Generators keep the names that they had when seeds got their meaning.
        self.faults = drawn(self.rng("weather"))
        self.before_calm: Faults | None = None
        self._agree(self.rng("contract"))
        self.core = Core()
        self.clocks_jump = self.faults.clock_jump_every_s > 0
        self.policy = fleet_policy(self.rng("policy"))
        self.clock = WallClock(loop)
        self.edge_wall = WallClock(loop)
        """The clock of the computer on which the gateways run."""
        self.disk = Disk()
        self.provider = Provider(self, self.rng("alipay"))
        self.checker = Checker(self)
        self.disk.committed = self.checker.committed
        self.disk.spent = givers.Refusals(self)
        self.provider.asked_of = self.checker.refund_asked
        self.provider.answered_success = self._success
        self.provider.answered = self.checker.odd_is_kept
        self.pressed: dict[str, int] = {}
        self.shown: dict[str, set[int]] = {}
        """Request: the price on the screen when its button was pressed; more than one if a boot
        that came back used its number again, which is refused.
        """
        self.begun_at: dict[str, int] = {}
        """Session: the planogram with which its machine first heard of it."""
        self.wishes = admins.Wishes()
        self.shelvers = Shelvers()
        self.orderers = Orderers()
        self.planners = Planners()
        self.flash_lost: set[str] = set()
        self.gone: set[str] = set()
        """Machines that never come back."""
        self.lost = Lost()
        self.erased: set[str] = set()
        """The numbers of payers whose erasure was answered."""
        self.leaves = 0.2
        """How many are taken away at the end of their busy time."""
        self.lots: tuple[str, ...] = ()
        """Goods are loaded by these, and recalled; without, nobody tells lots apart."""
        self.gives = False
        """An operator gives offers, and the same few customers come again."""
        self.templates = False
        """Gateways carry out what people apply to many machines."""
        self.insistent = False
        """Everybody who pays first leaves a little behind, or wants what that does not cover."""
        self.quick = False
        """Everybody who pays first presses before the machine shows what they paid."""
        self.visits = 0
        self.modes: dict[str, Mode] = {}
        self.tokens: list[str] = []
        self.stores: dict[str, set[str]] = {}
        """Machine: under which ids Alipay may have a store of it, if more than its own."""
        self.domain = NOTIFY_BASE
        """Where Alipay reaches us: what programs that start now have in their settings."""
        self.machines: dict[str, SimMachine] = {}
        self.slots = (
            [HostSlot(self, index, 2) for index in range(2)]
            if rng.random() < 0.4
            else [HostSlot(self, 0, 1)]
        )
        self.moving = False
        """Partitions move between hosts (``movers``)."""
        self.gateways: list[GatewayProcess] = []
        self._gateways_made = 0
        self.gateways_wanted = rng.choice((1, 2))
        self.machines_wanted = rng.choice((1, 2, 3))
        self.between_visits_s = 0.0  # at least; two customers may come in one breath
        self.busy_s = rng.choice((400.0, 800.0, 1_600.0))
        self.visits_wanted = rng.randrange(6, 15)
        self._processes: list[Process] = []
        self.dooms: dict[str, int] = {}
        """Process: the await at which it dies."""

    def rng(self, name: str) -> Random:
        """Return a generator of its own for each concern, so that one more draw here moves nothing
        there.
        """
        return Random(f"{self.seed}/{name}")

    def _agree(self, rng: Random) -> None:
        """What differs from operator to operator: keys, currency, the hour; a third of the worlds
        see midnight at Alipay (GMT+8).
        """
        self.sign_type = SignType.RSA2 if rng.random() < 0.05 else SignType.MD5
        self.currency = "JPY" if rng.random() < 0.2 else "HKD"
        before_midnight_ms = rng.randrange(300_000) if rng.random() < 0.3 else rng.randrange(DAY_MS)
        self.loop.began_ms += (
            DAY_MS - (self.loop.began_ms + 8 * 3_600_000) % DAY_MS - before_midnight_ms
        )

    def note(self, words: str) -> None:
        """Write down what happens."""
        if self.traced:
            self.story.append(f"{self.loop.now_s:10.3f}  {words}")

    def fail(self, truth: str, detail: str) -> None:
        """A truth does not hold; the first one counts."""
        if self.failure is None:
            self.failure = Failure(
                truth=truth, detail=detail, at_s=self.loop.now_s, commits=self.disk.commits
            )
            self.note(f"!! {truth}: {detail}")
            self._failed.set()

    def unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error that nobody took is one of ours, while the world lives."""
        if not self.over:
            self.fail(
                "no unhandled error", f"{context.get('message')}: {context.get('exception')!r}"
            )

    # --- what is where ---

    def process(self, name: str) -> Process:
        """Return the process of this name, dead or alive."""
        return next(process for process in self._processes if process.name == name)

    def processes(self) -> Iterator[Process]:
        """Return all programs of ours that live."""
        return (process for process in self._processes if process.alive)

    def some_gateway(self, rng: Random) -> GatewayProcess | None:
        """Return one of those that are alive."""
        alive = [gateway for gateway in self.gateways if gateway.process.alive]
        return rng.choice(alive) if alive else None

    def dial(self, line: SimLine) -> Call | None:
        """Connect a machine's line to a gateway."""
        gateway = self.some_gateway(self._rng_of_lines)
        if gateway is None:
            return None
        call = Call(gateway, line, self._leaves)
        call.task = gateway.process.spawn(call.serve())
        return call

    def stock(self, machine_id: str) -> dict[str, int]:
        """Return what we believe to be in the columns."""
        rows = self.disk.rows(
            "SELECT format, body FROM machine_states WHERE machine_id = ?", machine_id
        )
        return (
            {column.column: column.stock for column in codec.decode_state(*rows[0]).columns}
            if rows
            else {}
        )

    def pays_first(self, machine_id: str, rng: Random) -> bool:
        """Return in which order the next customer of the machine does things."""
        mode = self.modes[machine_id]
        return rng.random() < 0.5 if mode is Mode.BOTH else mode is Mode.AUTHORIZATION_FIRST

    def _leaves(self, call: Call, frame: service_pb.ConnectResponse) -> None:
        if self.traced:
            words = " ".join(str(frame).split())
            self.note(f"{call.gateway.process.name} -> {call.machine_id}  {words}")
        self.checker.frame_leaves(call, frame)

    def _motor_turns(self, machine_id: str, column: str, cause: str) -> None:
        if not self.orderers.motor_turns(self, machine_id, column, cause):
            self.checker.motor_turns(machine_id, cause)

    def _success(self, body: str) -> None:
        fields = chaos.fields_of(body)
        refund_id = fields.get("out_biz_no", "")
        status = fields.get("trade_status")
        kind = (
            "refund"
            if refund_id
            else {"TRADE_FINISHED": "finished", "TRADE_CLOSED": "closed"}.get(
                status or "", "payment"
            )
        )
        self.checker.success_said(kind, fields["trade_no"], refund_id)

    # --- making it ---

    async def _build(self) -> None:
        rng = self.rng("machines")
        self._rng_of_lines = self.rng("lines")
        registry = Registry(
            self.disk.open_for(Process("office", lambda _: None), rng, type(self.faults)()),
            self.policy,
        )
        self.registry = registry
        for number in range(self.machines_wanted):
            machine_id = f"VM-{number + 1}"
            mode = rng.choice((Mode.BOTH, Mode.AUTHORIZATION_FIRST, Mode.SELECTION_FIRST))
            if self.quick:
                mode = Mode.AUTHORIZATION_FIRST
            columns = tuple(
                Column(
                    column=f"A{place}",
                    product="cola",
                    price_minor=rng.choice((300, 500, 550)),
                    capacity=FITS,
                    stock=rng.randrange(1, FITS + 1),
                )
                for place in range(1, rng.choice((2, 3)) + 1)
            )
            new = NewMachine(
                machine_id=MachineId(machine_id),
                store_name="Lobby",
                currency=Currency(self.currency),
                country_code="HK",
                address="1 Queen's Road",
                mode=mode,
                overrides=PolicyOverrides(),
                columns=columns,
            )
            registered = await registry.register(new, actor="office", now_ms=self.clock.now_ms())
            self.tokens.append(registered.notify_token)
            self.modes[machine_id] = mode
            machine = SimMachine(self, machine_id, self.folder, self.rng(f"machine/{machine_id}"))
            for column in columns:
                # Not when it first hears of its columns: people may have moved goods by then.
                machine.shelf.load(column.column, column.stock)
            machine.watch_motor(
                lambda column, cause, machine_id=machine_id: self._motor_turns(  # type: ignore[misc]
                    machine_id, column, cause
                )
            )
            self.machines[machine_id] = machine
        if self.gives:
            await givers.give(self)
        if self.moving:
            await movers.begin(self)
        for slot in self.slots:
            slot.start_another()
        for _ in range(self.gateways_wanted):
            self.start_gateway()

    def start_gateway(self) -> None:
        """Start one more gateway."""
        self._gateways_made += 1
        gateway = GatewayProcess(self, f"gw-{self._gateways_made}", self._gateway_died)
        gateway.process.dies_at_await = self.dooms.get(gateway.process.name)
        self.gateways = [*(each for each in self.gateways if each.process.alive), gateway]
        self._processes.append(gateway.process)
        self.note(f"{gateway.process.name} starts")
        gateway.start()

    def _gateway_died(self, process: Process) -> None:
        self.note(f"{process.name} is dead")
        if not self.over:
            self.loop.call_later(
                0.5 + self._rng_of_lines.random() * 10,
                lambda: None if self.over else self.start_gateway(),
            )

    def arm(self, host: HostProcess) -> None:
        """A host was started; perhaps it is to die at one of its crossings or awaits."""
        self._processes.append(host.process)
        host.process.dies_at_await = self.dooms.get(host.process.name)
        faults = self.faults
        if not faults.host_crash_every_s:
            return
        rng = self.rng(f"crash/{host.process.name}")
        if faults.host_crash_at_crossing:
            host.process.dies_at_crossing = 1 + int(rng.expovariate(1 / faults.host_crash_every_s))
        elif faults.host_crash_at_await:
            host.process.dies_at_await = 1 + int(
                rng.expovariate(1 / (LATER_AT_AWAITS * faults.host_crash_every_s))
            )

    # --- living it ---

    async def live(self) -> None:
        """From the first day to the last comparison."""
        await self._build()
        lives = [asyncio.create_task(machine.run()) for machine in self.machines.values()]
        lives.append(asyncio.create_task(self.provider.run()))
        story = asyncio.create_task(self._story())
        failed = asyncio.create_task(self._failed.wait())
        try:
            await asyncio.wait([story, failed], return_when=asyncio.FIRST_COMPLETED)
            if story.done():
                story.result()
        finally:
            self.over = True
            for task in (story, failed):
                task.cancel()
            for machine in self.machines.values():
                machine.stop()
            for task in lives:
                task.cancel()
            _, left = await asyncio.wait([story, failed, *lives], timeout=120)
            assert not left, f"does not end: {left}"
            for process in self._processes:
                await process.buried()
            self.provider.book.close()

    async def _story(self) -> None:
        self.provider.switch_on()
        blows = [asyncio.create_task(blow) for blow in chaos.blows(self)]
        visits = [asyncio.create_task(self._street(machine)) for machine in self.machines.values()]
        try:
            await asyncio.gather(*visits)
        finally:
            for task in (*visits, *blows):
                task.cancel()
            await asyncio.gather(*visits, *blows, return_exceptions=True)
        chaos.calm(self)
        self.note("-- calm --")
        if not await self._rest():
            return
        check_all(self)
        if self.failure is not None:
            return
        self.note("-- a year later --")
        trades = [trade.trade_no for trade in self.provider.book.trades(10_000)]
        self.provider.finish_all()
        for trade_no in trades:
            # A payment that our books forgot would be news, and too old to be returned.
            if trade_no not in self.lost.trades:
                self.provider.redeliver(trade_no)
        await asyncio.sleep(5)
        if await self._rest():
            check_all(self)
        if self.failure is None:
            the_audit_is_clean(self)

    async def _rest(self) -> bool:
        """B16: within some hours of quiet nothing is open any more."""
        until = self.loop.now_s + REST_WITHIN_S
        left = await self._left()
        while left and self.loop.now_s < until:
            await asyncio.sleep(LOOK_EVERY_S)
            for machine in self.machines.values():
                if machine.machine_id not in self.gone:
                    machine.revive()
            await admins.settle_reviewed(self)
            await admins.settle_refused(self)
            if self.lots:
                await recallers.look(self, self.rng(f"recallers/{self.loop.now_s}"))
            left = await self._left()
        if left:
            self.fail("rest within bounds", left)
        return not left

    async def _left(self) -> str:
        """Return what is not at rest, also after people have asked again for what they wanted: a
        host that is back hears meanwhile what a gateway has kept for it.
        """
        return unrest(self) or await self.shelvers.finish(self) or unrest(self)

    async def _street(self, machine: SimMachine) -> None:
        rng = self.rng(f"street/{machine.machine_id}")
        until = self.loop.now_s + self.busy_s
        for _ in range(self.visits_wanted):
            if self.loop.now_s > until:
                break
            await self._ready(machine, rng)
            self.visits += 1
            machine.misfortune()
            customer = Customer(self, machine, givers.name(self, machine.machine_id, rng), rng)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(150):
                    await customer.visit()
            await asyncio.sleep(self.between_visits_s + rng.choice((0.1, 1, 5, 30)) * rng.random())
            if machine.machine is None or rng.random() < 0.3:
                await asyncio.sleep(rng.random() * 20)
                machine.revive()
        if rng.random() < self.leaves:
            self.note(f"{machine.machine_id} is taken away for good")
            self.gone.add(machine.machine_id)
            machine.power_cut()

    async def _ready(self, machine: SimMachine, rng: Random) -> None:
        """Most people wait until the machine is free; some do not."""
        patience_s = rng.choice((0, 20, 90, 90, 90))
        until = self.loop.now_s + patience_s
        while self.loop.now_s < until and not (machine.free and machine.sticker):
            await asyncio.sleep(1)


def live(
    seed: int, *, traced: bool = False, prepare: Callable[[World], None] = lambda _: None
) -> Outcome:
    """Run one world and return what became of it."""
    gc.disable()  # a world is short, and its end frees it as a whole
    memory = Path("/dev/shm")  # files that are synced after each line are slow on a disk
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    made: list[World] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WorldLoop)
        loop.set_task_factory(task_factory)  # type: ignore[arg-type]
        world = World(seed, loop, folder, traced=traced)
        loop.set_exception_handler(world.unhandled)
        made.append(world)
        prepare(world)
        await world.live()

    try:
        with without_logs(), read_once(), asyncio.Runner(loop_factory=WorldLoop) as runner:
            runner.run(run())
            loop = runner.get_loop()
            virtual_s = loop.time()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        gc.enable()
    world = made[0]
    return Outcome(
        seed=seed,
        failure=world.failure,
        sessions=world.disk.rows("SELECT count(*) FROM sessions")[0][0],
        visits=world.visits,
        commits=world.disk.commits,
        virtual_s=virtual_s,
        story=tuple(world.story),
        dooms=tuple(f"{name}@{at}" for name, at in world.dooms.items()),
        transitions=transitions.seen(world.disk),
    )
