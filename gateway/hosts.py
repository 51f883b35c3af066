"""Where machines live: hosts in this process, or on Ray; either way a list of links, in the order of the layout.

Flows in: settings. Flows out: links that are ready to be attached to, and the processes behind them. Hosts end when the stack does.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from actors.host import Host
from actors.link import HostLink
from gateway.configs import Configs
from gateway.host_services import make_host_services
from gateway.settings import Settings
from storage.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The hosts of the layout. ``pids`` are their processes, of those on this computer."""

    links: Sequence[HostLink]
    pids: tuple[int, ...]


async def open_hosts(
    stack: AsyncExitStack,
    settings: Settings,
    made: Configs,
    database: Database,
    *,
    config_path: str | None,
    ray: bool,
    on_fatal: Callable[[str], None],
) -> Hosts:
    """Start or find the hosts of the layout. ``on_fatal`` is told when one of this process must not go on."""
    return await _in_process(stack, settings, made, database, on_fatal=on_fatal)


async def _in_process(
    stack: AsyncExitStack, settings: Settings, made: Configs, database: Database, *, on_fatal: Callable[[str], None]
) -> Hosts:
    """Start one host that owns every machine, beside the gateway; it shares the open database."""
    services = await make_host_services(settings, made, database)
    stack.push_async_callback(services.close)
    host = Host(name="host-0", services=services, partitions=range(database.partition_count), on_fatal=on_fatal)
    await host.start()
    stack.push_async_callback(host.stop)
    return Hosts(links=(host,), pids=(os.getpid(),))
