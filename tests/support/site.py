"""A gateway's administrators' side and HTTP side in one test: real SQL, a real host, real links,
and the pretend Alipay behind HTTP.

Nothing of ours is replaced; only sockets to Alipay are (both ways), by transports in memory.
"""

import asyncio
import datetime as dt
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import grpc.aio
import httpx

from actors.host.host import Host
from actors.host.services import HostLimits
from actors.machine.ids import Currency, MachineId
from actors.machine.policy import Policy
from actors.machine.state import Column
from actors.performer import Merchant
from actors.ports import InboxItem
from alipay_client import AlipayClient
from alipay_client.keys import load_keys
from alipay_client.simulator import SimulatedAlipay, SimulatorConfig, build
from gateway.alipay.notify import NotifyIngress
from gateway.fleet.v1 import (
    event_service_pb2_grpc,
    fleet_service_pb2_grpc,
    session_service_pb2_grpc,
    trade_service_pb2_grpc,
    work_item_service_pb2_grpc,
)
from gateway.links.host_services import make_host_services
from gateway.links.links import HostLinks
from gateway.office.v1 import (
    audit_data_service_pb2_grpc,
    command_service_pb2_grpc,
    goods_service_pb2_grpc,
    incident_service_pb2_grpc,
    machine_import_service_pb2_grpc,
    machine_profile_service_pb2_grpc,
    place_service_pb2_grpc,
    planogram_service_pb2_grpc,
    poster_service_pb2_grpc,
    price_service_pb2_grpc,
    product_service_pb2_grpc,
    recall_service_pb2_grpc,
    sales_service_pb2_grpc,
    stock_service_pb2_grpc,
    visit_service_pb2_grpc,
)
from gateway.process.clock import SystemClock
from gateway.process.configs import Configs
from gateway.process.sections import Screens
from gateway.rpc.counters import Counters
from gateway.rpc.limits import NotifyLimits
from gateway.rpc.roles import Role, RolesOf
from gateway.serving.assemble import Gateway, assemble
from gateway.serving.http_app import Readiness
from storage.database.engine import Database, StorageConfig
from storage.fleet.joining import NewMachine, Registered
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from storage.machines.store import SqlMachineStore
from tests.alipay_client.wire import PARTNER, Pair, form, private_pem, public_pem
from tests.support.patience import HANGS_AFTER_S
from tests.support.proven import prove_file

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
BASE_URL = "http://gateway.test"
SALT = b"0123456789abcdef"
Found = TypeVar("Found")
MERCHANT = Merchant(
    secondary_merchant_id="M1",
    secondary_merchant_name="Corner Vending",
    secondary_merchant_industry="5812",
)
COLUMNS = (Column(column="A1", product="cola", price_minor=500, capacity=10, stock=10),)
PARTITIONS = 8
OWNERS = RolesOf(unproven=frozenset({Role.OWNER}), claims_are_people=True)
"""Whoever is on this computer, as at a demo."""
POLICY = Policy(refund_retry_ms=(20, 20, 20, 20, 10_000))
"""The product's own limits, but that the first questions about a refund come soon."""


@dataclass(kw_only=True)
class SiteClock:
    """The one wall clock of a site, Alipay's too. It goes as the computer's does; ``ahead_ms`` sets
    it, as an operator might.
    """

    ahead_ms: int = 0

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return SystemClock().now_ms() + self.ahead_ms


@dataclass(kw_only=True)
class Site:
    """``woken`` are the wake-ups that the ingress gave; with a host they reach it too. ``asked``
    are the calls that Alipay got.
    """

    path: Path
    pair: Pair
    database: Database
    close_database: Callable[[], Awaitable[None]]
    clock: SiteClock
    alipay: SimulatedAlipay
    asked: list[dict[str, str]]
    host: Host
    gateway: Gateway
    http: httpx.AsyncClient
    channel: grpc.aio.Channel
    woken: list[InboxItem]

    @property
    def registry(self) -> Registry:
        return self.gateway.registry

    @property
    def queries(self) -> Queries:
        return self.gateway.queries

    @property
    def store(self) -> SqlMachineStore:
        return self.gateway.store

    @property
    def links(self) -> HostLinks:
        return self.gateway.links

    @property
    def ingress(self) -> NotifyIngress:
        return self.gateway.ingress

    @property
    def readiness(self) -> Readiness:
        return self.gateway.readiness

    @property
    def metrics(self) -> Counters:
        return self.gateway.metrics

    @property
    def stopping(self) -> asyncio.Event:
        return self.gateway.stopping

    @property
    def audit_data(self) -> Any:
        """A client of AuditDataService."""
        return audit_data_service_pb2_grpc.AuditDataServiceStub(self.channel)

    @property
    def fleet(self) -> Any:
        """A client of FleetService, as grpcurl is one; its stub's types are loose on purpose."""
        return fleet_service_pb2_grpc.FleetServiceStub(self.channel)

    @property
    def sessions(self) -> Any:
        """A client of SessionService."""
        return session_service_pb2_grpc.SessionServiceStub(self.channel)

    @property
    def trades(self) -> Any:
        """A client of TradeService."""
        return trade_service_pb2_grpc.TradeServiceStub(self.channel)

    @property
    def work_items(self) -> Any:
        """A client of WorkItemService."""
        return work_item_service_pb2_grpc.WorkItemServiceStub(self.channel)

    @property
    def events(self) -> Any:
        """A client of EventService."""
        return event_service_pb2_grpc.EventServiceStub(self.channel)

    @property
    def products(self) -> Any:
        """A client of ProductService."""
        return product_service_pb2_grpc.ProductServiceStub(self.channel)

    @property
    def prices(self) -> Any:
        """A client of PriceService."""
        return price_service_pb2_grpc.PriceServiceStub(self.channel)

    @property
    def goods(self) -> Any:
        """A client of GoodsService."""
        return goods_service_pb2_grpc.GoodsServiceStub(self.channel)

    @property
    def commands(self) -> Any:
        """Calls of the administrator about what is ordered of machines."""
        return command_service_pb2_grpc.CommandServiceStub(self.channel)

    @property
    def incidents(self) -> Any:
        """Calls of the administrator about faults of machines."""
        return incident_service_pb2_grpc.IncidentServiceStub(self.channel)

    @property
    def visits(self) -> Any:
        """A client of VisitService."""
        return visit_service_pb2_grpc.VisitServiceStub(self.channel)

    @property
    def posters(self) -> Any:
        """A client of PosterService."""
        return poster_service_pb2_grpc.PosterServiceStub(self.channel)

    @property
    def stock(self) -> Any:
        """A client of StockService."""
        return stock_service_pb2_grpc.StockServiceStub(self.channel)

    @property
    def planograms(self) -> Any:
        """A client of PlanogramService."""
        return planogram_service_pb2_grpc.PlanogramServiceStub(self.channel)

    @property
    def places(self) -> Any:
        """A client of PlaceService."""
        return place_service_pb2_grpc.PlaceServiceStub(self.channel)

    @property
    def profiles(self) -> Any:
        """A client of MachineProfileService."""
        return machine_profile_service_pb2_grpc.MachineProfileServiceStub(self.channel)

    @property
    def recalls(self) -> Any:
        """A client of RecallService."""
        return recall_service_pb2_grpc.RecallServiceStub(self.channel)

    @property
    def sales(self) -> Any:
        """A client of SalesService."""
        return sales_service_pb2_grpc.SalesServiceStub(self.channel)

    @property
    def machine_imports(self) -> Any:
        """A client of MachineImportService."""
        return machine_import_service_pb2_grpc.MachineImportServiceStub(self.channel)

    async def register(self, machine_id: str = "VM-1", *, currency: str = "HKD") -> Registered:
        """Put a machine into the registry, as RegisterMachine does, without telling its actor."""
        new = NewMachine(
            machine_id=MachineId(machine_id),
            store_name="Lobby",
            currency=Currency(currency),
            country_code="HK",
            address="1 Queen's Road",
            columns=COLUMNS,
        )
        return await self.registry.register(new, actor="test", now_ms=1)

    def signed(self, **fields: str) -> bytes:
        """A body that Alipay signed: a payment of 5.00 HKD unless ``fields`` say otherwise; an
        empty field is left out.
        """
        whole = {
            "notify_id": "n1",
            "notify_type": "trade_status_sync",
            "notify_time": "2026-01-15 12:00:00",
            "trade_status": "TRADE_SUCCESS",
            "trade_no": "2026011522001400000000000001",
            "out_trade_no": "P1",
            "total_fee": "5.00",
            "currency": "HKD",
            "seller_id": PARTNER,
            "buyer_id": "2088123412341234",
            "buyer_email": "a***@example.com",
            "gmt_payment": "2026-01-15 11:59:58",
            **fields,
        }
        return form({name: value for name, value in whole.items() if value}, self.pair.signer())

    @contextmanager
    def sql_away(self) -> Iterator[None]:
        """Let nothing be written while the block lasts."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    async def post(
        self, token: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Deliver a notification as Alipay does."""
        answer = await self.http.post(f"/alipay/notify/{token}", content=body, headers=headers)
        return answer.status_code, answer.text

    def counted(self, verdict: str, reason: str) -> float:
        """How often a notification ended so."""
        return (
            self.metrics.registry.get_sample_value(
                "vendgate_notifications_total", {"verdict": verdict, "reason": reason}
            )
            or 0.0
        )


class _BothPorts(httpx.AsyncBaseTransport):
    """The gateway's two HTTP ports as one address, so that a test says only a path."""

    def __init__(self, gateway: Gateway) -> None:
        self._notify = httpx.ASGITransport(app=gateway.http_app)
        self._health = httpx.ASGITransport(app=gateway.health_app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        of_health = request.url.path in {"/healthz", "/readyz", "/metrics"}
        port = self._health if of_health else self._notify
        return await port.handle_async_request(request)


async def found(look: Callable[[], Awaitable[Found | None]]) -> Found:
    """Return what ``look`` finds as soon as it finds something; fail after a long while. It looks
    again after a hundredth of a second, and then less and less often.
    """
    pause_s = 0.01
    async with asyncio.timeout(HANGS_AFTER_S):
        while (seen := await look()) is None:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.1)
    return seen


@asynccontextmanager
async def a_site(
    folder: Path,
    upgraded_file: Path,
    pair: Pair,
    *,
    limits: NotifyLimits | None = None,
    policy: Policy | None = None,
    clock: SiteClock | None = None,
    host_limits: HostLimits | None = None,
    command_timeout_s: float = HANGS_AFTER_S,
    code_wait_s: float = HANGS_AFTER_S,
    decided: Mapping[str, Any] | None = None,
) -> AsyncIterator[Site]:
    """Open all of it and close it again; in between, see that what the test leaves behind is
    sound. ``decided``: what else its operator did (``configs``).
    """
    clock = clock or SiteClock()
    path = folder / "site.db"
    shutil.copy(upgraded_file, path)
    more = {"notify_limits": limits or NotifyLimits(), "policy": policy or POLICY}
    made = configs(path, pair, **more, **(decided or {}))
    async with AsyncExitStack() as stack:
        database = await Database.open(made.storage)
        close_database = _once(database.close)
        stack.push_async_callback(close_database)
        site: Site

        async def deliver(url: str, body: bytes, content_type: str) -> bytes:
            answer = await site.http.post(url, content=body, headers={"content-type": content_type})
            return answer.content

        alipay = build(_simulator(pair), deliver=deliver, now_ms=clock.now_ms)
        stack.push_async_callback(alipay.close)
        asked: list[dict[str, str]] = []
        client = await _client(stack, made, alipay, clock, asked)
        host = Host(
            name="host-0",
            services=make_host_services(made, database, alipay=client, clock=clock),
            partitions=range(PARTITIONS),
            limits=host_limits,
            on_fatal=_not_expected,
            home="site",
        )
        await host.start()
        stack.push_async_callback(host.stop)
        links = HostLinks([host], gateway_id="gw-1", partition_count=PARTITIONS)
        woken: list[InboxItem] = []

        def wake(item: InboxItem) -> None:
            woken.append(item)
            links.notify(item)

        gateway = assemble(
            made,
            database,
            links,
            gateway_id="gw-1",
            clock=clock,
            wake=wake,
            command_timeout_s=command_timeout_s,
            code_wait_s=code_wait_s,
            check_timeout_s=HANGS_AFTER_S,
        )
        await links.start()
        stack.push_async_callback(links.stop)
        await gateway.machines.start()
        stack.push_async_callback(gateway.machines.stop)
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=_BothPorts(gateway), base_url=BASE_URL)
        )
        site = Site(
            path=path,
            pair=pair,
            database=database,
            close_database=close_database,
            clock=clock,
            alipay=alipay,
            asked=asked,
            host=host,
            gateway=gateway,
            http=http,
            channel=await _administrator(stack, gateway),
            woken=woken,
        )
        await _attached(links)
        yield site
        await _leaves_clean_books(path)


def configs(path: Path, pair: Pair, **more: Any) -> Configs:
    """What an operator of the site decided: the database at ``path``, and ``more``."""
    config = pair.config()
    whole: dict[str, Any] = {"policy": POLICY, "roles": OWNERS, **more}
    return Configs(
        storage=StorageConfig(url=f"sqlite:///{path}", busy_timeout_ms=100),
        alipay=config,
        keys=load_keys(config),
        merchant=MERCHANT,
        public_url=BASE_URL,
        payer_salt=SALT,
        **{"screens": Screens(folder=path.parent / "assets"), **whole},
    )


def _once(close: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    closed: list[bool] = []

    async def close_once() -> None:
        if not closed:
            closed.append(True)
            await close()

    return close_once


async def _client(
    stack: AsyncExitStack,
    made: Configs,
    alipay: SimulatedAlipay,
    clock: SiteClock,
    asked: list[dict[str, str]],
) -> AlipayClient:
    """A client whose calls the pretend Alipay answers, at the site's time."""

    async def call_alipay(request: httpx.Request) -> httpx.Response:
        asked.append(
            dict(parse_qsl((await request.aread()).decode() or request.url.query.decode()))
        )
        return await alipay.handle(request)

    http = await stack.enter_async_context(
        httpx.AsyncClient(transport=httpx.MockTransport(call_alipay))
    )
    client = AlipayClient(
        made.alipay, http, now=lambda: _EPOCH + dt.timedelta(milliseconds=clock.now_ms())
    )
    stack.push_async_callback(client.close)
    return client


async def _attached(links: HostLinks) -> None:
    async with asyncio.timeout(10):
        while not links.attached:
            await asyncio.sleep(0)


async def _leaves_clean_books(path: Path) -> None:
    """Whatever a test did through the front doors, the books hold. Read past the site's own
    database, which the test may have closed.
    """
    audit = prove_file(path, now_ms=SystemClock().now_ms(), own_ids={PARTNER})
    assert () == audit.sentences, "\n".join(audit.sentences)


async def _administrator(stack: AsyncExitStack, gateway: Gateway) -> grpc.aio.Channel:
    listener = gateway.admin_listener("127.0.0.1:0", None)
    await listener.start()
    stack.push_async_callback(listener.stop, grace_s=0)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{listener.port}")
    stack.push_async_callback(channel.close)
    return channel


def _simulator(pair: Pair) -> SimulatorConfig:
    return SimulatorConfig(
        partner=PARTNER,
        sign_type="RSA2",
        alipay_private_key=private_pem(pair.alipay),
        merchant_public_key=public_pem(pair.merchant),
    )


def _not_expected(reason: str) -> None:
    raise AssertionError(reason)
