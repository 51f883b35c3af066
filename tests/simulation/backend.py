"""Our own programs in the world, made of the product's real parts: hosts and gateways, each a
process that can be killed.

Flows in: a disk, Alipay, the way between them. Flows out: ``HostProcess`` and ``GatewayProcess``,
and ``HostPort``, through which a gateway reaches whichever process serves a slot of the layout at
that moment.
"""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from starlette.requests import Request

from actors.host.host import Host
from actors.host.loop import TurnLimits
from actors.host.services import HostLimits
from actors.host.sweeps import SweepLimits
from actors.host.tenure import LeaseLimits
from actors.link import Delivery, Figure, HostLink, LinkBroken, ToHost
from actors.machine.policy import Policy
from actors.performer import Merchant
from actors.ports import InboxItem, StoreError
from alipay_client import AlipayClient
from gateway.links.host_services import make_host_services
from gateway.links.links import HostLinks
from gateway.office.import_worker import LOOK_EVERY_S
from gateway.process.configs import Configs
from gateway.process.skew import Skew
from gateway.rpc.counters import Counters
from gateway.rpc.limits import EdgeLimits
from gateway.serving.assemble import assemble
from storage.database.engine import StorageConfig
from storage.machines.holding import SqlLeases
from tests.simulation.clock import WallClock
from tests.simulation.disk import PARTITIONS
from tests.simulation.keys import AtOnce, merchant_keys
from tests.simulation.processes import Died, Process

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
NOTIFY_BASE = "https://pay.example"
MERCHANT = Merchant(
    secondary_merchant_id="M1",
    secondary_merchant_name="Corner Vending",
    secondary_merchant_industry="5812",
)
METRICS = Counters()
SALT = b"0123456789abcdef"
HOST_LIMITS = HostLimits(
    reattach_s=30.0,
    listen_idle_s=25.0,
    turns=TurnLimits(timer_check_s=20.0),
    sweeps=SweepLimits(
        streams_s=5.0, inbox_s=10.0, registry_s=20.0, silent_s=90.0, idle_after_s=120.0
    ),
    lease=LeaseLimits(lease_ms=90_000),
)
MOVING_LIMITS = replace(HOST_LIMITS, lease=LeaseLimits(lease_ms=9_000, moves_s=0.5))
EDGE_LIMITS = EdgeLimits(
    watch_interval_s=5.0,
    heartbeat_interval_ms=60_000,
    silent_after_ms=180_000,
    reconnect_max_ms=20_000,
)


class HostProcess:
    """One start of one host."""

    def __init__(self, world: "World", slot: "HostSlot", number: int) -> None:
        self.world = world
        self.process = Process(f"{slot.name}#{number}", slot.died)
        self.clock = slot.wall.steady()
        skew = Skew(self.clock)
        self._slot = slot
        rng = world.rng(f"host/{self.process.name}")
        self._http = httpx.AsyncClient(transport=_WayToAlipay(self.process, world, rng))
        ours = merchant_keys(world.sign_type).ours
        self._client = AlipayClient(
            ours,
            self._http,
            now=skew.alipay_now,
            answered=skew.answered,
        )
        self._client._signers = AtOnce()  # type: ignore[assignment]
        self.host = Host(
            name=slot.name,
            services=make_host_services(
                _configs(world),
                world.disk.open_for(self.process, rng, world.faults),
                alipay=self._client,
                clock=self.clock,
                skew=skew,
                leases=SqlLeases(
                    # With faults and chances of its own: a beat decides nothing else.
                    world.disk.open_for(
                        self.process, world.rng(f"beats/{self.process.name}"), world.faults
                    )
                ),
            ),
            partitions=slot.partitions,
            place=slot.place,
            on_fatal=self._fatal,
            home="world",
            limits=HOST_LIMITS if slot.place is None else MOVING_LIMITS,
            core=world.core,
            rng=rng,
        )

    def start(self) -> None:
        """Start it; it serves once the store lets it."""
        self.process.spawn(self.host.start())

    async def stop(self) -> None:
        """Stop it as an operator does, then end the process."""
        await self.host.stop()
        self.process.kill()

    def _fatal(self, reason: str) -> None:
        if self.process.alive:
            self.world.note(f"{self.process.name} must not go on: {reason}")
            self.world.checker.host_ended(self.process.name, reason)
            self.process.kill()


class HostSlot:
    """One host of the layout, and whoever serves it; a dead one is started again, as Ray does."""

    def __init__(self, world: "World", index: int, count: int, *, follows: bool = False) -> None:
        self.name = f"host-{index}"
        self.place = index if follows else None
        """Where it stands in a layout that changes; ``partitions`` counts for nothing then."""
        self.partitions = tuple(range(index, PARTITIONS, count))
        self.wall = WallClock(world.loop)
        """The clock of its computer, which outlives its processes."""
        self.present: HostProcess | None = None
        self.everyone: list[HostProcess] = []
        self._world = world
        self._rng = world.rng(f"slot/{self.name}")

    def start_another(self) -> None:
        """Start a process for the slot, whether or not an older one still runs."""
        self.present = HostProcess(self._world, self, len(self.everyone) + 1)
        self.everyone.append(self.present)
        self._world.note(f"{self.present.process.name} starts")
        self._world.arm(self.present)
        self.present.start()

    def died(self, process: Process) -> None:
        """A process of the slot is dead."""
        self._world.note(f"{process.name} is dead")
        if self.present is not None and self.present.process is process and not self._world.over:
            self.present = None
            self._world.loop.call_later(0.5 + self._rng.random() * 10, self._replace)

    def _replace(self) -> None:
        if self.present is None and not self._world.over:
            self.start_another()


class HostPort(HostLink):
    """A gateway's way to a slot. What was sent may be lost on either way; a new process is found
    only after a while.
    """

    def __init__(self, world: "World", slot: HostSlot, gateway: Process, rng: Random) -> None:
        self._world = world
        self._slot = slot
        self._gateway = gateway
        self._rng = rng
        self._known: HostProcess | None = None

    async def attach(self, gateway_id: str) -> str:
        if self._known is None or not self._known.process.alive or self._rng.random() < 0.3:
            self._known = self._slot.present
        return await self._call(lambda host: host.attach(gateway_id))

    async def exchange(self, attachment: str, messages: Sequence[ToHost]) -> Delivery:
        known = self._known

        async def given(host: Host) -> Delivery:
            assert known is not None, "it was attached"
            self._world.checker.given(known.process.name, known.clock.now_ms(), messages)
            return await host.exchange(attachment, messages)

        return await self._call(given)

    async def listen(self, attachment: str) -> Delivery:
        return await self._call(lambda host: host.listen(attachment))

    async def figures(self) -> Sequence[Figure]:
        return await self._call(lambda host: host.figures())

    async def _call(self, what: Callable[[Host], Awaitable[T]]) -> T:
        await self._gateway.cross()
        known = self._known
        await asyncio.sleep(self._delay_s())
        if known is None or self._lost():
            raise LinkBroken("nobody answers")
        try:
            answer = await known.process.ask(_through(known.process, lambda: what(known.host)))
        except Died as error:
            raise LinkBroken(f"{error} is dead") from None
        await asyncio.sleep(self._delay_s())
        if self._lost():
            raise LinkBroken("the answer was lost")
        await self._gateway.cross()
        return answer

    def _delay_s(self) -> float:
        return 0.0005 + self._rng.random() * (0.001 + self._world.faults.link_delay_s)

    def _lost(self) -> bool:
        return self._rng.random() < self._world.faults.link_loses


async def _through(process: Process, what: Callable[[], Awaitable[T]]) -> T:
    await process.cross()
    answer = await what()
    await process.cross()
    return answer


class _WayToAlipay(httpx.AsyncBaseTransport):
    """A host's connections to Alipay."""

    def __init__(self, process: Process, world: "World", rng: Random) -> None:
        self._process = process
        self._world = world
        self._rng = rng

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._process.cross()
        await asyncio.sleep(0.01 + self._rng.random() * 0.2)
        response = await self._world.provider.asked(request)
        made = dt.datetime.fromtimestamp(self._world.clock.now_ms() / 1_000, dt.UTC)
        response.headers["Date"] = format_datetime(made, usegmt=True)
        await asyncio.sleep(0.01 + self._rng.random() * 0.2)
        await self._process.cross()
        return response


class GatewayProcess:
    """One start of one gateway: the machine side and the notify ingress."""

    def __init__(self, world: "World", name: str, died: Callable[[Process], None]) -> None:
        self.process = Process(name, died)
        self.clock = world.edge_wall.steady()
        rng, tokens = world.rng(f"gateway/{name}"), world.rng(f"tokens/{name}")
        payers = world.rng(f"payers/{name}")
        database = world.disk.open_for(self.process, rng, world.faults)
        self._world = world
        self._rng = rng
        ports = [HostPort(world, slot, self.process, rng) for slot in world.slots]
        self.links = HostLinks(
            ports[:1] if world.moving else ports,
            gateway_id=name,
            partition_count=PARTITIONS,
            random=rng.random,
            look=SqlLeases(database).look if world.moving else None,
            open_link=ports.__getitem__,
        )
        gateway = assemble(
            _configs(world),
            database,
            self.links,
            gateway_id=name,
            clock=self.clock,
            monotonic=world.loop.time,
            random=rng.random,
            tokens=lambda: f"{tokens.getrandbits(64):016x}",
            payer_ids=lambda: f"p{payers.getrandbits(64):016x}",
            wake=self._wake,
            metrics=METRICS,
        )
        self.service, self.ingress = gateway.machines, gateway.ingress
        self.acts, self.office = gateway.fleet.acts, gateway.office

    def start(self) -> None:
        """Start it."""
        self.process.spawn(self._start())

    async def _start(self) -> None:
        await self.links.start()
        await self.service.start()
        if self._world.templates:
            self.process.spawn(self._carry_out())

    async def _carry_out(self) -> None:
        """Carry applications out, as each gateway does by itself. A dead one lets go of nothing."""
        while True:
            busy = False
            with contextlib.suppress(StoreError):
                busy = await self.office.applying.once()
            if not busy:
                await asyncio.sleep(LOOK_EVERY_S)

    async def notified(self, token: str, body: bytes) -> tuple[int, bytes]:
        """Take a POST of Alipay's. Raises Died if nobody knows."""

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {
            "type": "http",
            "method": "POST",
            "headers": [],
            "path": "",
            "query_string": b"",
            "path_params": {"token": token},
        }
        response = await self.process.ask(
            _through(self.process, lambda: self.ingress.handle(Request(scope, receive)))
        )
        return response.status_code, bytes(response.body)

    def _wake(self, item: InboxItem) -> None:
        if self._rng.random() >= self._world.faults.wake_lost:
            self.links.notify(item)


def _configs(world: "World") -> Configs:
    """What an operator of this world decided before the start."""
    agreed = merchant_keys(world.sign_type)
    return Configs(
        storage=StorageConfig(url="sqlite://"),
        alipay=agreed.ours,
        keys=agreed.keys,
        merchant=MERCHANT,
        policy=world.policy,
        public_url=world.domain,
        payer_salt=SALT,
        edge_limits=EDGE_LIMITS,
    )


def fleet_policy(rng: Random) -> Policy:
    """Return the limits of this world: the product's own, or shorter ones."""
    if rng.random() < 0.3:
        return Policy()
    return Policy(
        idle_refund_ms=rng.choice((20_000, 60_000, 120_000)),
        unavailable_grace_ms=rng.choice((10_000, 30_000, 60_000)),
        approval_valid_ms=20_000,
        vend_result_ms=rng.choice((20_000, 60_000)),
        report_wait_ms=30_000,
        doubt_window_ms=rng.choice((60_000, 120_000, 300_000)),
        late_watch_ms=rng.choice((20_000, 60_000)),
        short_of_funds_retry_ms=rng.choice((20_000, 300_000)),
        doubt_review_above_minor=rng.choice((None, None, 400)),
        write_off_second_person_above_minor=rng.choice((None, 0, 400)),
        refund_retry_ms=(2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000),
    )
