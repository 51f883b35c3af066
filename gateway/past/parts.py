"""The product's parts of a past, put together as the real program puts them together, but for what
time and sockets are: a gateway and one host over a SQLite file, the pretend Alipay, and machines.

Flows in: settings, a folder, the clock. Flows out: ``PastParts``, open until the stack is closed.
"""

import asyncio
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import httpx
from google.protobuf.message import Message
from starlette.requests import Request

from actors.host.host import Host
from actors.host.loop import TurnLimits
from actors.host.services import HostLimits
from actors.host.sweeps import SweepLimits
from actors.host.tenure import LeaseLimits
from alipay_client import AlipayClient
from alipay_client.simulator import SimulatedAlipay, build
from alipay_client.simulator.model import Declined
from gateway.demo.pretend import BOOK, configured
from gateway.demo.stage import PARTNER
from gateway.links.batched_link import LinkLimits
from gateway.links.host_services import make_host_services
from gateway.links.links import HostLinks
from gateway.office import services
from gateway.past.plan import PastFailed
from gateway.past.virtual import PastClock
from gateway.past.wire import PastMachine
from gateway.process.configs import Configs
from gateway.process.home import FILE
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.roles import Role
from gateway.serving.assemble import Gateway, assemble
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig
from gateway.simulator.phone import NotPaid, Paid
from gateway.simulator.screen import amount_text
from gateway.web.asking import LocalCalls, Person
from storage.auditing import prove
from storage.database.engine import Database
from storage.database.in_place import open_in_place
from storage.machines.rows import DAY_MS

PERSON = Person(claimed="demo", role=Role.OWNER)
"""Who makes the calls of the office."""
SELDOM_S = 6 * 3_600.0
"""What a program looks for from time to time it looks for so often: nothing is lost here, and weeks
go by in a minute.
"""
HEARTBEAT_MS = 3 * 3_600_000
"""With its heartbeat a machine says, at the latest, that it has what it was sent."""
FOREVER_MS = 2_000 * DAY_MS
WELCOME_WITHIN_S = 120
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

HOST_LIMITS = HostLimits(
    listen_idle_s=SELDOM_S,
    turns=TurnLimits(timer_check_s=SELDOM_S),
    sweeps=SweepLimits(
        streams_s=SELDOM_S,
        inbox_s=SELDOM_S,
        registry_s=SELDOM_S,
        codes_s=SELDOM_S,
        idle_s=SELDOM_S,
        idle_after_s=4 * SELDOM_S,
        silent_s=4 * SELDOM_S,
    ),
    lease=LeaseLimits(lease_ms=4 * DAY_MS),
)
LINK_LIMITS = LinkLimits(listen_timeout_s=2 * SELDOM_S)
EDGE_LIMITS = EdgeLimits(
    heartbeat_interval_ms=HEARTBEAT_MS,
    silent_after_ms=4 * DAY_MS,
    watch_interval_s=SELDOM_S,
    stream_age_max_ms=FOREVER_MS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastParts:
    """All of it, running."""

    clock: PastClock
    database: Database
    gateway: Gateway
    alipay: SimulatedAlipay
    machines: Sequence[PastMachine]
    calls: LocalCalls

    async def ask(self, request: Message) -> Any:
        """Make a call of the office, as a person does at the console. Raises Refused."""
        return await self.calls.ask(PERSON, request)

    async def pay(
        self, *, qr_payload: str, amount_minor: int, currency: str, buyer: str
    ) -> Paid | NotPaid:
        """Scan and pay once, and have Alipay tell it (``PhoneAtHand``)."""
        try:
            trade = self.alipay.pay(qr_payload, amount_text(amount_minor, currency), buyer)
        except Declined as declined:
            return NotPaid(reason=str(declined))
        await self.alipay.settle()
        return Paid(trade_no=trade.trade_no, amount_minor=amount_minor)

    async def caught_up(self) -> None:
        """Have the follower tell of all that is in the books, and evaluate what is due."""
        while await self.gateway.follower.once():
            pass

    async def audited(self) -> None:
        """Prove every invariant of the books. Raises PastFailed."""
        found = await prove(self.database, now_ms=self.clock.now_ms(), own_ids={PARTNER})
        if not found.clean:
            raise PastFailed("the books do not hold: " + "; ".join(found.sentences[:5]))


@asynccontextmanager
async def parts_open(
    made: Configs,
    folder: Path,
    keys: Path,
    machine_ids: Sequence[str],
    *,
    clock: PastClock,
    seed: int,
) -> AsyncIterator[PastParts]:
    """Open the parts over the database of ``made``, with machines whose files are in ``folder``;
    the pretend Alipay's keys and its book come into ``keys``.
    """
    async with AsyncExitStack() as stack:
        database = await open_in_place(made.storage.url)
        stack.push_async_callback(database.close)
        gateways: list[Gateway] = []

        async def deliver(url: str, body: bytes, _content_type: str) -> bytes:
            return await _notified(gateways[0], url.rpartition("/")[2], body)

        config = configured(keys, seed=seed, quick=True)
        alipay = build(config, now_ms=clock.now_ms, deliver=deliver)
        stack.push_async_callback(_kept, alipay, keys / BOOK)
        client = await _client(stack, made, alipay, clock)
        host = Host(
            name="host-0",
            services=make_host_services(made, database, alipay=client, clock=clock),
            partitions=range(database.partition_count),
            limits=HOST_LIMITS,
            on_fatal=_must_not_end,
            home=FILE,
        )
        await host.start()
        stack.push_async_callback(host.stop)
        links = HostLinks(
            [host],
            gateway_id="gw-past",
            partition_count=database.partition_count,
            limits=LINK_LIMITS,
        )
        loop = asyncio.get_running_loop()
        gateway = assemble(
            replace(made, edge_limits=EDGE_LIMITS),
            database,
            links,
            gateway_id="gw-past",
            clock=clock,
            monotonic=loop.time,
        )
        gateways.append(gateway)
        stack.push_async_callback(gateway.follower.give_up)
        await links.start()
        stack.push_async_callback(links.stop)
        await gateway.machines.start()
        stack.push_async_callback(gateway.machines.stop)
        parts = PastParts(
            clock=clock,
            database=database,
            gateway=gateway,
            alipay=alipay,
            machines=[_machine(gateway, folder, one, seed) for one in machine_ids],
            calls=LocalCalls(
                lambda to: services.add_services(gateway.office, to),
                guard=gateway.door.guarded,
                allowed=gateway.door.allowed,
            ),
        )
        yield parts


@asynccontextmanager
async def switched_on(machines: Sequence[PastMachine]) -> AsyncIterator[None]:
    """Have machines live, once all are welcome, while the block lasts. Raises PastFailed."""
    lives = [asyncio.create_task(machine.run()) for machine in machines]
    try:
        await asyncio.sleep(WELCOME_WITHIN_S)
        if not all(machine.free for machine in machines):
            raise PastFailed(f"not all machines were welcome within {WELCOME_WITHIN_S} s")
        yield
    finally:
        for machine in machines:
            machine.stop()
        await asyncio.gather(*lives)


async def _kept(alipay: SimulatedAlipay, path: Path) -> None:
    """Leave the pretend Alipay's book to the one that goes on."""
    with (
        closing(sqlite3.connect(alipay.context.book.path)) as lived,
        closing(sqlite3.connect(path)) as kept,
    ):
        lived.backup(kept)
    await alipay.close()


async def _client(
    stack: AsyncExitStack, made: Configs, alipay: SimulatedAlipay, clock: PastClock
) -> AlipayClient:
    http = await stack.enter_async_context(
        httpx.AsyncClient(transport=httpx.MockTransport(alipay.handle))
    )
    client = AlipayClient(
        made.alipay, http, now=lambda: _EPOCH + dt.timedelta(milliseconds=clock.now_ms())
    )
    stack.push_async_callback(client.close)
    return client


def _machine(gateway: Gateway, folder: Path, machine_id: str, seed: int) -> PastMachine:
    config = ClientConfig(
        gateway="",
        identity=Identity(machine_id=machine_id),
        state_dir=folder,
        refills=True,
        sync=_is_not_waited_for,
    )
    loop = asyncio.get_running_loop()
    rng = Random(f"past machine {seed} {machine_id}")  # noqa: S311 - it may be lived again
    return PastMachine(config, gateway.machines, rng=rng, clock=loop.time)


async def _notified(gateway: Gateway, token: str, body: bytes) -> bytes:
    """Deliver a notification at the gateway's own door for them. Raises OSError."""

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
    response = await gateway.ingress.handle(Request(scope, receive))
    if response.status_code != httpx.codes.OK:
        raise OSError(f"HTTP {response.status_code}")
    return bytes(response.body)


def _is_not_waited_for(_descriptor: int) -> None:
    """A past that its computer did not survive is made again."""


def _must_not_end(reason: str) -> None:
    raise PastFailed(reason)
