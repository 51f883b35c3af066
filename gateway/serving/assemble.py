"""The one place where a gateway is put together: for the real program (``wiring``), for a test's
site, and for a process of a simulated world.

Flows in: configs, an open database, the links to the hosts, and what differs from one world to the
next: clocks, randomness, who is asked about payments. Flows out: the parts, of which none runs yet.
Nothing is opened here. What a host needs is made in ``gateway.links.host_services``, which must
load without gRPC.
"""

import asyncio
import random as random_module
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette

from actors.ports import Clock, InboxItem, StoreError
from alipay_client import AlipayClient
from gateway.alipay.buyers import Buyers, new_payer_id
from gateway.alipay.notify import NotifyIngress
from gateway.fleet.acts import FleetActs
from gateway.fleet.answering import Parts
from gateway.fleet.services import STATUSES
from gateway.links.cluster_hosts import ClusterHosts
from gateway.links.head import ClusterHead
from gateway.links.host_desk import HostDesk
from gateway.links.links import HostLinks
from gateway.machines.service import MachineService, new_token
from gateway.office import services
from gateway.office.parts import OfficeParts
from gateway.process.certificates import days_left
from gateway.process.clock import process_clock
from gateway.process.configs import Configs
from gateway.process.memory import memory
from gateway.process.skew import AgreedClock, Skew, process_skew
from gateway.process.sweep import Sweep
from gateway.process.works import process_works
from gateway.rpc.counters import Counters
from gateway.rpc.denylist import Denylist
from gateway.rpc.offenders import Offenders, Principal
from gateway.rpc.options import CONNECTIONS_MAX
from gateway.rpc.tls import Tls
from gateway.screens.desk import ScreenDesk
from gateway.screens.keeping import sweeps
from gateway.screens.saying import NO_SCREENS
from gateway.serving.draining import Drain, drain_route
from gateway.serving.enrolment_door import EnrolmentDesk
from gateway.serving.http_app import (
    CHECK_TIMEOUT_S,
    Readiness,
    build_health_app,
    build_notify_app,
    saves_check,
    schema_check,
    sql_check,
)
from gateway.serving.listeners import (
    Listener,
    build_admin_server,
    build_machine_server,
)
from gateway.serving.metrics import Snapshot
from gateway.serving.screens import screens_of
from gateway.serving.unix_socket import Socket
from gateway.trust.certificate_calls import CertificateCalls
from gateway.trust.door import AdminDoor, looks_of, roles_of
from gateway.trust.doubles import Doubles
from gateway.trust.enrolling import Enrolling, issuer_of
from gateway.trust.people import people_of
from gateway.web.app import ConsoleParts
from gateway.web.asking import LocalCalls
from gateway.web.people import Visitors, key_of
from gateway.web.shown import Templates
from storage.database.engine import Database
from storage.fleet.answers import Answers
from storage.fleet.closings import Closings
from storage.fleet.erasures import Erasures
from storage.fleet.logins import Logins
from storage.fleet.paid_times import newest_paid_ms
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from storage.fleet.sold import SoldVends
from storage.fleet.totals_keeper import TotalsKeeper
from storage.fleet.views import GaugeView
from storage.insight.follower import Follower, lag_of
from storage.insight.forgetting import Keeps
from storage.insight.suppression import Gate
from storage.machines.inbox import Inbox
from storage.machines.payers import SWEPT_MAX, Payers
from storage.machines.store import SqlMachineStore
from storage.offers import rights
from storage.office.certificates import Certificates
from storage.office.enrolment_tokens import EnrolmentTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The parts of one gateway. ``start`` the links and the machines' service, serve the listeners,
    ``http_app`` and ``health_app``, and stop in the reverse order.

    Set ``stopping`` to end administrators' watches before their listener is stopped.
    """

    registry: Registry
    queries: Queries
    store: SqlMachineStore
    links: HostLinks
    head: ClusterHead | None
    """Of the hosts' Ray cluster; None: they live in none."""
    hosts: HostDesk
    machines: MachineService
    fleet: Parts
    office: OfficeParts
    door: AdminDoor
    doubles: Doubles
    certificates: CertificateCalls | None
    """Machines' first and next ones; None: nobody gives them any here."""
    ingress: NotifyIngress
    payer_sweep: Sweep
    totals: TotalsKeeper
    follower: Follower
    readiness: Readiness
    drain: Drain
    http_app: Starlette
    """Alipay's notifications."""
    screen_desk: ScreenDesk | None
    screen_sweeps: Mapping[str, Sweep]
    files_app: Starlette | None
    """What machines show; None: nothing is served."""
    health_app: Starlette
    """What operators ask."""
    console: ConsoleParts | None
    """What people look at; None: it is off."""
    metrics: Counters
    stopping: asyncio.Event

    def machine_listener(
        self, address: str, tls: Tls | None, *, connections_max: int = CONNECTIONS_MAX
    ) -> Listener:
        """Bind the machines' listener. Raises ListenRefused."""
        return build_machine_server(
            self.machines,
            address=address,
            tls=tls,
            renewal=None if self.certificates is None else self.certificates.renewal(),
            connections_max=connections_max,
        )

    def enrolment_desk(self) -> EnrolmentDesk:
        """Bind the socket at which the process at the enrolment port asks. Raises ListenRefused."""
        assert self.certificates is not None
        return EnrolmentDesk(self.certificates.enrolment())

    def admin_listener(
        self,
        address: str,
        tls: Tls | None,
        *,
        socket: Socket | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> Listener:
        """Bind the administrators' listener. Raises ListenRefused."""
        return build_admin_server(
            lambda to: services.add_services(self.office, to),
            door=self.door,
            address=address,
            tls=tls,
            socket=socket,
            connections_max=connections_max,
        )


def assemble(
    made: Configs,
    database: Database,
    links: HostLinks,
    *,
    gateway_id: str,
    asked: AlipayClient | None = None,
    clock: Clock | None = None,
    skew: Skew | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    random: Callable[[], float] = random_module.random,
    tokens: Callable[[], str] = new_token,
    payer_ids: Callable[[], str] = new_payer_id,
    wake: Callable[[InboxItem], None] | None = None,
    metrics: Counters | None = None,
    command_timeout_s: float = 10.0,
    code_wait_s: float = 8.0,
    check_timeout_s: float = CHECK_TIMEOUT_S,
    screens_url: str = "",
    head: ClusterHead | None = None,
    cluster: ClusterHosts | None = None,
) -> Gateway:
    """Put a gateway together. Each argument after ``gateway_id`` is a seam: left out, it is what
    the real program has.

    ``screens_url``: where machines fetch what they show; empty: they are told nothing. ``asked``
    confirms payments; ``wake`` takes what is saved to its owner; ``skew``: heard of Alipay's clock;
    ``head`` is that of the hosts' ``cluster``.
    """
    skew = skew or (process_skew() if clock is None else Skew(clock))
    clock, metrics, stopping = clock or process_clock(), metrics or Counters(), asyncio.Event()
    metrics.admin_calls.expect(services.METHODS, STATUSES)
    registry, queries = Registry(database, made.policy), Queries(database)
    denied, gate = Denylist(), Gate(made.insight.gate_payers)
    due = skew.agreed(partial(newest_paid_ms, database))
    store = SqlMachineStore(database, notify_base_url=made.public_url)
    screens = screens_of(made, database, clock, due, monotonic, screens_url, denied)
    doubles, offenders = _doubles(database, clock, due), Offenders(clock=clock)
    machines = MachineService(
        links,
        gateway_id=gateway_id,
        clock=clock,
        limits=made.edge_limits,
        spiffe_domain=made.spiffe_domain,
        registered=store.registered,
        busy=store.busy,
        denied=denied,
        monotonic=monotonic,
        random=random,
        tokens=tokens,
        answered=metrics.vend_answered,
        screens=screens.desk or NO_SCREENS,
        came=doubles.came,
        offends=partial(offenders.note, Principal.MACHINE),
    )
    ingress = NotifyIngress(
        registry=registry,
        inbox=Inbox(database, partial(rights.usable, gate=gate)),
        wake=wake or links.notify,
        config=made.alipay,
        keys=made.keys,
        buyers=Buyers(
            salt=made.payer_salt, new_payer_id=payer_ids, other_salts=made.other_payer_salts
        ),
        clock=clock,
        metrics=metrics,
        skew=skew,
        limits=made.notify_limits,
        alipay=asked,
    )
    acts = FleetActs(
        registry=registry,
        queries=queries,
        answers=Answers(database, keeping=due),
        closings=Closings(database),
        erasures=Erasures(database),
        sold=SoldVends(database),
        store=store,
        commands=links,
        clock=clock,
        command_timeout_s=command_timeout_s,
        code_wait_s=code_wait_s,
    )
    hosts = HostDesk(database=database, told=links.figures, clock=clock, cluster=cluster)
    fleet = Parts(acts=acts, queries=queries, metrics=metrics, stopping=stopping, hosts=hosts)
    readiness = _readiness(database, queries, links, head, skew, check_timeout_s)
    drain = Drain(machines, readiness, gateway_id=gateway_id)
    door = AdminDoor(
        people=people_of(made.roles, clock=clock, monotonic=monotonic),
        needed=roles_of(services.FILES),
        looks=looks_of(services.FILES),
        registry=registry,
        calls=metrics.admin_calls,
        clock=clock,
        denied=denied,
        offenders=offenders,
        monotonic=monotonic,
    )

    def close_denied() -> None:
        machines.close_denied()
        door.close_denied()

    office = OfficeParts.on(
        database,
        fleet,
        due,
        posters=made.posters,
        offers=made.offers,
        denied=denied,
        close_denied=close_denied,
        shown_here=machines.showing,
        asset_folder=screens.folder,
        plays_days=made.screens.plays_days,
        screens_changed=screens.desk.wake if screens.desk is not None else lambda: None,
        enrolment="" if made.enrolment is None else made.enrolment.public_address,
        offenders=offenders,
        gate=gate,
        payer_unused_days=made.payer_unused_days,
    )
    doubles.found = office.denying.wake
    return Gateway(
        registry=registry,
        queries=queries,
        store=store,
        links=links,
        head=head,
        hosts=hosts,
        machines=machines,
        fleet=fleet,
        office=office,
        door=door,
        doubles=doubles,
        certificates=_certificates(
            made, database, clock, due, monotonic, office, denied, offenders
        ),
        screen_desk=screens.desk,
        screen_sweeps=sweeps(database, due, made.screens, screens.unnamed),
        files_app=screens.files,
        ingress=ingress,
        payer_sweep=Sweep(
            what="payers who have not paid for long",
            forget=Payers(database).forget_unused,
            at_once=SWEPT_MAX,
            days=made.payer_unused_days,
            clock=due,
        ),
        totals=TotalsKeeper(db=database, wrong=metrics.totals_wrong.inc),
        follower=Follower(
            db=database,
            clock=clock,
            keeping=due,
            holder=gateway_id,
            keeps=Keeps(hours_days=made.insight.machine_hours_days, tag_days=made.insight.tag_days),
        ),
        readiness=readiness,
        drain=drain,
        http_app=build_notify_app(ingress),
        health_app=build_health_app(
            readiness=readiness,
            metrics=metrics,
            queries=queries,
            clock=clock,
            present=_figures(made, links, head, hosts, machines, clock, skew, offenders),
            others=(drain_route(drain, ingress.salts),),
        ),
        console=_console(made, database, office, door, clock) if made.console.enabled else None,
        metrics=metrics,
        stopping=stopping,
    )


def _doubles(database: Database, clock: Clock, due: AgreedClock) -> Doubles:
    return Doubles(
        ask=lambda came, now_ms: Certificates(database, due).came(came, now_ms=now_ms),
        clock=clock,
        found=lambda: None,
    )


def _certificates(
    made: Configs,
    database: Database,
    clock: Clock,
    due: AgreedClock,
    monotonic: Callable[[], float],
    office: OfficeParts,
    denied: Denylist,
    offenders: Offenders,
) -> CertificateCalls | None:
    config = made.enrolment
    if config is None:
        return None
    return CertificateCalls(
        enrolling=Enrolling(
            tokens=EnrolmentTokens(database, due),
            certificates=Certificates(database, due),
            issuer=issuer_of(config, made.spiffe_domain),
            days=config.days,
            clock=clock,
            keeping=due,
            denied=office.denying.wake,
        ),
        denied=denied,
        monotonic=monotonic,
        spiffe_domain=made.spiffe_domain,
        gateway=config.gateway,
        offenders=offenders,
    )


def _console(
    made: Configs, database: Database, office: OfficeParts, door: AdminDoor, clock: Clock
) -> ConsoleParts:
    return ConsoleParts(
        asking=LocalCalls(
            lambda to: services.add_services(office, to), guard=door.guarded, allowed=door.allowed
        ),
        people=Visitors(
            logins=Logins(database),
            clock=clock,
            key=key_of(made.payer_salt),
            secure=made.console_tls is not None,
        ),
        look=Templates(made.console.time_zone),
        clock=clock,
        position=office.fleet.queries.settled_position,
    )


def _readiness(
    database: Database,
    queries: Queries,
    links: HostLinks,
    head: ClusterHead | None,
    skew: Skew,
    check_timeout_s: float,
) -> Readiness:
    async def hosts_attached() -> bool:
        # One of them is enough: a host that starts again must not take every gateway out of the
        # balancer at once.
        return any(link.attached for link in links.stats())

    def warnings() -> tuple[str, ...]:
        of_head = () if head is None else head.sentences()
        return (
            *skew.sentences(),
            *links.sentences(),
            *of_head,
            *process_works().sentences(),
        )

    return Readiness(
        checks={
            "sql": sql_check(queries),
            "schema": schema_check(database),
            "saves": saves_check(database),
            "hosts": hosts_attached,
        },
        warnings=warnings,
        check_timeout_s=check_timeout_s,
    )


def _figures(
    made: Configs,
    links: HostLinks,
    head: ClusterHead | None,
    desk: HostDesk,
    machines: MachineService,
    clock: Clock,
    skew: Skew,
    offenders: Offenders,
) -> Callable[[Sequence[GaugeView] | None], Awaitable[Snapshot]]:
    listeners = {
        "machines": made.machines_tls,
        "admin": made.admin_tls,
        "console": made.console_tls,
        "enrolment": None if made.enrolment is None else made.enrolment.tls,
    }

    async def present(open_items: Sequence[GaugeView] | None) -> Snapshot:
        hosts, now_ms = await desk.figures(), clock.now_ms()
        if open_items is not None:
            open_items = [*open_items, *await _untold(desk.database)]
        return Snapshot(
            now_ms=now_ms,
            open_items=open_items,
            links=links.stats(),
            head_up=None if head is None else head.up,
            hosts=hosts,
            host_counts=await desk.counts(links.stats()),
            edge=machines.stats(),
            clock_ahead_ms=skew.ahead_ms(),
            offenders=offenders.recent(),
            memory=memory(),
            works_ended=process_works().counts,
            certificates={
                (listener, file): days
                for listener, tls in listeners.items()
                if tls is not None
                for file, days in days_left(tls, now_ms=now_ms).items()
            },
        )

    return present


async def _untold(database: Database) -> Sequence[GaugeView]:
    """Return how far the follower of the books is behind them; nothing if SQL does not answer."""
    try:
        lag = await lag_of(database)
    except StoreError:
        return ()
    view = GaugeView(
        name="sales_untold", status="", count=lag.lines, oldest_at_ms=lag.waits_since_ms
    )
    return (view,)
