"""From settings to a running gateway. Everything is opened here, in order, and closed in the
reverse order.

Logs, the HTTP port, the database (which must have this program's schema), hosts, links to them,
HTTP, the machines' and the administrators' gRPC servers. At the stop: health says no, machines are
asked to move, then servers, links, hosts and database close.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from typing import Any

import structlog

from alipay_client import AlipayClient
from gateway.alipay.notify import NotifyIngress, NotifyLimits
from gateway.books.database import require_schema
from gateway.fleet.acts import FleetActs
from gateway.fleet.service import FleetService
from gateway.links.hosts import Hosts, open_hosts
from gateway.links.links import HostLinks
from gateway.machines.service import MachineService
from gateway.process import logs
from gateway.process.clock import SystemClock
from gateway.process.configs import Configs, configs
from gateway.process.settings import Settings, with_http_port
from gateway.process.signals import stop_signals
from gateway.rpc.counters import Counters
from gateway.rpc.limits import EdgeLimits
from gateway.serving import http_server
from gateway.serving.http_app import Readiness, build_http_app, sql_check
from gateway.serving.listeners import Listener, build_admin_server, build_machine_server
from gateway.serving.metrics import Snapshot
from gateway.v1 import fleet_service_pb2_grpc
from storage.database.engine import Database
from storage.fleet.answers import Answers
from storage.fleet.closings import Closings
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from storage.fleet.sold import SoldVends
from storage.fleet.views import GaugeView
from storage.machines.inbox import Inbox
from storage.machines.store import SqlMachineStore

_log = structlog.get_logger()
_ATTACH_TIMEOUT_S = 30.0
_MACHINES_GRACE_S = 2.0
_ADMIN_GRACE_S = 3.0


class GatewayLost(Exception):
    """The gateway cannot go on; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the gateway listens, with the ports that the system chose, and the processes in which
    machines live.
    """

    machines: str
    admin: str
    http: str
    public_url: str
    gateway_id: str
    pid: int
    host_pids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Storage:
    """The open database from each of its sides."""

    database: Database
    registry: Registry
    inbox: Inbox
    queries: Queries
    store: SqlMachineStore


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    """What is drained before it is closed."""

    service: MachineService
    machines: Listener
    admin: Listener


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
    SettingsRefused, SchemaMismatch, StoreError, HostsFailed, ListenRefused, OSError or GatewayLost,
    each with a sentence.
    """
    logs.set_up(level=settings.logs.level, line_format=settings.logs.format)
    gateway_id = f"gw-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    hurry, fatal = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        listen_to_signals = stack.enter_context(stop_signals(stop, hurry))
        listener = stack.enter_context(closing(http_server.bind(settings.http.address)))
        settings = stack.enter_context(with_http_port(settings, http_server.port_of(listener)))
        made = configs(settings)
        storage = await _open_storage(stack, made)
        hosts = await open_hosts(
            stack,
            settings,
            made,
            storage.database,
            config_path=config_path,
            ray=ray,
            on_fatal=lambda reason: _lose(fatal, reason),
        )
        listen_to_signals()
        links = HostLinks(
            hosts.links, gateway_id=gateway_id, partition_count=storage.database.partition_count
        )
        await links.start()
        stack.push_async_callback(links.stop)
        metrics, stopping = Counters(), asyncio.Event()
        service = MachineService(
            links,
            gateway_id=gateway_id,
            clock=SystemClock(),
            limits=EdgeLimits(**settings.limits.model_dump()),
            spiffe_domain=settings.machines.spiffe_domain,
        )
        readiness = await _open_http(
            stack, settings, made, storage, links, service, metrics, listener
        )
        edge = await _open_grpc(stack, settings, made, storage, links, service, metrics, stopping)
        await _attached(links, stop)
        ready(_addresses(settings, edge, listener, gateway_id, hosts))
        await _until_over(stop, fatal)
        readiness.draining = True
        stopping.set()
        await _drain(edge, hurry)
    if fatal.done():
        raise GatewayLost(
            f"A host ended and cannot go on here: {fatal.result()}. Is another gateway using "
            "the same database?"
        )


def _lose(fatal: "asyncio.Future[str]", reason: str) -> None:
    if not fatal.done():
        fatal.set_result(reason)


async def _open_storage(stack: AsyncExitStack, made: Configs) -> _Storage:
    await require_schema(made.storage)
    database = await Database.open(made.storage)
    stack.push_async_callback(database.close)
    return _Storage(
        database=database,
        registry=Registry(database),
        inbox=Inbox(database),
        queries=Queries(database),
        store=SqlMachineStore(database, notify_base_url=made.public_url),
    )


async def _open_http(
    stack: AsyncExitStack,
    settings: Settings,
    made: Configs,
    storage: _Storage,
    links: HostLinks,
    service: MachineService,
    metrics: Counters,
    listener: socket.socket,
) -> Readiness:
    asked: AlipayClient | None = None
    if settings.alipay.confirm_payments_by_query:
        asked = AlipayClient.open(made.alipay)
        stack.push_async_callback(asked.close)
    ingress = NotifyIngress(
        registry=storage.registry,
        inbox=storage.inbox,
        wake=links.notify,
        config=made.alipay,
        keys=made.keys,
        payer_salt=made.payer_salt,
        clock=SystemClock(),
        metrics=metrics,
        limits=NotifyLimits(
            read_timeout_ms=settings.http.read_timeout_ms,
            in_flight_max=settings.http.in_flight_max,
            payment_minor_max=settings.alipay.payment_minor_max,
        ),
        alipay=asked,
    )

    async def hosts_attached() -> bool:
        # One of them is enough: a host that starts anew must not take every gateway out of the
        # balancer at once.
        return any(link.attached for link in links.stats())

    def present(open_items: Sequence[GaugeView] | None) -> Snapshot:
        return Snapshot(
            now_ms=SystemClock().now_ms(),
            open_items=open_items,
            links=links.stats(),
            edge=service.stats(),
        )

    readiness = Readiness(checks={"sql": sql_check(storage.queries), "hosts": hosts_attached})
    app = build_http_app(
        ingress=ingress,
        readiness=readiness,
        metrics=metrics,
        queries=storage.queries,
        clock=SystemClock(),
        present=present,
    )
    await stack.enter_async_context(http_server.served(app, listener))
    return readiness


async def _open_grpc(
    stack: AsyncExitStack,
    settings: Settings,
    made: Configs,
    storage: _Storage,
    links: HostLinks,
    service: MachineService,
    metrics: Counters,
    stopping: asyncio.Event,
) -> _Edge:
    acts = FleetActs(
        registry=storage.registry,
        queries=storage.queries,
        answers=Answers(storage.database),
        closings=Closings(storage.database),
        sold=SoldVends(storage.database),
        store=storage.store,
        commands=links,
        clock=SystemClock(),
    )
    fleet = FleetService(acts=acts, queries=storage.queries, metrics=metrics, stopping=stopping)
    machines = build_machine_server(
        service,
        address=settings.machines.listen,
        tls=made.machines_tls,
    )
    stack.push_async_callback(machines.stop, grace_s=0)
    admin = build_admin_server(
        lambda to: fleet_service_pb2_grpc.add_FleetServiceServicer_to_server(fleet, to),
        address=settings.admin.listen,
        tls=made.admin_tls,
    )
    stack.push_async_callback(admin.stop, grace_s=0)
    await service.start()
    stack.push_async_callback(service.stop)
    await machines.start()
    await admin.start()
    return _Edge(service=service, machines=machines, admin=admin)


async def _attached(links: HostLinks, stop: asyncio.Event) -> None:
    """Wait a while for every host, so that who is told "ready" can sell at once. Without hosts the
    gateway serves what it can.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + _ATTACH_TIMEOUT_S
    while not all(link.attached for link in links.stats()) and not stop.is_set():
        if loop.time() > until:
            _log.warning(
                "hosts are not there yet; machines wait for theirs", waited_s=_ATTACH_TIMEOUT_S
            )
            return
        await asyncio.sleep(0.02)


async def _until_over(stop: asyncio.Event, fatal: "asyncio.Future[str]") -> None:
    waiting = asyncio.create_task(stop.wait())
    either: list[asyncio.Future[Any]] = [waiting, fatal]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _drain(edge: _Edge, hurry: asyncio.Event) -> None:
    """Send callers elsewhere: load balancers first, then machines (never in the middle of a vend,
    unless in a ``hurry``).
    """
    await edge.machines.not_serving()
    await edge.admin.not_serving()
    _log.info("asking machines to move", streams=edge.service.stats().streams)
    draining = asyncio.create_task(edge.service.drain())
    hurrying = asyncio.create_task(hurry.wait())
    await asyncio.wait([draining, hurrying], return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, hurrying):
        task.cancel()
    await asyncio.gather(draining, hurrying, return_exceptions=True)
    await asyncio.gather(
        edge.machines.stop(grace_s=_MACHINES_GRACE_S), edge.admin.stop(grace_s=_ADMIN_GRACE_S)
    )


def _addresses(
    settings: Settings, edge: _Edge, listener: socket.socket, gateway_id: str, hosts: Hosts
) -> Addresses:
    def at(listen: str, port: int) -> str:
        return f"{listen.rpartition(':')[0]}:{port}"

    return Addresses(
        machines=at(settings.machines.listen, edge.machines.port),
        admin=at(settings.admin.listen, edge.admin.port),
        http=at(settings.http.listen, http_server.port_of(listener)),
        public_url=settings.public_url,
        gateway_id=gateway_id,
        pid=os.getpid(),
        host_pids=hosts.pids,
    )
