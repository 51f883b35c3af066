"""The story of a run: what is started when, and which measurement sees what.

Flows in: options. Flows out: :class:`Results`. For each setting the gateway runs twice over the
same books: new, with every machine connected (memory, storms, a fleet's load, timers); then with
those that buy, in turn with the echo (throughput, half load, the kill). What comes in turns is told
as medians.
"""

import os
import platform
import statistics
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc

from gateway.bench import figures, postgres, serve_baseline
from gateway.bench.figures import (
    ACTORS,
    CPU,
    ECHO,
    ON_RAY,
    PLAIN,
    POSTGRES,
    RATE,
    SERVE,
    Figure,
    Latency,
    Results,
)
from gateway.bench.load import Load, LoadFailed, Span
from gateway.bench.machine import LoadMachine
from gateway.bench.measurements.cold_start import cold_start
from gateway.bench.measurements.crowd import crowd
from gateway.bench.measurements.notification import notification
from gateway.bench.measurements.recovery import recovery
from gateway.bench.measurements.registration import registration
from gateway.bench.measurements.saturated import saturated
from gateway.bench.measurements.steady import steady
from gateway.bench.measurements.storm import storm
from gateway.bench.measurements.timers import timers
from gateway.bench.options import BenchOptions, Measurement
from gateway.bench.site import BenchSite, RunningGateway, Setting, children, machine_names
from gateway.demo import processes
from gateway.demo.children import ChildFailed
from gateway.demo.postgres import programs

Say = Callable[[str], None]
BUSY_LOAD = 1.5
"""With more than this wanting to run before we begin, the figures are a busy computer's."""

_SETTINGS = {
    PLAIN: Setting(name=PLAIN, ray=False),
    ON_RAY: Setting(name=ON_RAY, ray=True),
}


class Run:
    """One run. ``measure`` it once."""

    def __init__(self, options: BenchOptions, folder: Path, *, say: Say) -> None:
        self.options = options
        self.results = Results(made=_made(options))
        self._folder = folder
        self._say = say
        self._names = machine_names(options.registered)
        self._fresh = options.machines
        """The first machine that nobody has paid at yet."""
        self._echo_address, self._echo_pid = "", 0
        self._echoes: list[Span] = []

    async def measure(self) -> Results:
        """Measure all that is asked for, and tell what failed. Raises ChildFailed."""
        if processes.load() > BUSY_LOAD:
            self.results.remarks.append(
                f"measured on a busy computer: load {processes.load():.1f} before the run began"
            )
        program = (sys.executable, "-m", "gateway.bench.echo")
        async with children(self._folder, program=program) as started:
            echo = await started.start("echo")
            self._echo_address, self._echo_pid = echo.ready["machines"], echo.process.pid
            async with self._told("the echo"):
                await self._floor()
            async with self._told("SQLite"):
                await self._sqlite()
            async with self._told("PostgreSQL"):
                await self._postgres()
            self._add_echo()
        if self.options.wants(Measurement.BASELINES):
            async with self._told("a baseline"):
                await self._baselines()
        return self.results

    @asynccontextmanager
    async def _told(self, what: str) -> AsyncIterator[None]:
        """Tell what could not be measured, and go on with the rest."""
        try:
            yield
        except (ChildFailed, LoadFailed) as failure:
            self.results.failures.append(f"{what} could not be measured to the end: {failure}")

    async def _floor(self) -> None:
        """What the echo takes for what the product is asked for: all machines at once, and
        customers at a rate that is the same for all.
        """
        options = self.options
        if not (options.wants(Measurement.STORM) or options.wants(Measurement.PACED)):
            return
        new = RunningGateway.of_one_process(ECHO, self._echo_address, self._echo_pid)
        if options.wants(Measurement.STORM):
            self._say(f"{ECHO}: {options.connected} machines at once")
            async with Load.of(new.machines, self._names[: options.connected]) as load:
                came, rest = await storm(load, new, rest_s=options.seconds)
                self._add_storm(ECHO, came.seconds, rest.kib_a_machine, rest.cores)
        if options.wants(Measurement.PACED):
            await self._paced(new)

    async def _paced(self, running: RunningGateway) -> None:
        """Let customers come to those that buy at the rate that is the same for all."""
        rate = self.options.paced_rate
        async with Load.of(running.machines, self._names[: self.options.machines]) as load:
            await load.connect(load.machines)
            seconds = self.options.fleet_s
            await self._steady(
                running, load, load.machines, rate=rate, seconds=seconds, called=f"{rate:g} vends/s"
            )

    async def _steady(
        self,
        running: RunningGateway,
        load: Load,
        machines: Sequence[LoadMachine],
        *,
        rate: float,
        seconds: float,
        called: str,
    ) -> None:
        """Tell how long answers take, and what a vend costs, while customers come at a rate."""
        name = running.setting.name
        self._say(f"{name}: {called}, {rate:.0f} customers a second")
        span = await steady(
            load,
            machines,
            rate=rate,
            pids=running.pids,
            warm_s=self.options.warm_s,
            seconds=seconds,
        )
        self.results.add(name, *_latency(called, span.approvals))
        self.results.add(name, _cpu(f"CPU a vend, {called}", span))

    async def _sqlite(self) -> None:
        settings = [_SETTINGS[name] for name in self.options.settings if name in _SETTINGS]
        if not settings:
            return
        async with self._site("sqlite") as site:
            await self._fill(site, settings[0], self._names)
            for setting in settings:
                async with self._told(setting.name):
                    await self._with_all(site, setting)
                if self.options.wants(Measurement.CROWD):
                    async with self._told(setting.name):
                        await self._with_crowd(site, setting)
                async with self._told(setting.name):
                    await self._with_buyers(site, setting)

    async def _postgres(self) -> None:
        """The buyers alone: what differs is what a COMMIT costs."""
        if POSTGRES not in self.options.settings:
            return
        if self.options.database_url:
            await self._on_postgres(self.options.database_url)
        elif programs() is None:
            self.results.remarks.append(
                "PostgreSQL was not measured: initdb is not installed; name one with --database-url"
            )
        else:
            async with postgres.running(self._folder) as url:
                await self._on_postgres(url)

    async def _on_postgres(self, url: str) -> None:
        setting = Setting(name=POSTGRES, ray=False, database_url=url)
        async with self._site("postgres") as site:
            await self._fill(site, setting, self._names[: self.options.machines])
            await self._with_buyers(site, setting)

    @asynccontextmanager
    async def _site(self, name: str) -> AsyncIterator[BenchSite]:
        self._say("starting the pretend Alipay")
        wait_ms = self.options.payment_wait_ms
        async with BenchSite.open(self._folder / name, payment_wait_ms=wait_ms) as site:
            yield site

    # --- the books ---

    async def _fill(self, site: BenchSite, setting: Setting, names: Sequence[str]) -> None:
        """Register the machines, and let a customer pay at each that will sell."""
        async with site.gateway(setting) as running:
            self._say(f"{setting.name}: registering {len(names)} machines")
            made = await registration(site, running, names)
            if self.options.wants(Measurement.REGISTRATION):
                self.results.add(
                    setting.name,
                    Figure(
                        name="registrations a second",
                        value=made.machines / made.answered_s,
                        unit="1/s",
                    ),
                    Figure(
                        name="machines with codes a second",
                        value=made.machines / made.with_codes_s,
                        unit="1/s",
                    ),
                )
            spare = self._fresh_for_good()
            await site.read_codes(running, names[:spare])
            buyers = names[: self.options.machines]
            self._say(f"{setting.name}: paying at {len(buyers)} machines")
            async with Load.of(running.machines, buyers) as load:
                await load.connect(load.machines)
                await notification(site, load, load.machines)

    # --- a gateway with everybody ---

    async def _with_all(self, site: BenchSite, setting: Setting) -> None:
        wanted = {
            Measurement.COLD_START,
            Measurement.STORM,
            Measurement.NOTIFICATION,
            Measurement.FLEET,
            Measurement.TIMERS,
        }
        if not any(self.options.wants(kind) for kind in wanted):
            return
        name, options = setting.name, self.options
        self._say(f"{name}: a new gateway, and {options.connected} machines at once")
        async with site.gateway(setting) as running:
            if options.wants(Measurement.COLD_START):
                seconds = await cold_start(running, self._names[0])
                self.results.add(
                    name, Figure(name="cold start to first vend", value=seconds, unit="s")
                )
            others = self._names[options.machines : options.registered]
            coming = [*self._names[: options.machines], *others][: options.connected]
            async with Load.of(running.machines, coming) as load:
                came, rest = await storm(load, running, rest_s=options.seconds)
                if came.refused:
                    self.results.remarks.append(
                        f"{name}: {came.refused} of {came.machines} machines were refused"
                    )
                if options.wants(Measurement.STORM):
                    self._add_storm(name, came.seconds, rest.kib_a_machine, rest.cores)
                await self._fleet(site, running, load)

    def _add_storm(self, name: str, seconds: float, kib: Mapping[str, float], cores: float) -> None:
        self.results.add(
            name,
            Figure(name="storm until the last Welcome", value=seconds, unit="s"),
            *(
                Figure(name=f"memory a machine, {process}", value=value, unit="KiB")
                for process, value in kib.items()
            ),
            Figure(name="at rest, all processes", value=100 * cores, unit="% of a core"),
        )

    async def _with_crowd(self, site: BenchSite, setting: Setting) -> None:
        """Those that buy sell; the others come."""
        options, name = self.options, setting.name
        buyers, others = self._names[: options.machines], self._names[options.machines :]
        coming = others[: options.connected]
        self._say(f"{name}: {len(coming)} machines at once, while {len(buyers)} sell")
        async with (
            site.gateway(setting) as running,
            Load.of(running.machines, buyers) as sellers,
            Load.of(running.machines, coming) as crowded,
        ):
            told = await crowd(
                sellers, crowded, running, rate=options.fleet_rate, seconds=options.seconds
            )
        self.results.add(
            name,
            Figure(name="crowd", value=told.came.machines, unit="machines"),
            Figure(name="crowd, not welcome", value=told.came.refused, unit="machines"),
            Figure(name="crowd until the last Welcome", value=told.came.seconds, unit="s"),
            Figure(name="memory of the gateway with the crowd", value=told.mib, unit="MiB"),
            *_latency("before the crowd", told.quiet),
            *_latency("while it comes, worst 3 s", told.worst),
        )

    async def _fleet(self, site: BenchSite, running: RunningGateway, load: Load) -> None:
        """What is measured while everybody is connected."""
        name, options = running.setting.name, self.options
        by_name = {machine.machine_id: machine for machine in load.machines}
        buyers = load.machines[: options.machines]
        if options.wants(Measurement.FLEET):
            rate, seconds = options.fleet_rate, options.fleet_s
            await self._steady(
                running, load, buyers, rate=rate, seconds=seconds, called="fleet's load"
            )
        if options.wants(Measurement.NOTIFICATION):
            self._say(f"{name}: {options.notifications} payments")
            last = self._fresh + options.notifications
            fresh, self._fresh = self._names[self._fresh : last], last
            heard = [by_name[one] for one in fresh if one in by_name]
            times = Latency.of(await notification(site, load, heard))
            self.results.add(
                name,
                Figure(name="payment to BeginSession, p50", value=times.p50_ms, unit="ms"),
                Figure(name="payment to BeginSession, p99", value=times.p99_ms, unit="ms"),
            )
        if options.wants(Measurement.TIMERS):
            idle = load.machines[self._fresh_for_good() :]
            armed = f"timers late, {len(idle)} armed"
            self._say(f"{name}: {len(idle)} timers")
            late = Latency.of(await timers(load, idle, wait_ms=options.payment_wait_ms))
            self.results.add(
                name,
                Figure(name=f"{armed}, p50", value=late.p50_ms, unit="ms"),
                Figure(name=f"{armed}, p99.9", value=late.p999_ms, unit="ms"),
            )

    def _fresh_for_good(self) -> int:
        """Return the first machine at which nobody ever pays."""
        return self.options.machines + len(self.options.settings) * self.options.notifications

    # --- a gateway with those that buy, in turn with the echo ---

    async def _with_buyers(self, site: BenchSite, setting: Setting) -> None:
        wanted = {
            Measurement.SATURATED,
            Measurement.HALF,
            Measurement.PACED,
            Measurement.RECOVERY,
        }
        if not any(self.options.wants(kind) for kind in wanted):
            return
        name, options = setting.name, self.options
        buyers = self._names[: options.machines]
        async with site.gateway(setting) as running:
            if options.wants(Measurement.PACED):
                await self._paced(running)
            rate = 0.0
            if options.wants(Measurement.SATURATED) or options.wants(Measurement.HALF):
                rate = await self._in_turn_with_echo(name, running, buyers)
            async with Load.of(running.machines, buyers) as load:
                await load.connect(load.machines)
                if options.wants(Measurement.HALF):
                    seconds, called = options.seconds, "half load"
                    await self._steady(
                        running, load, load.machines, rate=rate / 2, seconds=seconds, called=called
                    )
                if options.wants(Measurement.RECOVERY) and "host" in running.pids:
                    await self._recovery(running, load)

    async def _in_turn_with_echo(
        self, name: str, running: RunningGateway, buyers: Sequence[str]
    ) -> float:
        """Tell how the setting and the echo do in turn; return the vends a second."""
        spans, before, rounds = [], len(self._echoes), self.options.rounds
        for number in range(rounds):
            self._say(f"{name}: saturated, {number + 1} of {rounds}, in turn with echo")
            await self._echo()
            spans.append(await self._saturated(running.machines, buyers, running.pids))
        await self._echo()
        self._add_saturated(name, spans)
        self._add_shares(name, spans, self._echoes[before:])
        return statistics.median(span.vends_a_second for span in spans)

    async def _saturated(
        self, address: str, names: Sequence[str], pids: Mapping[str, Sequence[int]]
    ) -> Span:
        return await saturated(
            address,
            names,
            pids=pids,
            warm_s=self.options.warm_s,
            seconds=self.options.seconds,
        )

    async def _echo(self) -> None:
        names = self._names[: self.options.machines]
        pids = {"gateway": [self._echo_pid]}
        self._echoes.append(await self._saturated(self._echo_address, names, pids))

    def _add_echo(self) -> None:
        if self._echoes:
            self._add_saturated(ECHO, self._echoes)
            self._add_shares(ECHO, self._echoes, self._echoes)

    def _add_shares(self, name: str, spans: Sequence[Span], echoes: Sequence[Span]) -> None:
        """Tell the medians as parts of the echo's, which was measured in turn with them."""
        rate, echo_rate = (
            statistics.median(span.vends_a_second for span in those) for those in (spans, echoes)
        )
        cpu, echo_cpu = (
            statistics.median(_served_us(span) for span in those) for those in (spans, echoes)
        )
        self.results.add(
            name,
            Figure(name=figures.RATE_SHARE, value=rate / echo_rate, unit=""),
            Figure(name=figures.CPU_SHARE, value=cpu / echo_cpu, unit=""),
        )

    def _add_saturated(self, name: str, spans: Sequence[Span]) -> None:
        """Tell the medians of what was measured in turns."""
        median = statistics.median
        served = sorted({process for span in spans for process in span.cpu_us} - {"client"})
        total = [_served_us(span) for span in spans]
        self.results.add(
            name,
            Figure(name=RATE, value=median(span.vends_a_second for span in spans), unit="1/s"),
            Figure(name=CPU, value=median(total), unit="us"),
            *(
                Figure(
                    name=f"CPU a vend, {process}",
                    value=median(span.cpu_us[process] for span in spans),
                    unit="us",
                )
                for process in (*served, "client")
            ),
            Figure(
                name="approval, saturated, p50",
                value=median(span.approvals.p50_ms for span in spans),
                unit="ms",
            ),
        )
        if denied := sum(span.denied for span in spans):
            self.results.remarks.append(f"{name}: {denied} requests were denied")

    async def _recovery(self, running: RunningGateway, load: Load) -> None:
        name, count = running.setting.name, len(load.machines)
        self._say(f"{name}: kill -9 of the host with {count} open sessions")
        rush = await recovery(load, load.machines)
        after = await recovery(load, load.machines, kill=running.pids["host"])
        self.results.add(
            name,
            Figure(name=f"{count} at once, all approved", value=rush.last_s, unit="s"),
            Figure(name="the same after kill -9 of the host, first", value=after.first_s, unit="s"),
            Figure(name="the same after kill -9 of the host, all", value=after.last_s, unit="s"),
        )

    # --- other ways to build it ---

    async def _baselines(self) -> None:
        names = machine_names(self.options.actors)
        program = (sys.executable, "-m", "gateway.bench.actor_each")
        self._say(f"baseline: a Ray actor for each of {len(names)} machines")
        async with children(self._folder, program=program) as started:
            child = await started.start("actors", str(self._folder / "actors"))
            pids = {"gateway": processes.with_descendants(child.process.pid)}
            span = await self._saturated(child.ready["machines"], names, pids)
            self._add_saturated(ACTORS, [span])
        if problem := serve_baseline.problem():
            self.results.remarks.append(problem)
            return
        self._say("baseline: Ray Serve")
        async with children(self._folder, program=serve_baseline.PROGRAM) as started:
            child = await started.start("serve", str(self._folder / "serve"))
            pids = {"gateway": processes.with_descendants(child.process.pid)}
            names = machine_names(self.options.machines)
            self._add_saturated(
                SERVE, [await self._saturated(child.ready["machines"], names, pids)]
            )


def _latency(load: str, times: Latency) -> list[Figure]:
    return [
        Figure(name=f"approval, {load}, p50", value=times.p50_ms, unit="ms"),
        Figure(name=f"approval, {load}, p99", value=times.p99_ms, unit="ms"),
        Figure(name=f"approval, {load}, p99.9", value=times.p999_ms, unit="ms"),
    ]


def _cpu(name: str, span: Span) -> Figure:
    return Figure(name=name, value=_served_us(span), unit="us")


def _served_us(span: Span) -> float:
    """Return what a vend cost on our side of the network."""
    return sum(used for process, used in span.cpu_us.items() if process != "client")


def _made(options: BenchOptions) -> dict[str, object]:
    return {
        "at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "grpc": grpc.__version__,
        "load_before": figures.short(processes.load()),
        "machines": options.machines,
        "connected": options.connected,
        "seconds": options.seconds,
        "rounds": options.rounds,
    }
