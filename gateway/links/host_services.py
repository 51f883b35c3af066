"""What a host needs of the world, made from settings: in a Ray worker, or beside the gateway in one
process.

Flows in: the path of the configuration file (a worker reads its settings itself; no secret travels
through Ray). Flows out: store, Alipay client, clock and limits. Must not know gRPC: a worker that
loaded it could not be forked, and would pay for it in memory.
"""

from contextlib import AsyncExitStack

from actors.host.host import HostServices
from actors.performer import Performer
from alipay_client import AlipayClient
from gateway.process import logs
from gateway.process.clock import SystemClock
from gateway.process.configs import Configs, configs
from gateway.process.settings import Settings, load
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
        services = await make_host_services(settings, made, database)
    except BaseException:
        await database.close()
        raise

    async def close() -> None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            stack.push_async_callback(services.close)

    return HostServices(
        store=services.store,
        performer=services.performer,
        clock=services.clock,
        policy=services.policy,
        partition_count=services.partition_count,
        close=close,
    )


async def make_host_services(settings: Settings, made: Configs, database: Database) -> HostServices:
    """Make the services of a host over an open database, which stays open when they are closed."""
    alipay = AlipayClient.open(made.alipay)
    return HostServices(
        store=SqlMachineStore(database, notify_base_url=made.public_url),
        performer=Performer(alipay, made.merchant, in_flight_max=settings.alipay.in_flight_max),
        clock=SystemClock(),
        policy=made.policy,
        partition_count=database.partition_count,
        close=alipay.close,
    )
