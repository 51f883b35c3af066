"""Where machines live: hosts in this process, or on Ray; either way a list of links, in the order
of the layout.

Flows in: settings. Flows out: links that are ready to be attached to, and the processes behind
them. Hosts end when the stack does.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from actors.host.host import Host
from actors.host_actor import node_name
from actors.link import HostLink
from actors.ports import ClaimRefused, StoreError
from gateway.links.head import ClusterHead, unreachable
from gateway.links.host_services import make_host_services
from gateway.links.turn import OwnedElsewhere, owned, require_turn
from gateway.process import tracing
from gateway.process.clock import process_clock
from gateway.process.configs import Configs
from gateway.process.settings import Settings
from gateway.process.works import process_works
from storage.database.engine import Database
from storage.machines.layout import Layout

if TYPE_CHECKING:
    from actors.ray_node import RaySettings

log = structlog.get_logger()

FACTORY = "gateway.links.host_services:open_host_services"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The hosts of the layout. ``pids`` are their processes, of those on this computer;
    ``open_link`` makes the link to one that the layout did not have before, if it may change while
    this program runs. ``head`` is that of a cluster; None: there is no cluster.
    """

    links: Sequence[HostLink]
    pids: tuple[int, ...]
    open_link: Callable[[int], HostLink] | None = None
    head: ClusterHead | None = None


class HostsFailed(Exception):
    """No hosts, no gateway; the sentence says what is wrong with Ray or with the services that a
    host needs.
    """


async def open_hosts(
    stack: AsyncExitStack,
    settings: Settings,
    made: Configs,
    database: Database,
    *,
    config_path: str | None,
    ray: bool,
    home: str,
    on_fatal: Callable[[str], None],
    stop: asyncio.Event,
) -> Hosts:
    """Start or find the hosts of the layout; without ``ray`` they live here, whatever the settings
    say. ``home`` is that of hosts which live and die with this program.

    ``on_fatal`` is told when one of this process must not go on; ``stop`` ends a wait for others to
    let go of the machines. Raises HostsFailed, OwnedElsewhere or StoreError.
    """
    with_ray = ray and settings.ray.mode != "none"
    in_cluster = with_ray and settings.ray.mode == "cluster"
    await require_turn(
        database,
        # A cluster goes by the layout, and only says how many hosts the first one has.
        host_count=None if in_cluster else settings.ray.hosts if with_ray else 1,
        home=None if in_cluster else home,
        by=node_name(),
        clock=process_clock(),
        stop=stop,
    )
    if not with_ray:
        return await _in_process(stack, made, database, home=home, on_fatal=on_fatal)

    async def hosts_there() -> int:
        return await Layout(database).first(
            settings.ray.hosts, by=node_name(), now_ms=process_clock().now_ms()
        )

    return await _on_ray(stack, settings, config_path, home, on_fatal, hosts_there)


async def _in_process(
    stack: AsyncExitStack,
    made: Configs,
    database: Database,
    *,
    home: str,
    on_fatal: Callable[[str], None],
) -> Hosts:
    """Start one host that owns every machine, beside the gateway; it shares the open database."""
    tell = stack.enter_context(tracing.opened(made.trace, service="vendgate-host"))
    services = make_host_services(made, database, tell=tell)
    stack.push_async_callback(services.close)
    host = Host(
        name="host-0",
        services=services,
        partitions=range(database.partition_count),
        on_fatal=on_fatal,
        home=home,
        host_count=1,
        node=node_name(),
    )
    try:
        await host.start(waits=False)
    except ClaimRefused as error:
        raise OwnedElsewhere(owned(str(error), home)) from None
    stack.push_async_callback(host.stop)
    return Hosts(links=(host,), pids=(os.getpid(),))


def ray_settings(settings: Settings, *, hosts: int) -> "RaySettings":
    """Return what starts our own Ray, or leads to the cluster, for so many hosts."""
    from actors.ray_node import EMBEDDED, RaySettings

    section = settings.ray
    return RaySettings(
        run_dir=section.run_dir,
        address=EMBEDDED if section.mode == "local" else section.address,
        token_path=section.token_file,
        node_ip=section.node_ip,
        hosts=hosts,
        spares=section.spares and section.mode == "cluster",
    )


async def _on_ray(
    stack: AsyncExitStack,
    settings: Settings,
    config_path: str | None,
    home: str,
    on_fatal: Callable[[str], None],
    hosts_there: Callable[[], Awaitable[int]],
) -> Hosts:
    """Start our own Ray, or use a cluster, and have the hosts of the layout there. Their workers
    read ``config_path`` themselves.
    """
    # Late, because it imports Ray, which takes a second and a hundred megabytes.
    from actors.ray_host import RayHosts
    from actors.ray_node import start_ray, stop_ray

    own = settings.ray.mode == "local"
    if not own:
        await _reachable(settings.ray.address)
    wanted = ray_settings(settings, hosts=await hosts_there())

    async def agree(index: int) -> None:
        there = await hosts_there()
        if index >= there:
            raise StoreError(f"the layout has {there} hosts, and no place {index}")

    try:
        # It blocks for seconds, before anything is served: it must be in this thread, to which
        # Ray's processes tie their lives.
        start_ray(wanted)
        stack.callback(stop_ray)
        hosts = await RayHosts.open(
            wanted,
            factory=FACTORY,
            factory_argument=config_path or "",
            home=home if own else "",
            agree=agree,
        )
        stack.push_async_callback(hosts.close)
        pids = await hosts.pids() if own else {}
        if own:
            watch = process_works().begin(
                "ray-watch", partial(_tell_when_lost, hosts.until_lost, on_fatal), ends=True
            )
            stack.callback(watch.cancel)
    except (RuntimeError, ConnectionError) as error:
        where = (
            "Ray could not be started here"
            if own
            else f"the Ray cluster at {settings.ray.address} cannot be used"
        )
        # A worker's own error comes as a text with its traceback.
        why = str(error).rsplit("RuntimeError: ", maxsplit=1)[-1].strip()
        raise HostsFailed(
            f'{where}, or its hosts not: {why}\nIt works without Ray, too: ray.mode = "none", '
            "or --no-ray."
        ) from error
    return Hosts(
        links=hosts.links,
        pids=tuple(pids.values()),
        open_link=None if own else hosts.open_link,
        head=None if own else ClusterHead(settings.ray.address),
    )


async def replace_hosts(
    settings: Settings,
    made: Configs,
    *,
    config_path: str | None,
    say: Callable[[str], None],
) -> None:
    """Replace the cluster's hosts one by one by new ones of this program, with the settings of
    today, while machines sell. Raises HostsFailed or StoreError.
    """
    from actors.ray_host import replace_host
    from actors.ray_node import start_ray, stop_ray

    await require_cluster(settings, "start that one again instead")
    database = await Database.open(made.storage)
    try:
        there = await Layout(database).first(
            settings.ray.hosts, by=node_name(), now_ms=process_clock().now_ms()
        )
    finally:
        await database.close()
    wanted = ray_settings(settings, hosts=there)
    try:
        start_ray(wanted)
        try:
            for index in range(there):
                name = await replace_host(
                    wanted, index, factory=FACTORY, factory_argument=config_path or ""
                )
                say(f"{name} has the machines of place {index}")
        finally:
            stop_ray()
    except (RuntimeError, ConnectionError) as error:
        why = str(error).rsplit("RuntimeError: ", maxsplit=1)[-1].strip()
        raise HostsFailed(f"Not all hosts were replaced: {why}") from error


async def _tell_when_lost(
    until_lost: Callable[[], Awaitable[str]], on_fatal: Callable[[str], None]
) -> None:
    """A gateway whose Ray is gone welcomes no machine any more, and never will again."""
    gone = await until_lost()
    # At once: what Ray left in this process may end it before its last sentence.
    log.error("this gateway's Ray is lost, and so it ends", ended=gone)
    on_fatal(f"its Ray is lost ({gone} ended)")


async def require_cluster(settings: Settings, instead: str) -> None:
    """Return if the hosts are those of a cluster that can be reached. Raises HostsFailed, with what
    to do ``instead``.
    """
    section = settings.ray
    if section.mode != "cluster":
        raise HostsFailed(
            f'ray.mode is "{section.mode}": such hosts live and die with their gateway, so '
            f"{instead}."
        )
    await _reachable(section.address)


async def _reachable(address: str) -> None:
    """Return if something listens at the address. Ray itself would try for minutes, and hold up all
    else.
    """
    if why := await unreachable(address):
        raise HostsFailed(
            f"Nothing listens at ray.address {address} ({why}): start the cluster, or name its "
            "head, host:port."
        )
