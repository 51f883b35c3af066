"""What a host needs of the world, made from settings: in a Ray worker, or beside the gateway in one
process.

Flows in: the path of the configuration file (a worker reads its settings itself; no secret travels
through Ray). Flows out: store, Alipay client, clock and limits. Must not know gRPC: a worker that
loaded it could not be forked, and would pay for it in memory.
"""

from contextlib import AsyncExitStack
from dataclasses import replace

from actors.host.host import HostServices
from actors.performer import Performer
from actors.ports import Clock
from alipay_client import AlipayClient
from gateway.process import logs
from gateway.process.clock import process_clock
from gateway.process.configs import Configs, configs
from gateway.process.settings import load
from gateway.process.skew import Skew, process_skew
from storage.database.engine import Database
from storage.machines.store import SqlMachineStore


async def open_host_services(config_path: str | None) -> HostServices:
    """Open everything for a host that has a process of its own; None or "": settings come from the
    environment alone.

    Raises SettingsRefused or StoreError with sentences.
    """
    settings = load(config_path)
    logs.set_up(level=settings.logs.level, line_format=settings.logs.format)
    made = configs(settings)
    database = await Database.open(made.storage)
    try:
        services = make_host_services(made, database)
    except BaseException:
        await database.close()
        raise

    async def close() -> None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            stack.push_async_callback(services.close)

    return replace(services, close=close)


def make_host_services(
    made: Configs,
    database: Database,
    *,
    alipay: AlipayClient | None = None,
    clock: Clock | None = None,
    skew: Skew | None = None,
) -> HostServices:
    """Make the services of a host over an open database, which stays open when they are closed.

    ``alipay`` and ``clock`` (with ``skew``, what was heard of Alipay's) are seams: left out, they
    are what the real program has.
    """
    skew = skew or (process_skew() if clock is None else Skew(clock))
    client = alipay or AlipayClient.open(made.alipay, now=skew.alipay_now, answered=skew.answered)
    return HostServices(
        store=SqlMachineStore(database, notify_base_url=made.public_url),
        performer=Performer(client, made.merchant, in_flight_max=made.alipay_in_flight_max),
        clock=clock or process_clock(),
        policy=made.policy,
        partition_count=database.partition_count,
        ahead_ms=skew.ahead_ms,
        close=client.close,
    )
