"""The demo's story from beginning to end.

Flows in: how many sales, a seed, whether hosts run on Ray. Flows out: a screen or silence while it
runs, and one :class:`Report` at the end. The gateway, the pretend Alipay and the machines are
processes of their own and talk over sockets only; this one starts them, watches the database as an
operator's read-only copy, asks both books at the end, and ends everybody.
"""

import asyncio
import contextlib
import datetime as dt
import json
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
from rich.live import Live

from gateway.demo import books, stage
from gateway.demo.children import Child, ChildFailed, Children, NoAnswer
from gateway.demo.folder import own_folder
from gateway.demo.identities import Identities
from gateway.demo.interruptions import Interruptions
from gateway.demo.past import NO_PAST, Past, PastSize, lived
from gateway.demo.progress import shown
from gateway.demo.report import Report
from gateway.demo.screen import Calling, Picture, Scene
from gateway.demo.terminal import Terminal
from gateway.rpc.roles import Role
from gateway.simulator.fleet import all_have_left
from gateway.web.people import new_secret
from storage.auditing import prove
from storage.database.engine import Database, StorageConfig
from storage.fleet.logins import Logins
from storage.fleet.queries import Queries
from storage.fleet.views import EventView
from storage.machines.holding import SqlLeases

MACHINES = 12
LOOK_EVERY_S = 0.5
QUIET_TIMEOUT_S = 120
"""How long the rest may take to go back once no new customer comes: every wait of the shortened
policy, several times.
"""
INTERRUPTED_TIMEOUT_S = 4
"""The same after Ctrl-C."""
ANSWER_TIMEOUT_S = 30
"""For one look at the database and at the pretend Alipay's book, whatever stands in them."""
REGISTER_TIMEOUT_S = 60
PROOF_TIMEOUT_S = 1_800
"""For both books as a whole, at the end. The proof reads every line of the journal: of a demo that
ran for hours, or on a computer that does much else, that takes minutes. Ctrl-C ends it.
"""
PROOF_LOOKS = 10
"""Not more often than this are the two books looked at, at the end, for a moment in which they
agree.
"""
EVENTS_SHOWN = 100
"""More than any terminal has lines for."""
PAGE = 500
VISITOR = "visitor"
LINK_VALID_MS = 86_400_000
"""The demo's link to the console may be tried late; it is of a computer's own, like the demo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What to show. ``sales`` 0: until Ctrl-C."""

    sales: int = 0
    seed: int = 1
    ray: bool = True
    machines: int = MACHINES
    weeks: int = 0
    """So many weeks of a past are lived first; 0: it begins with nothing."""
    tls: bool = True
    """Everybody proves who they are: machines enrol with tokens, the owner has a certificate."""
    keep: Path | None = None
    """A folder to leave everything in; None: a temporary one that is removed if all went well."""


class Stage:
    """The running system as the demo sees it."""

    def __init__(
        self,
        demo: Demo,
        alipay: Child,
        gateway: Child,
        fleet: Child,
        database: Database,
        *,
        fleet_folder: Path,
        screen_url: str,
        identities: Identities | None = None,
        past: Past = NO_PAST,
    ) -> None:
        self.demo = demo
        self.past = past
        self.control_url: str = alipay.ready["url"]
        self.gateway_pid = gateway.process.pid
        self.leases = SqlLeases(database)
        self.database = database
        self.queries = Queries(database)
        self.fleet = fleet
        self.fleet_folder = fleet_folder
        self._console: str = gateway.ready["console"]
        self.console_link = ""
        self.screen_url = screen_url
        address: str = gateway.ready["admin"]
        self._calling = (
            Calling.plain(address) if identities is None else identities.calling(address)
        )
        self._began = time.monotonic()
        self._events: deque[EventView] = deque(maxlen=EVENTS_SHOWN)
        self._position = 0

    async def let_a_visitor_in(self) -> None:
        """Have a link to the console, which signs one visitor in."""
        link = new_secret()
        now_ms = time.time_ns() // 1_000_000
        await Logins(self.database).issue(
            VISITOR, link, role=Role.OWNER.value, now_ms=now_ms, valid_ms=LINK_VALID_MS
        )
        self.console_link = f"{self._console}/login/{link}"

    async def report(self) -> Report:
        """Count and add up, from SQL."""
        tally = await self.queries.tally()
        balances = await self.queries.balances()
        balance = next(
            (balance for balance in balances if balance.currency == stage.CURRENCY), None
        )
        return Report(
            vends_succeeded=tally.vends.get("SUCCEEDED", 0),
            vends_failed=tally.vends.get("FAILED", 0) + tally.vends.get("VOIDED", 0),
            vends_denied=tally.vends.get("DENIED", 0),
            topups=tally.trades,
            refunds=tally.refunds.get("SUCCEEDED", 0),
            money_in=balance.money_in_minor if balance else 0,
            money_sold=balance.money_sold_minor if balance else 0,
            money_refunded=balance.money_refunded_minor if balance else 0,
            money_held=balance.money_held_minor if balance else 0,
            money_due_back=balance.refunds_open_minor if balance else 0,
            goods_written_off=balance.goods_written_off_minor if balance else 0,
            refunds_written_off=balance.refunds_written_off_minor if balance else 0,
            ledger_balanced=all(one.ledger_balanced for one in balances),
            books_agree=False,
            audit_clean=False,
            duration_s=round(time.monotonic() - self._began, 1),
            seed=self.demo.seed,
            ray=self.demo.ray,
            past=self.past.sentences,
        )

    async def scene(self, report: Report, *, stopping: bool) -> Scene:
        """Look at everything that is shown."""
        upto = await self.queries.settled_position()
        fresh = await self.queries.events_after(self._position, upto=upto, limit=PAGE)
        self._events.extend(fresh)
        self._position = fresh[-1].position if fresh else self._position
        return Scene(
            machines=await self.queries.machines(limit=self.demo.machines),
            events=tuple(self._events),
            report=report,
            sales_wanted=self.demo.sales and self.demo.sales + self.past.sales,
            calling=self._calling,
            control_url=self.control_url,
            console_link=self.console_link,
            vendgate=vendgate_in_shell(),
            processes={"hosts": await self.host_pids()},
            screen_url=self.screen_url,
            stopping=stopping,
        )

    async def host_pids(self) -> list[int]:
        """Return the processes that hold machines by now and may be killed: others take over. The
        gateway is none of them, because the demo ends with it.
        """
        nodes = [holder.node for holder in await self.leases.holders()]
        pids = {int(pid) for node in nodes if (pid := node.rpartition("/")[2]).isdecimal()}
        return sorted(pids - {self.gateway_pid})

    async def at_rest(self) -> bool:
        """Tell whether every customer has left, and their money is sold or back, in both books."""
        gone = self.fleet.process.returncode is not None
        if not gone and not all_have_left(self.fleet_folder, self.fleet.process.pid):
            return False
        async with answer_within(ANSWER_TIMEOUT_S, "the database"):
            report = await self.report()  # a look from before may be older than the last payment
        if report.money_held or report.money_due_back:
            return False
        async with answer_within(ANSWER_TIMEOUT_S, "the pretend Alipay"):
            return (await self.compare(report)).books_agree

    async def compare(self, report: Report) -> Report:
        """Hold our ledger against the pretend Alipay's own book."""
        async with httpx.AsyncClient(base_url=self.control_url, trust_env=False) as http:
            book = await whole_book(http)
        refunded = {
            balance.currency: balance.money_refunded_minor
            for balance in await self.queries.balances()
        }
        found = books.differences([trade async for trade in self._trades()], book, refunded)
        return replace(report, books_agree=not found, differences=tuple(found))

    async def look(self) -> Report:
        """Return what both books say now."""
        return await self.compare(await self.report())

    async def audited(self, report: Report) -> Report:
        """Check every invariant of our own book, as ``vendgate audit`` does."""
        found = await prove(
            self.database, now_ms=time.time_ns() // 1_000_000, own_ids={stage.PARTNER}
        )
        return replace(report, audit_clean=found.clean, findings=found.sentences)

    async def _trades(self) -> AsyncIterator[books.OurTrade]:
        position = ""
        while page := await self.queries.trades(position=position, limit=PAGE):
            for trade in page:
                yield books.OurTrade(
                    trade_id=trade.trade_id,
                    currency=trade.currency,
                    paid_minor=trade.paid_minor,
                    refunded_minor=trade.refunded_minor,
                )
            position = page[-1].position


def books_in(folder: Path) -> StorageConfig:
    """Return how the demo reads its database: a look that takes too long is ended by
    ``answer_within``, and the proof at the end is one read.
    """
    return StorageConfig(
        url=f"sqlite:///{folder / 'vendgate.db'}", read_timeout_ms=PROOF_TIMEOUT_S * 1_000
    )


async def agreed(look: Callable[[], Awaitable[Report]]) -> Report:
    """Look until the books agree, and at last return what they say all the same. They are read one
    after the other, so a refund that ends in between stands in one of them only.
    """
    for _ in range(PROOF_LOOKS - 1):
        report = await look()
        if report.books_agree:
            return report
        await asyncio.sleep(LOOK_EVERY_S)
    return await look()


async def whole_book(http: httpx.AsyncClient) -> dict[str, Any]:
    """Return the pretend Alipay's book, read page by page from the newest trade on, so that it may
    have any length.
    """
    trades: list[dict[str, Any]] = []
    before = ""
    while True:
        wanted = {"limit": str(PAGE), "before": before}
        book = (await http.get("/control/book", params=wanted, timeout=ANSWER_TIMEOUT_S)).json()
        assert isinstance(book, dict)
        trades += book["trades"]
        if len(book["trades"]) < PAGE:
            return {**book, "trades": trades}
        before = book["trades"][0]["trade_no"]


def vendgate_in_shell() -> str:
    """Return how this program is called in a shell of the same folder."""
    ours = Path(sys.executable).with_name("vendgate")
    found = shutil.which("vendgate")
    if found is not None and Path(found) == ours:
        return "vendgate"
    return str(ours.relative_to(Path.cwd()) if ours.is_relative_to(Path.cwd()) else ours)


async def play(demo: Demo, *, console: Terminal | None) -> Report | None:
    """Run the demo and return what it saw, or None if it was interrupted before anything could be
    seen. Raises ChildFailed.
    """
    with contextlib.nullcontext(demo.keep) if demo.keep else own_folder() as folder:
        return await _play_in(folder, demo, console=console)


async def _play_in(folder: Path, demo: Demo, *, console: Terminal | None) -> Report | None:
    stage.make_folder(folder)
    children = Children(folder)
    interruptions = Interruptions(children)
    report = None
    with interruptions.heard():
        try:
            report = await interruptions.play(_play(demo, folder, children, interruptions, console))
        except ChildFailed as failure:
            if not interruptions.wanted:
                raise
            with contextlib.suppress(OSError):
                print(failure, file=sys.stderr)  # it was told to end, perhaps together with us
        except (asyncio.CancelledError, OSError):
            # OSError: a terminal that was closed takes no drawing.
            if not interruptions.wanted:
                raise
        finally:
            if console is not None:
                with contextlib.suppress(OSError):  # a terminal that is not there any more
                    console.print(
                        f"ending the processes{', Ray takes a moment' if demo.ray else ''} ..."
                    )
            await children.stop()
    # Whoever interrupts wants no traces; what ends by itself and is not good is evidence.
    if demo.keep is None and (report is None or report.good or interruptions.wanted):
        shutil.rmtree(folder, ignore_errors=True)
    elif demo.keep is None:
        print(f"everything is left in {folder}", file=sys.stderr)
    return report


async def _play(
    demo: Demo,
    folder: Path,
    children: Children,
    interruptions: Interruptions,
    console: Terminal | None,
) -> Report:
    keys = folder / "alipay"
    ports = stage.ports_for(folder)
    pages = {"console": stage.console_table(ports, past=bool(demo.weeks))}
    identities = Identities.made(folder, now=dt.datetime.now(dt.UTC)) if demo.tls else None
    others = pages if identities is None else {**pages, **identities.tables(ports)}
    settings = stage.write_settings(folder, ports, keys=keys, ray=demo.ray, others=others)
    size = PastSize(seed=demo.seed, weeks=demo.weeks, machines=demo.machines)
    past = await lived(children, console, folder, settings, keys, size) if demo.weeks else NO_PAST
    async with shown(console, "starting the pretend Alipay"):
        alipay = await children.start("alipay", *stage.alipay_arguments(keys, ports))
    what = "starting Ray (up to half a minute) and the gateway"
    what = what if demo.ray else "starting the gateway"
    async with shown(console, what, log=folder / "gateway.log"):
        gateway = await children.start(
            "gateway", "serve", "--config", str(settings), "--json-ready"
        )
    # For whoever wants to kill one of them and see what happens.
    pids = {"gateway_pid": gateway.process.pid, "host_pids": gateway.ready["host_pids"]}
    if console is None:
        print(json.dumps(pids), file=sys.stderr, flush=True)
    machine_ids = stage.machine_names(demo.machines)
    async with (
        _administrator(gateway.ready["admin"], identities) as channel,
        shown(console, f"taking {len(machine_ids)} machines into the fleet"),
        answer_within(REGISTER_TIMEOUT_S, "the gateway"),
    ):
        if not demo.weeks:
            await stage.register(channel, machine_ids)
        await stage.show_pictures(channel)
        if identities is not None:
            await identities.make_tokens(channel, machine_ids)
    # That connection is closed by now: gRPC would tell of its end, on the screen, when it had been
    # idle for some minutes.
    fleet = await children.start(
        "machines",
        *_fleet_arguments(demo, folder, alipay, gateway, machine_ids, ports.screen),
        *(() if identities is None else identities.fleet_arguments(ports)),
    )
    async with answer_within(ANSWER_TIMEOUT_S, "the database"):
        database = await Database.open(books_in(folder))
    try:
        running = Stage(
            demo,
            alipay,
            gateway,
            fleet,
            database,
            fleet_folder=folder / stage.FLEET_FOLDER,
            screen_url=f"http://127.0.0.1:{ports.screen}/",
            identities=identities,
            past=past,
        )
        async with answer_within(ANSWER_TIMEOUT_S, "the database"):
            await running.let_a_visitor_in()
        interruptions.began = True
        return await _watch(running, interruptions, console)
    finally:
        await database.close()


def _administrator(address: str, identities: Identities | None) -> grpc.aio.Channel:
    if identities is None:
        return grpc.aio.insecure_channel(address, options=stage.DIRECT)
    return identities.channel(address, stage.DIRECT)


@contextlib.asynccontextmanager
async def answer_within(timeout_s: float, who: str) -> AsyncIterator[None]:
    """Put an end to a wait. Raises NoAnswer."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise NoAnswer(f"{who} did not answer within {timeout_s} s") from None
    except (httpx.HTTPError, grpc.aio.AioRpcError) as error:
        raise NoAnswer(f"{who} does not answer: {error}") from error


def _fleet_arguments(
    demo: Demo,
    folder: Path,
    alipay: Child,
    gateway: Child,
    machine_ids: tuple[str, ...],
    screen_port: int,
) -> list[str]:
    names = [word for machine_id in machine_ids for word in ("--machine", machine_id)]
    return [
        *(
            "simulate",
            "machines",
            "--gateway",
            gateway.ready["machines"],
            "--alipay",
            alipay.ready["url"],
        ),
        *(
            "--seed",
            str(demo.seed),
            "--state-dir",
            str(folder / stage.FLEET_FOLDER),
            "--pace",
            "0.5",
            "--screen-port",
            str(screen_port),
            "--json-ready",
        ),
        *names,
    ]


async def _watch(running: Stage, interruptions: Interruptions, console: Terminal | None) -> Report:
    """Watch until there are enough sales, or somebody stops it; then let the rest go back and
    compare the books.
    """
    demo = running.demo
    last_call_at: float | None = None
    # A pipe or a file gets the addresses at once, and the rest at the end.
    plain = console is not None and not console.is_terminal
    terminal = console.file if console is not None and console.file.isatty() else None
    with contextlib.ExitStack() as screen:
        live = (
            screen.enter_context(
                Live(console=console, screen=console.is_terminal, refresh_per_second=4)
            )
            if console
            else None
        )
        while True:
            # Its window was closed, and only the leader of the session was told: make, perhaps. Or
            # whoever read the pipe has read enough.
            closed = terminal is not None and not terminal.isatty()
            unread = console is not None and console.unread
            if (closed or unread) and not interruptions.wanted:
                signal.raise_signal(signal.SIGHUP)
            async with answer_within(ANSWER_TIMEOUT_S, "the database"):
                report = await running.report()
            sold = report.vends_succeeded - running.past.sales
            enough = demo.sales and sold >= demo.sales
            if last_call_at is None and (enough or interruptions.wanted):
                running.fleet.tell(signal.SIGUSR1)
                last_call_at = time.monotonic()
            if live is not None:
                async with answer_within(ANSWER_TIMEOUT_S, "the database"):
                    scene = await running.scene(report, stopping=last_call_at is not None)
                    live.update(Picture(scene))
                    if plain and console is not None:
                        console.print(Picture(scene))
                        plain = False
            if last_call_at is not None:
                patience_s = INTERRUPTED_TIMEOUT_S if interruptions.wanted else QUIET_TIMEOUT_S
                if await running.at_rest() or time.monotonic() - last_call_at > patience_s:
                    break
            await asyncio.sleep(LOOK_EVERY_S)
        async with answer_within(PROOF_TIMEOUT_S, "the database or the pretend Alipay"):
            report = await running.audited(await agreed(running.look))
            picture = Picture(await running.scene(report, stopping=True)) if live else None
            if live is not None and picture is not None:
                live.update(picture)
    if console is not None and console.is_terminal and picture is not None:
        console.print(picture)  # the other screen went away with its end
    elif console is not None:
        console.line()
    return report
