"""``vendgate scale``: another number of hosts, while machines sell.

Flows in: how many hosts there shall be. Flows out: a layout, and a line for each partition that has
moved. Hosts that are missing are made first, and the layout is written once they stand ready; then
hosts and gateways follow it by themselves, and this only watches, until it can end the hosts that
the layout has no more. Killed at any moment it leaves them to it; given again it goes on.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from actors.leases import Standing
from actors.placement import host_of, place_of
from actors.ports import Leases, StoreError
from gateway.links.hosts import FACTORY, HostsFailed, ray_settings, require_cluster
from gateway.process.clock import process_clock
from gateway.process.configs import Configs
from gateway.process.settings import Settings
from storage.books.audit_rows import Actor
from storage.database.engine import Database
from storage.machines.holding import SqlLeases
from storage.machines.layout import Layout, layout_hosts

_LOOK_S = 0.2
_SILENT_S = 2.0
_SAY_S = 30.0
"""So long nothing moves before this says so."""


async def scale_hosts(
    settings: Settings,
    made: Configs,
    host_count: int,
    *,
    actor: Actor,
    config_path: str | None,
    say: Callable[[str], None],
) -> None:
    """Return once the installation has so many hosts, and every partition is at its place. Raises
    HostsFailed or StoreError.
    """
    await require_cluster(
        settings,
        "there is no cluster to scale; 'vendgate hosts layout' is for when they have ended",
    )
    database = await Database.open(made.storage)
    try:
        most = database.partition_count
        if not 1 <= host_count <= most:
            raise HostsFailed(
                f"{host_count} hosts cannot share {most} partitions: 1 to {most} hosts can."
            )
        if await database.read(layout_hosts) is None:
            raise StoreError("Nothing has served this database yet: start a gateway first.")
        await _scaled(settings, database, host_count, actor, config_path, say)
    finally:
        await database.close()


async def _scaled(
    settings: Settings,
    database: Database,
    host_count: int,
    actor: Actor,
    config_path: str | None,
    say: Callable[[str], None],
) -> None:
    from actors.ray_host import end_above, stand_by
    from actors.ray_node import start_ray, stop_ray

    wanted = ray_settings(settings, hosts=host_count)
    try:
        start_ray(wanted)
        try:
            for index in range(host_count):
                name = await stand_by(
                    wanted, index, factory=FACTORY, factory_argument=config_path or ""
                )
                say(f"{name} stands ready")
            version = await Layout(database).scale(
                host_count, actor=actor, now_ms=process_clock().now_ms()
            )
            say(f"the layout has {host_count} hosts, version {version}")
            leases = SqlLeases(database)
            await until_moved(leases, host_count, version, say=say)
            async for name in end_above(host_count, before_each=partial(still, leases, version)):
                say(f"{name} has ended")
        finally:
            stop_ray()
    except (RuntimeError, ConnectionError) as error:
        why = str(error).rsplit("RuntimeError: ", maxsplit=1)[-1].strip()
        raise HostsFailed(
            f"The installation is not scaled yet: {why}. Give the command again once that is "
            "mended, or with the number of before."
        ) from error
    say(f"every partition is at its place: {host_count} hosts")


async def until_moved(
    leases: SqlLeases,
    host_count: int,
    version: int,
    *,
    say: Callable[[str], None],
    look_s: float = _LOOK_S,
    say_s: float = _SAY_S,
) -> None:
    """Return once every partition is where this layout has it, and say of each that moves. Raises
    HostsFailed if somebody writes another layout meanwhile.
    """
    loop = asyncio.get_running_loop()
    known: dict[int, int] = {}
    moved_s = loop.time()
    while True:
        try:
            standing = await leases.look()
        except StoreError as error:
            # The layout is written: hosts follow it, whether somebody watches or not.
            say(f"the database does not answer, the hosts go on when it does: {error}")
            await asyncio.sleep(_SILENT_S)
            continue
        _require(standing, version)
        alive = {each.holder: each.host for each in standing.holders}
        places = {
            number: place_of(alive.get(held.holder, "")) for number, held in standing.held.items()
        }
        left = sum(place != host_of(number, host_count) for number, place in places.items())
        for number, place in places.items():
            if place is not None and known.get(number, place) != place:
                moved_s = loop.time()
                say(f"partition {number}: host {known[number]} to host {place}, {left} to go")
        known |= {number: place for number, place in places.items() if place is not None}
        if not left:
            return
        if loop.time() - moved_s >= say_s:
            moved_s = loop.time()
            say(f"nothing has moved for {say_s:g} s, {left} to go: see 'vendgate hosts list'")
        await asyncio.sleep(look_s)


async def still(leases: Leases, version: int) -> None:
    """Return if this layout is the newest one: the next one may have the place of a host that is
    about to be ended. Raises HostsFailed, or StoreError if nobody can say.
    """
    _require(await leases.look(), version)


def _require(standing: Standing, version: int) -> None:
    if standing.version != version:
        raise HostsFailed(
            f"Somebody has written another layout meanwhile, of {standing.host_count} hosts: that "
            "one counts."
        )
