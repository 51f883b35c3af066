"""A small world of two homes that want the same machines: what becomes of leases when hosts die,
freeze, stop and are started twice.

Flows in: a seed. Flows out: the first truth that did not hold, or None. Each home has a supervisor
that starts its host again, and beside it an impatient administrator who makes it save something all
the time. The hosts are the product's, on the world's clock and disk; each home's calendar is wrong
by hours, because nobody may compare them. With spares each home has two hosts of one place, and its
word that a process has ended is now and then wrong.
"""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from actors.host.host import Host
from actors.host.services import HostLimits, HostServices
from actors.host.tenure import LeaseLimits
from actors.leases import Holder
from actors.link import Commanded, LinkBroken
from actors.machine.events import StockCounted
from actors.machine.ids import MachineId
from actors.machine.policy import Policy
from storage.fleet.registry import Registry
from storage.machines.holding import SqlLeases
from storage.machines.store import SqlMachineStore
from tests.simulation.clock import WallClock, WorldLoop
from tests.simulation.disk import PARTITIONS, Disk
from tests.simulation.faults import Faults
from tests.simulation.no_logs import without_logs
from tests.simulation.processes import Died, Process, task_factory
from tests.storage.owner import new_machine
from tests.support.stage import Provider

LEASE_MS = 6_000
BUSY_S = 600.0
BACK_WITHIN_S = LEASE_MS / 1_000 + 20.0
"""At rest somebody serves after a lease, a supervisor's wait, a slow database and a claim."""
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A truth that did not hold, and when."""

    truth: str
    detail: str
    at_s: float


class Start:
    """One start of the host of a home."""

    def __init__(self, world: "TwoHomes", home: "Home", number: int, name: str) -> None:
        self.name = name
        self.process = Process(f"{home.name}#{number}", home.died)
        rng = world.rng(self.process.name)
        store_way = world.disk.open_for(self.process, rng, world.faults)
        beat_way = world.disk.open_for(self.process, rng, world.faults)

        async def close() -> None:
            return

        self.host = Host(
            name=name,
            services=HostServices(
                store=SqlMachineStore(store_way, notify_base_url="https://pay.example"),
                leases=SqlLeases(beat_way),
                performer=Provider(),
                clock=home.wall.steady(),
                policy=Policy(),
                partition_count=PARTITIONS,
                close=close,
            ),
            partitions=range(PARTITIONS),
            place=0 if world.spares else None,
            host_count=1 if world.spares else None,
            ended=home.until_ended if world.spares else None,
            on_fatal=lambda _: self.process.kill(),
            home=home.name,
            limits=HostLimits(lease=LeaseLimits(lease_ms=LEASE_MS)),
            rng=rng,
        )

    async def stop(self) -> None:
        """Stop it in order, and end it."""
        await self.host.stop()
        self.process.kill()


class Home:
    """A place that starts its host again whenever it dies."""

    def __init__(self, world: "TwoHomes", name: str, off_ms: int) -> None:
        self.name = name
        self.wall = WallClock(world.loop)
        self.wall.off_ms = off_ms
        self.starts: list[Start] = []
        self._world = world
        self._rng = world.rng(f"home/{name}")

    def start(self, name: str = "host-0") -> None:
        """Start a host, whether or not an older one still runs."""
        start = Start(self._world, self, len(self.starts) + 1, name)
        self.starts.append(start)
        self._world.happened += 1
        start.process.spawn(start.host.start())

    def died(self, process: Process) -> None:
        """A host of this home is dead."""
        self._world.happened += 1
        (name,) = {each.name for each in self.starts if each.process is process}
        if not self._world.over:
            self._world.loop.call_later(0.2 + self._rng.random() * 3, self._again, name)

    def _again(self, name: str) -> None:
        lives = {each.name for each in self.starts if each.process.alive}
        if not self._world.over and name not in lives:
            self.start(name)

    async def until_ended(self, holder: Holder) -> None:
        """Return once this home's word is that a process has ended."""
        while True:
            await asyncio.sleep(self._rng.random())
            lives = {each.host.holder for each in self.starts if each.process.alive}
            if holder.holder not in lives:
                self._world.relieved += 1
                return
            if self._rng.random() < self._world.wrong:
                self._world.happened += 1
                self._world.superseded += 1
                return


class TwoHomes:
    """``happened`` counts what may lead to a claim; ``relieved`` and ``superseded`` how often a
    spare was told of an end, rightly and wrongly. ``wrong`` is how probable the latter is.
    """

    def __init__(self, seed: int, loop: WorldLoop, *, spares: bool) -> None:
        self.seed = seed
        self.spares = spares
        self.wrong = 0.004
        self.relieved = 0
        self.superseded = 0
        self.loop = loop
        self.over = False
        self.broken: Broken | None = None
        self.happened = 0
        self.claims = 0
        self.saved = 0
        self.changes_of_home = 0
        rng = self.rng("world")
        self.faults = Faults(
            sql_refuses=rng.choice((0.0, 0.0, 0.02)),
            sql_stalls=rng.choice((0.0, 0.02)),
            sql_stall_s=1.0,
            sql_loses=rng.choice((0.0, 0.0, 0.02)),
        )
        self.loses_answers = self.faults.sql_loses > 0
        self.disk = Disk()
        self.disk.committed = self._committed
        self.homes = [Home(self, "a", 0), Home(self, "b", rng.choice((-5, 0, 5)) * HOUR_MS)]
        self._holders: dict[str, tuple[str, int]] = {}
        self._beat_s: dict[str, float] = {}
        self._owner: tuple[str, int] = ("", 0)

    def rng(self, name: str) -> Random:
        """Return a generator of its own for each name."""
        return Random(f"two homes/{self.seed}/{name}")

    async def live(self) -> None:
        """Live through it."""
        registering = Process("registry", lambda _: None)
        way = self.disk.open_for(registering, self.rng("registry"), Faults())
        for number in range(PARTITIONS):
            await Registry(way).register(new_machine(f"VM-{number}"), actor="ann", now_ms=1)
        for home in self.homes:
            home.start()
            if self.spares:
                home.start("host-0-2")
        presses = [asyncio.create_task(self._press(home)) for home in self.homes]
        await self._blows()
        await self._rest()
        self.over = True
        for press in presses:
            press.cancel()
        await asyncio.gather(*presses, return_exceptions=True)
        for home in self.homes:
            for each in home.starts:
                await each.process.buried()

    async def _blows(self) -> None:
        rng = self.rng("blows")
        while self.loop.now_s < BUSY_S and self.broken is None:
            await asyncio.sleep(rng.expovariate(1 / 20))
            home = rng.choice(self.homes)
            alive = [each for each in home.starts if each.process.alive]
            if not alive:
                continue
            one = rng.choice(alive)
            what = rng.random()
            self.happened += 1
            if what < 0.3:
                one.process.kill()
            elif what < 0.7:
                one.process.freeze()
                self.loop.call_later(rng.choice((1, 5, 8, 20, 60)), self._thaw, one)
            elif what < 0.85:
                one.process.spawn(one.stop())
            else:
                home.start()  # Ray believes that it is dead

    def _thaw(self, one: Start) -> None:
        self.happened += 1
        one.process.thaw()

    async def _rest(self) -> None:
        """Nothing happens any more: one serves, and goes on serving."""
        self.faults.sql_refuses = self.faults.sql_loses = self.faults.sql_stalls = 0.0
        self.wrong = 0.0
        for home in self.homes:
            for each in home.starts:
                each.process.thaw()
        await asyncio.sleep(BACK_WITHIN_S)
        before, saved = self._owner, self.saved
        await asyncio.sleep(120)
        if before != self._owner:
            self.fail("nobody fights", f"{before} was followed by {self._owner} at rest")
        if saved == self.saved:
            self.fail("somebody serves at rest", f"nothing was saved under {self._owner}")
        if not self.loses_answers and self.claims > self.happened:
            self.fail("claims have a cause", f"{self.claims} after {self.happened} events")

    async def _press(self, home: Home) -> None:
        """Have whoever is there save something, again and again."""
        rng, number = self.rng(f"press/{home.name}"), 0
        while True:
            await asyncio.sleep(rng.random() * 2)
            for each in home.starts:
                if each.process.alive:
                    number += 1
                    act = Commanded(
                        machine_id=MachineId(f"VM-{rng.randrange(PARTITIONS)}"),
                        command_id=f"{home.name}-{number}",
                        event=StockCounted(column="A1", stock=number % 9, actor="ann"),
                    )
                    asyncio.create_task(_acted(each, act)).add_done_callback(_seen)

    # --- truths ---

    def fail(self, truth: str, detail: str) -> None:
        """The first one counts."""
        self.broken = self.broken or Broken(truth=truth, detail=detail, at_s=self.loop.now_s)

    def _committed(self) -> None:
        """Look at the database after each COMMIT."""
        holders = {
            holder: (home, beat)
            for holder, home, beat in self.disk.rows("SELECT holder, home, beat FROM holders")
        }
        ((holder, epoch),) = self.disk.rows("SELECT DISTINCT holder, epoch FROM partitions")
        for name, (_, beat) in holders.items():
            if self._holders.get(name, ("", -1))[1] != beat:
                self._beat_s[name] = self.loop.now_s
        if (holder, epoch) != self._owner:
            self._claimed(holder, holders[holder][0], epoch)
        self._old_epochs(epoch)
        self._holders, self._owner = holders, (holder, epoch)

    def _claimed(self, holder: str, home: str, epoch: int) -> None:
        self.claims += 1
        before, known = self._owner[0], self._holders.get(self._owner[0])
        if epoch <= self._owner[1]:
            self.fail("epochs grow", f"{epoch} after {self._owner[1]}")
        if known is None or known[0] == home:
            return  # it was free, or its own home's
        self.changes_of_home += 1
        stood_s = self.loop.now_s - self._beat_s[before]
        if stood_s < LEASE_MS / 1_000:
            self.fail(
                "nothing is taken from who beats",
                f"{holder} took from {before}, which beat {stood_s:.1f} s before",
            )

    def _old_epochs(self, epoch: int) -> None:
        """Who was superseded saves nothing: what was saved last is under the present epoch."""
        lines = self.disk.rows("SELECT epoch FROM journal ORDER BY id DESC LIMIT 1")
        count = self.disk.rows("SELECT count(*) FROM journal")[0][0]
        if count > self.saved and lines[0][0] != epoch:
            self.fail("no row under an old epoch", f"{lines[0][0]} under {epoch}")
        self.saved = count


async def _acted(start: Start, act: Commanded) -> None:
    attachment = await start.process.ask(start.host.attach("gw"))
    await start.process.ask(start.host.exchange(attachment, [act]))


def _seen(task: "asyncio.Task[None]") -> None:
    """Whoever was asked may be dead, waiting or superseded."""
    error = None if task.cancelled() else task.exception()
    assert error is None or isinstance(error, Died | LinkBroken), error


def live(
    seed: int,
    *,
    prepare: Callable[[TwoHomes], None] = lambda _: None,
    spares: bool = False,
) -> TwoHomes:
    """Run one such world, and return it."""
    made: list[TwoHomes] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WorldLoop)
        loop.set_task_factory(task_factory)  # type: ignore[arg-type]
        world = TwoHomes(seed, loop, spares=spares)
        made.append(world)
        prepare(world)
        await world.live()

    gc.disable()
    try:
        with without_logs(), asyncio.Runner(loop_factory=WorldLoop) as runner:
            runner.run(run())
    finally:
        gc.enable()
    return made[0]
