"""What a host needs of the world, made from settings: in a Ray worker, or beside the gateway in one
process.

Flows in: the path of the configuration file (a worker reads its settings itself; no secret travels
through Ray). Flows out: store, Alipay client, clock and limits. Must not know gRPC: a worker that
loaded it could not be forked, and would pay for it in memory.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import structlog

from actors.host.services import HostServices
from actors.performer import Performer
from actors.ports import Clock, Leases
from actors.spans import Tell
from alipay_client import AlipayClient
from gateway.process import logs, tracing
from gateway.process.clock import process_clock
from gateway.process.clock_watch import ClockWatch, clock_watched, teller
from gateway.process.configs import Configs, configs
from gateway.process.rotation import follow
from gateway.process.settings import load
from gateway.process.skew import Skew, process_skew
from gateway.process.works import process_works
from storage.database.engine import Database
from storage.fleet.wrong_clocks import WrongClocks
from storage.machines.holding import SqlLeases
from storage.machines.store import SqlMachineStore

log = structlog.get_logger()
ASK_TIME_S = 3.0
"""A start waits so long for Alipay's time, and goes on without it."""


async def open_host_services(config_path: str | None, name: str = "") -> HostServices:
    """Open everything for the host ``name``, which has a process of its own; None or "": settings
    come from the environment alone.

    Raises SettingsRefused or StoreError with sentences.
    """
    settings = load(config_path)
    logs.set_up(
        level=settings.logs.level,
        line_format=settings.logs.format,
        path=settings.logs.hosts_file,
        host=name,
    )
    made = configs(settings)
    async with AsyncExitStack() as stack:
        database = await Database.open(made.storage)
        stack.push_async_callback(database.close)
        tell = stack.enter_context(tracing.opened(made.trace, service="vendgate-host"))
        services = make_host_services(made, database, tell=tell)
        stack.push_async_callback(services.close)
        await stack.enter_async_context(clock_watched(process_watch(database)))
        return replace(services, close=stack.pop_all().aclose)


def process_watch(database: Database) -> ClockWatch:
    """Return what lets people know if this process's clock is not Alipay's."""
    return ClockWatch(
        process_skew(),
        WrongClocks(database),
        clock=process_clock(),
        name=teller(),
        monotonic=time.monotonic,
    )


def make_host_services(
    made: Configs,
    database: Database,
    *,
    alipay: AlipayClient | None = None,
    clock: Clock | None = None,
    skew: Skew | None = None,
    leases: Leases | None = None,
    tell: Tell | None = None,
) -> HostServices:
    """Make the services of a host over an open database, which stays open when they are closed.
    ``tell`` takes what there is to be seen of purchases.

    ``alipay``, ``leases`` and ``clock`` (with ``skew``, what was heard of Alipay's) are seams: left
    out, they are what the real program has.
    """
    skew = skew or (process_skew() if clock is None else Skew(clock))
    following: asyncio.Task[None] | None = None
    client = alipay or AlipayClient.open(made.alipay, now=skew.alipay_now, answered=skew.answered)
    if alipay is None and made.rotating is not None:
        following = process_works().begin(
            "secrets-of-hosts", partial(follow, made.rotating, lambda new: client.use(new.keys))
        )

    async def close() -> None:
        if following is not None:
            following.cancel()
        await client.close()

    return HostServices(
        store=SqlMachineStore(database, notify_base_url=made.public_url),
        leases=leases or SqlLeases(database),
        performer=Performer(client, made.merchant, in_flight_max=made.alipay_in_flight_max),
        clock=clock or process_clock(),
        policy=made.policy,
        partition_count=database.partition_count,
        ahead_ms=skew.ahead_ms,
        tell=tell,
        close=close,
        **({} if alipay is not None else {"ask_time": _asks(client)}),
    )


def _asks(client: AlipayClient) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
        if not await client.ask_time(within_s=ASK_TIME_S):
            log.info("Alipay did not tell the time at the start; its first answer will")

    return ask
