"""Many machines in one process, each with its customers one after the other.

Flows in: a gateway's address, the pretend Alipay's, a seed. Flows out: one JSON line for each
customer who has left (``report``), ``fleet.json`` with counters in ``state_dir``, and below it each
machine's journal and shelf. SIGUSR1: no new customers, finish what runs, stay connected. SIGTERM,
SIGINT, SIGQUIT or SIGHUP: leave within two seconds. After a kill at any point the next start goes
on from the files.

``python -m gateway.simulator.fleet --gateway 127.0.0.1:7443 --alipay http://127.0.0.1:8080
--state-dir DIR --count 20``
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import structlog

from gateway.simulator import scripts
from gateway.simulator.arguments import log_to_stderr, machine_arguments, token_of
from gateway.simulator.backoff import INITIAL_MS, REFUSAL_WAITS_MS
from gateway.simulator.billboard import Billboard
from gateway.simulator.customer import Patience, Seen
from gateway.simulator.identity import EnrolledAt
from gateway.simulator.line import read_tls
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig, MachineClient
from gateway.simulator.phone import Phone
from gateway.simulator.shelf import NO_FAULTS, Faults

log = structlog.get_logger()

LOOK_EVERY_S = 0.2
COUNT_EVERY_S = 1.0
LEAVE_WITHIN_S = 1.5
_COUNTERS = "fleet.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetConfig:
    """Machines and the people in front of them. ``pace``: seconds between two customers of one
    machine, on average.

    ``cert``, ``key`` and ``token_file`` may hold ``{machine_id}``. ``kinds`` empty: customers of
    every kind.
    """

    gateway: str
    alipay_url: str
    machine_ids: Sequence[str]
    seed: int
    state_dir: Path
    pace: float = 5.0
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    enrol: str = ""
    """Where machines get their certificates by themselves; empty: they have ``cert``, ``key``."""
    token_file: Path | None = None
    customers_max: int | None = None
    kinds: tuple[str, ...] = ()
    report: bool = False
    stop_customers: asyncio.Event | None = None
    """Set by the caller, it does what SIGUSR1 does."""
    handle_signals: bool = True
    patience: Patience = Patience()
    motor_ms: int = 200
    faults: Faults = NO_FAULTS
    refills: bool = True
    reconnect_initial_ms: int = INITIAL_MS
    refusal_waits_ms: tuple[int, ...] = REFUSAL_WAITS_MS
    screen_port: int | None = None
    """Where the page of the first machine's screen is served to this computer."""


class Fleet:
    """The counters and the machines of one run."""

    def __init__(self, config: FleetConfig) -> None:
        self._config = config
        self._file = config.state_dir / _COUNTERS
        self._no_more = config.stop_customers or asyncio.Event()
        self._leave = asyncio.Event()
        self._totals = _read_totals(self._file)
        self._totals["runs"] += 1
        self._started = 0
        self._inside = 0
        self._clients: list[MachineClient] = []
        self._written = ""

    async def run(self) -> None:
        """Run until told to leave, or until every machine has stopped by itself."""
        self._clients = [self._client(machine_id) for machine_id in self._config.machine_ids]
        with self._signals():
            async with Phone(self._config.alipay_url) as phone:
                lives = [asyncio.create_task(client.run()) for client in self._clients]
                queues = [
                    asyncio.create_task(self._customers_of(client, phone))
                    for client in self._clients
                ]
                for queue in queues:
                    queue.add_done_callback(_log_failure)
                counting = asyncio.create_task(self._keep_count())
                showing = asyncio.create_task(Billboard(self._clients, phone).keep())
                leave = asyncio.create_task(self._until_over(lives))
                try:
                    await leave
                finally:
                    await self._wind_up(lives, [*queues, counting, showing, leave])
                    self._write_counters(state="left")

    def _client(self, machine_id: str) -> MachineClient:
        config = self._config
        client_config = ClientConfig(
            gateway=config.gateway,
            identity=Identity(machine_id=machine_id),
            state_dir=config.state_dir,
            tls=read_tls(machine_id, ca=config.ca, cert=config.cert, key=config.key),
            enrolment=(
                EnrolledAt(address=config.enrol, token=token_of(machine_id, config.token_file))
                if config.enrol
                else None
            ),
            motor_ms=config.motor_ms,
            faults=config.faults,
            refills=config.refills,
            reconnect_initial_ms=config.reconnect_initial_ms,
            refusal_waits_ms=config.refusal_waits_ms,
            screen_port=config.screen_port if machine_id == config.machine_ids[0] else None,
        )
        return MachineClient(client_config, rng=self._rng(machine_id, "machine"))

    def _rng(self, machine_id: str, purpose: str) -> Random:
        # The run counts too: a fleet that was killed does not live through the very same story
        # again.
        return Random(f"{self._config.seed}/{self._totals['runs']}/{machine_id}/{purpose}")  # noqa: S311  a simulation

    # --- customers ---

    async def _customers_of(self, client: MachineClient, phone: Phone) -> None:
        machine_id = client.identity.machine_id
        rng = self._rng(machine_id, "customers")
        number = 0
        while await self._next_customer(client, rng):
            machine = client.machine
            kind = (
                None
                if machine is None
                else scripts.kind_for(machine.service.mode, rng, self._config.kinds)
            )
            if kind is None:
                log.warning("no kind of customer fits this machine's mode", machine_id=machine_id)
                return
            number += 1
            self._started += 1
            self._inside += 1
            self._totals["started"] += 1
            try:
                log.debug("a customer comes", kind=kind, machine_id=machine_id)
                buyer = f"buyer-{machine_id}-{self._totals['runs']}-{number}"
                seen = await scripts.serve(
                    kind, client, phone, rng=rng, buyer=buyer, patience=self._config.patience
                )
            finally:
                self._inside -= 1
            self._count(seen)

    async def _next_customer(self, client: MachineClient, rng: Random) -> bool:
        """Wait for the pace, then for a free machine; False if nobody comes any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rng.uniform(0.5, 1.5) * self._config.pace):
                await self._no_more.wait()
        while self._open():
            machine = client.machine
            if (
                machine is not None
                and client.free
                and machine.service.in_service
                and machine.columns
                and client.sticker
            ):
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False

    def _open(self) -> bool:
        limit = self._config.customers_max
        return not self._no_more.is_set() and (limit is None or self._started < limit)

    def _count(self, seen: Seen) -> None:
        totals = self._totals
        totals["finished"] += 1
        totals[f"kind:{seen.kind}"] += 1
        totals[f"outcome:{seen.kind}:{seen.outcome}"] += 1
        totals[f"paid_minor:{seen.currency}"] += seen.paid_minor
        totals["trades"] += len(seen.trades)
        totals["delivered"] += len(seen.delivered)
        totals["failed"] += len(seen.failed)
        log.info(
            "a customer left", kind=seen.kind, machine_id=seen.machine_id, outcome=seen.outcome
        )
        if self._config.report:
            print(json.dumps(dataclasses.asdict(seen)), flush=True)

    # --- counting ---

    async def _keep_count(self) -> None:
        while True:
            state = "open" if self._open() else "busy" if self._inside else "quiet"
            self._write_counters(state=state)
            await asyncio.sleep(COUNT_EVERY_S)

    def _write_counters(self, *, state: str) -> None:
        now = {
            "state": state,
            "pid": os.getpid(),
            "machines": len(self._clients),
            "online": sum(
                client.machine is not None and client.machine.online for client in self._clients
            ),
            "free": sum(client.free for client in self._clients),
            "refused": sum(client.refusal is not None for client in self._clients),
            "customers_inside": self._inside,
            "customers_started": self._started,
            "unsaid_frames": sum(
                len(client.machine.outbox) for client in self._clients if client.machine is not None
            ),
            "totals": dict(sorted(self._totals.items())),
        }
        text = json.dumps(now, indent=1)
        if text != self._written:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(self._file)
            self._written = text

    # --- leaving ---

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        wanted = {signal.SIGUSR1: self._no_more, **dict.fromkeys(_end_signals(), self._leave)}
        if self._config.handle_signals:
            for number, event in wanted.items():
                loop.add_signal_handler(number, event.set)
        try:
            yield
        finally:
            if self._config.handle_signals:
                for number in wanted:
                    loop.remove_signal_handler(number)

    async def _until_over(self, lives: list[asyncio.Task[None]]) -> None:
        """Return when somebody says so, or when the last machine has stopped by itself."""
        told = asyncio.create_task(self._leave.wait())
        all_over = asyncio.create_task(_all_done(lives))
        try:
            await asyncio.wait([told, all_over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            all_over.cancel()

    async def _wind_up(
        self, lives: list[asyncio.Task[None]], others: list[asyncio.Task[None]]
    ) -> None:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for client in self._clients:
            client.stop()
        _, late = await asyncio.wait(lives, timeout=LEAVE_WITHIN_S)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        for task, client in zip(lives, self._clients, strict=True):
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a machine failed", machine_id=client.identity.machine_id, exc_info=error)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a machine has no customers any more", exc_info=error)


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


async def run_fleet(config: FleetConfig) -> None:
    """Run the machines and their customers until SIGTERM, SIGINT, cancellation, or until the
    gateway has refused every machine for good.
    """
    config.state_dir.mkdir(parents=True, exist_ok=True)
    await Fleet(config).run()


def all_have_left(state_dir: Path, pid: int) -> bool:
    """Tell whether nobody stands before a machine of the fleet in process ``pid``, and nobody comes
    any more: who is still there may pay at any moment, when all books agree.
    """
    try:
        now = json.loads((state_dir / _COUNTERS).read_text())
        return (pid, "quiet") == (now["pid"], now["state"])
    except (FileNotFoundError, ValueError, KeyError):
        return False


def _read_totals(path: Path) -> Counter[str]:
    try:
        return Counter(json.loads(path.read_text())["totals"])
    except (FileNotFoundError, ValueError, KeyError):
        return Counter()


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m gateway.simulator.fleet``."""
    parser = argparse.ArgumentParser(
        description="Machines and their customers, against a gateway and the pretend Alipay."
    )
    machine_arguments(parser)
    parser.add_argument("--alipay", required=True, help="URL of the pretend Alipay")
    parser.add_argument(
        "--machines", help="comma-separated machine ids; without it --count and --prefix make them"
    )
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--prefix", default="VM-")
    parser.add_argument(
        "--pace", type=float, default=5.0, help="seconds between two customers of one machine"
    )
    parser.add_argument(
        "--customers", type=int, help="how many customers in all; then only stay connected"
    )
    parser.add_argument(
        "--kinds", default="", help=f"comma-separated, of: {', '.join(scripts.KINDS)}"
    )
    parser.add_argument(
        "--screen-port", type=int, help="serve the page of the first machine's screen there"
    )
    parser.add_argument("--quiet", action="store_true", help="print no line for each customer")
    options = parser.parse_args(arguments)
    log_to_stderr()
    made = [f"{options.prefix}{number:04d}" for number in range(1, options.count + 1)]
    config = FleetConfig(
        gateway=options.gateway,
        alipay_url=options.alipay,
        machine_ids=tuple(options.machines.split(",")) if options.machines else tuple(made),
        seed=options.seed,
        state_dir=options.state_dir,
        pace=options.pace,
        ca=options.ca,
        cert=options.cert,
        key=options.key,
        enrol=options.enrol,
        token_file=options.token_file,
        customers_max=options.customers,
        kinds=tuple(filter(None, options.kinds.split(","))),
        report=not options.quiet,
        screen_port=options.screen_port,
    )
    asyncio.run(run_fleet(config))


if __name__ == "__main__":
    main()


def _end_signals() -> Sequence[signal.Signals]:
    """Return the signals that end the fleet. A SIGHUP that is ignored stays ignored (``nohup``)."""
    always = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    return always if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*always, signal.SIGHUP)
