"""From settings to a running gateway. Everything is opened here, in order, and closed in the
reverse order.

``run_gateway`` reads from top to bottom: settings, configs, database, hosts, links, services
(``assemble``), listeners, ready. At the stop: health says no, machines are asked to move, then
listeners, links, hosts and database close.
"""

import asyncio
import os
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import structlog
from prometheus_client import Counter

from actors import collector
from alipay_client import AlipayClient
from gateway.books.database import require_schema, served_alone
from gateway.links.cluster_hosts import of_cluster
from gateway.links.host_services import process_watch
from gateway.links.hosts import open_hosts
from gateway.links.links import HostLinks
from gateway.links.turn import OwnedElsewhere
from gateway.process import descriptors, logs
from gateway.process.clock import SystemClock
from gateway.process.clock_watch import clock_watched
from gateway.process.configs import Configs, certificate_problems, configs
from gateway.process.descriptors import Shares
from gateway.process.home import FILE, home_of
from gateway.process.rotation import follow
from gateway.process.sections import Address, Admin
from gateway.process.settings import Settings, with_http_port
from gateway.process.signals import stop_signals
from gateway.process.skew import process_skew
from gateway.process.works import process_works
from gateway.rpc.https import Contexts
from gateway.rpc.limits import HttpLimits
from gateway.screens.files import PATH
from gateway.serving import http_server
from gateway.serving.assemble import Gateway, assemble
from gateway.serving.draining import Drain
from gateway.serving.enrolment_child import Task
from gateway.serving.enrolment_door import EnrolmentDoor, keys_of
from gateway.serving.listeners import Listener
from gateway.serving.rotated import use
from gateway.serving.unix_socket import Socket
from gateway.web.app import build_console_app
from storage.database.durability import require_durable
from storage.database.engine import Database
from storage.machines.holding import SqlLeases

log = structlog.get_logger()
_ATTACH_TIMEOUT_S = 30.0
_MACHINES_GRACE_S = 2.0
_ADMIN_GRACE_S = 3.0
_LOST_WITHIN_MS = 2_000
"""A gateway without hosts can finish no vend: its machines are sent away at once."""


class GatewayLost(Exception):
    """The gateway cannot go on; the sentence says why. Started again it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the gateway listens, with the ports that the system chose, and the processes in which
    machines live. ``console`` is the address of the pages, and ``enrolment`` of machines
    without a certificate; each is empty if it is off.
    """

    machines: str
    admin: str
    http: str
    health: str
    console: str
    enrolment: str
    public_url: str
    gateway_id: str
    pid: int
    host_pids: tuple[int, ...]


async def run_gateway(
    settings: Settings,
    *,
    config_path: str | None,
    ray: bool,
    ready: Callable[[Addresses], None],
    stop: asyncio.Event,
) -> None:
    """Open the gateway, call ``ready``, serve until ``stop`` (or a signal that asks for an end),
    close it.

    ``config_path``: the file that the processes of hosts read their settings from. Raises
    SettingsRefused, SchemaMismatch, StoreError, HostsFailed, OwnedElsewhere, ListenRefused, OSError
    or GatewayLost, each with a sentence.
    """
    logs.set_up(level=settings.logs.level, line_format=settings.logs.format)
    gateway_id = f"gw-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    hurry, fatal = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        listen_to_signals = stack.enter_context(stop_signals(stop, hurry))
        stack.enter_context(_in_vain_if_stopped(stop))
        # Settings and configs. The HTTP port comes first: notify URLs are made of it.
        listener = _bound(stack, "http.listen", settings.http.address)
        health = _bound(stack, "health.listen", settings.health.address)
        at = settings.screens.address
        files = None if at is None else _bound(stack, "screens.listen", at)
        settings = stack.enter_context(with_http_port(settings, http_server.port_of(listener)))
        made = configs(settings)
        for sentence in certificate_problems(made, now_ms=SystemClock().now_ms()):
            log.error("a certificate must be renewed", problem=sentence)
        shares = _shares(settings)
        # Database, which must have this program's schema.
        await require_schema(made.storage)
        home = _home(stack, settings, made, listener, ray=ray)
        database = await Database.open(made.storage)
        stack.push_async_callback(database.close)
        if settings.database.durability == "full":
            await database.read(require_durable)
        await stack.enter_async_context(clock_watched(process_watch(database)))
        # Hosts, and the links to them.
        hosts = await open_hosts(
            stack,
            settings,
            made,
            database,
            config_path=config_path,
            ray=ray,
            home=home,
            on_fatal=lambda reason: _lose(fatal, reason),
            stop=stop,
        )
        listen_to_signals()
        links = HostLinks(
            hosts.links,
            gateway_id=gateway_id,
            partition_count=database.partition_count,
            look=SqlLeases(database).look,
            open_link=hosts.open_link,
        )
        await links.start()
        stack.push_async_callback(links.stop)
        # Services.
        asked: AlipayClient | None = None
        if made.confirm_payments_by_query:
            skew = process_skew()
            asked = AlipayClient.open(made.alipay, now=skew.alipay_now, answered=skew.answered)
            stack.push_async_callback(asked.close)
        gateway = assemble(
            made,
            database,
            links,
            gateway_id=gateway_id,
            asked=asked,
            screens_url=_files_url(settings, files),
            head=hosts.head,
            cluster=of_cluster(stack, settings, hosts.head, config_path=config_path),
        )
        await gateway.office.denying.look()
        _begin_work(stack, gateway, made)
        # Listeners.
        await _serve_http(stack, gateway, listener, health, files, shares)
        pages = await _serve_console(stack, gateway, settings, made, shares)
        machines, admin = await _listen(stack, gateway, settings, made, shares)
        enrolment = await _listen_to_new(stack, gateway, made, shares)
        # Ready; and the end.
        await _attached(links, stop)
        ready(
            Addresses(
                machines=_at(settings.machines.listen, machines.port),
                admin=_at(settings.admin.listen, admin.port),
                http=_at(settings.http.listen, http_server.port_of(listener)),
                health=_at(settings.health.listen, http_server.port_of(health)),
                console=pages,
                enrolment=enrolment,
                public_url=settings.public_url,
                gateway_id=gateway_id,
                pid=os.getpid(),
                host_pids=hosts.pids,
            )
        )
        with collector.seldom():
            await _until_over(stop, fatal)
        gateway.stopping.set()
        within_ms = _LOST_WITHIN_MS if fatal.done() else None
        await _drained(gateway.drain, hurry, within_ms=within_ms)
        await asyncio.gather(
            machines.stop(grace_s=_MACHINES_GRACE_S), admin.stop(grace_s=_ADMIN_GRACE_S)
        )
    if fatal.done():
        raise GatewayLost(
            f"This gateway cannot go on: {fatal.result().rstrip('.')}. Start it again; if that "
            "happens often, see its log, and whether another gateway is using the same database."
        )


def _bound(stack: AsyncExitStack, setting: str, address: Address) -> socket.socket:
    return stack.enter_context(closing(http_server.bind(address, setting=setting)))


@contextmanager
def _in_vain_if_stopped(stop: asyncio.Event) -> Iterator[None]:
    """Let a gateway that waits for its turn end in order when it is told to."""
    try:
        yield
    except OwnedElsewhere:
        if not stop.is_set():
            raise


def _home(
    stack: AsyncExitStack, settings: Settings, made: Configs, listener: socket.socket, *, ray: bool
) -> str:
    """Return the home of hosts that live and die with this gateway. Raises StoreError if another
    gateway serves the same SQLite file.
    """
    if (settings.ray.mode != "cluster" or not ray) and stack.enter_context(
        served_alone(made.storage.url)
    ):
        return FILE
    port = http_server.port_of(listener)
    return home_of(Address(host=settings.http.address.host, port=port))


def _shares(settings: Settings) -> Shares:
    """Share out the descriptors that this process may have. Machines get two places each, for a
    machine that moves has two connections.
    """
    streams = settings.limits.streams_max
    shares = descriptors.shared_out(
        descriptors.raise_limit(),
        machines_wanted=2 * streams,
        pages=settings.console.enabled,
        screens=settings.screens.listen is not None,
        enrolment=settings.enrolment.enabled,
    )
    log.info("descriptors are shared out", **asdict(shares))
    return shares


async def _serve_http(
    stack: AsyncExitStack,
    gateway: Gateway,
    notify: socket.socket,
    health: socket.socket,
    files: socket.socket | None,
    shares: Shares,
) -> None:
    """Serve notifications, what operators ask, and what machines show, each on their own
    socket.
    """
    ended = gateway.metrics.connections_ended
    for door, app, listener, connections in (
        ("http", gateway.http_app, notify, shares.http),
        ("health", gateway.health_app, health, shares.health),
        ("screens", gateway.files_app, files, shares.screens),
    ):
        if app is None or listener is None:
            continue
        limits = HttpLimits(
            connections_max=connections, connections_per_address_max=max(1, connections // 4)
        )
        told = partial(_ended, ended, door)
        await stack.enter_async_context(
            http_server.served(app, listener, limits=limits, ended=told)
        )


async def _serve_console(
    stack: AsyncExitStack,
    gateway: Gateway,
    settings: Settings,
    made: Configs,
    shares: Shares,
) -> str:
    """Serve the pages for people on a socket of their own, and return their address; empty if they
    are off.
    """
    if gateway.console is None:
        return ""
    listener = _bound(stack, "console.listen", settings.console.address)
    port = http_server.port_of(listener)
    tls: Callable[[], ssl.SSLContext] | None = (
        None if made.console_tls is None else Contexts(made.console_tls)
    )
    limits = HttpLimits(
        connections_max=shares.console, connections_per_address_max=max(1, shares.console // 2)
    )
    app = build_console_app(gateway.console, hosts=made.console.hosts(port))
    told = partial(_ended, gateway.metrics.connections_ended, "console")
    await stack.enter_async_context(
        http_server.served(app, listener, limits=limits, ended=told, tls=tls)
    )
    return f"http{'' if tls is None else 's'}://{_at(made.console.listen, port)}"


def _begin_work(stack: AsyncExitStack, gateway: Gateway, made: Configs) -> None:
    """Begin what a gateway does by itself, until the stack is closed."""
    office, works = gateway.office, process_works()
    begun = [
        works.begin("payment-question", gateway.ingress.try_query, ends=True),
        works.begin("payer-sweep", gateway.payer_sweep.run),
        works.begin("totals", gateway.totals.run),
        works.begin("imports", office.importing.run),
        works.begin("applications", office.applying.run),
        works.begin("recalls", office.recalling.run),
        works.begin("experiments", office.experimenting.run),
        works.begin("import-sweep", office.sweeping.run),
        works.begin("denials", office.denying.run),
        works.begin("doubles", gateway.doubles.run),
        works.begin("sales", gateway.follower.run),
        *(works.begin(name, sweep.run) for name, sweep in gateway.screen_sweeps.items()),
    ]
    if made.rotating is not None:
        begun.append(works.begin("secrets", partial(follow, made.rotating, partial(use, gateway))))
    if gateway.head is not None:
        begun.append(works.begin("ray-head", gateway.head.run))
    if gateway.hosts.cluster is not None:
        begun.append(works.begin("ray-hosts", gateway.hosts.cluster.run))
    if gateway.screen_desk is not None:
        begun.append(works.begin("screens", gateway.screen_desk.run))
    for work in begun:
        stack.push_async_callback(_cancelled, work)


def _files_url(settings: Settings, files: socket.socket | None) -> str:
    """Return where machines fetch what they show, empty if nowhere."""
    address = settings.screens.address
    if files is None or address is None:
        return ""
    here = f"http://{Address(host=address.host, port=http_server.port_of(files))}"
    return f"{(settings.screens.public_url or here).rstrip('/')}{PATH}"


def _ended(counter: Counter, door: str, reason: str) -> None:
    counter.labels(door, reason).inc()
    log.warning("a connection was ended by its door", door=door, reason=reason)


async def _listen(
    stack: AsyncExitStack, gateway: Gateway, settings: Settings, made: Configs, shares: Shares
) -> tuple[Listener, Listener]:
    """Serve machines and administrators, each on their own address."""
    machines = gateway.machine_listener(
        settings.machines.listen, made.machines_tls, connections_max=shares.machines
    )
    stack.push_async_callback(machines.stop, grace_s=0)
    admin = gateway.admin_listener(
        settings.admin.listen,
        made.admin_tls,
        socket=_socket(settings.admin),
        connections_max=shares.admin,
    )
    stack.push_async_callback(admin.stop, grace_s=0)
    await gateway.machines.start()
    stack.push_async_callback(gateway.machines.stop)
    await machines.start()
    await admin.start()
    gateway.drain.listeners = (machines, admin)
    return machines, admin


async def _listen_to_new(
    stack: AsyncExitStack, gateway: Gateway, made: Configs, shares: Shares
) -> str:
    """Serve machines that come for their first certificate, and return the address; empty if it is
    off.
    """
    if made.enrolment is None:
        return ""
    listen, tls = made.enrolment.listen, made.enrolment.tls
    desk = gateway.enrolment_desk()
    stack.push_async_callback(desk.stop)
    await desk.start()
    task = Task(
        address=listen,
        desk=str(desk.path),
        connections_max=shares.enrolment,
        keys=keys_of(tls),
    )
    door = EnrolmentDoor(task, tls=tls, died=gateway.metrics.enrolment_deaths.inc)
    port = await door.open()
    stack.push_async_callback(door.close)
    return _at(listen, port)


def _socket(admin: Admin) -> Socket | None:
    if admin.socket_file is None:
        return None
    return Socket(path=admin.socket_file, mode=int(admin.socket_mode, 8))


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has let go of what it holds."""
    task.cancel()
    await asyncio.wait({task})


def _lose(fatal: "asyncio.Future[str]", reason: str) -> None:
    if not fatal.done():
        fatal.set_result(reason)


def _at(listen: str, port: int) -> str:
    return f"{listen.rpartition(':')[0]}:{port}"


async def _attached(links: HostLinks, stop: asyncio.Event) -> None:
    """Wait a while for every host, so that who is told "ready" can sell at once. Without hosts the
    gateway serves what it can.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + _ATTACH_TIMEOUT_S
    while not links.attached and not stop.is_set():
        if loop.time() > until:
            log.warning(
                "hosts are not there yet; machines wait for theirs",
                waited_s=_ATTACH_TIMEOUT_S,
                why=links.sentences(),
            )
            return
        await asyncio.sleep(0.02)


async def _until_over(stop: asyncio.Event, fatal: "asyncio.Future[str]") -> None:
    waiting = asyncio.create_task(stop.wait())
    either: list[asyncio.Future[Any]] = [waiting, fatal]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _drained(drain: Drain, hurry: asyncio.Event, *, within_ms: int | None) -> None:
    """Send callers elsewhere: load balancers first, then machines (never in the middle of a vend,
    unless in a ``hurry``).
    """
    hurrying = asyncio.create_task(hurry.wait())
    draining = drain.begin(within_ms=within_ms)
    await asyncio.wait([draining, hurrying], return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    await drain.stop()
    if not draining.cancelled() and (error := draining.exception()) is not None:
        log.error("the drain failed", exc_info=error)
