"""The blows that fall on a world while it is busy, each a task of its own, and the calm after them.

Flows in: the faults. Flows out: crashes, freezes, outages, clocks that jump, administrators
who change their mind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from actors.link import Reload
from actors.machine.ids import MachineId
from actors.machine.state import Mode
from storage.fleet.changes import MachineChange
from tests.simulation import admins, doubles, movers, recallers, restores, rewrites, shown

if TYPE_CHECKING:
    from tests.simulation.backend import HostProcess
    from tests.simulation.world import World


def fields_of(body: str) -> dict[str, str]:
    """Return the fields of a notification's body."""
    return dict(parse_qsl(body))


def blows(world: "World") -> Iterator[Coroutine[Any, Any, None]]:
    """Return the tasks that make trouble."""
    faults = world.faults
    kinds: tuple[tuple[str, float, Callable[[World, Random], Awaitable[None]]], ...] = (
        ("outage", faults.sql_outage_every_s, _outage),
        (
            "crash",
            0.0
            if faults.host_crash_at_crossing or faults.host_crash_at_await
            else faults.host_crash_every_s,
            _crash,
        ),
        ("usurper", faults.host_usurped_every_s, _usurper),
        ("freeze", faults.host_frozen_every_s, _freeze),
        ("stop", faults.host_stopped_every_s, _stop),
        ("gateway", faults.gateway_crash_every_s, _gateway),
        ("clock", faults.clock_jump_every_s, _clock),
        ("forger", faults.forged_every_s, _forger),
        ("funds", faults.short_of_funds_every_s, _funds),
        ("again", faults.redelivered_every_s, _again),
        ("office", faults.reconfigured_every_s, _reconfigure),
        ("impatience", faults.retried_every_s, _impatience),
        ("reload", faults.reloaded_every_s, _reload),
        ("double", faults.double_every_s, doubles.double),
        ("goodwill", faults.given_back_every_s, _give_back),
        ("limits", faults.limits_wished_every_s, _limits),
        ("erasure", faults.erased_every_s, admins.erase_payer),
        ("goods", faults.goods_moved_every_s, world.shelvers.somebody),
        ("prices", faults.repriced_every_s, shown.reprice),
        ("recalls", faults.recalled_every_s, recallers.somebody),
        ("codes", faults.codes_changed_every_s, rewrites.change),
        ("commands", faults.commanded_every_s, world.orderers.somebody),
        ("templates", faults.planned_every_s, world.planners.somebody),
        ("scale", faults.scaled_every_s, movers.scale),
        ("restore", faults.restored_every_s, restores.restore),
    )
    for name, every_s, blow in kinds:
        if every_s:
            yield _now_and_then(world, world.rng(f"blow/{name}"), every_s, blow)


async def _now_and_then(
    world: "World", rng: Random, every_s: float, blow: "Callable[[World, Random], Awaitable[None]]"
) -> None:
    while True:
        await asyncio.sleep(rng.expovariate(1 / every_s))
        await blow(world, rng)


def calm(world: "World") -> None:
    """All trouble ends; what is dead is started again, what is broken is mended."""
    world.before_calm = replace(world.faults)
    world.faults.calm()
    world.provider.calm()
    world.edge_wall.off_ms = 0
    for slot in world.slots:
        slot.wall.off_ms = 0
        for host in slot.everyone:
            host.process.disarm()
            host.process.thaw()
    for gateway in world.gateways:
        gateway.process.thaw()
    rng = world.rng("calm")
    for machine in world.machines.values():
        machine.cut_power_at(None)
        machine.door(is_open=False)
        if machine.machine_id not in world.gone:
            machine.revive()
    for slot in world.slots:
        if slot.present is not None and rng.random() < 0.5:
            slot.present.process.kill()


def _host(world: "World", rng: Random) -> "HostProcess | None":
    return rng.choice(world.slots).present


async def _outage(world: "World", rng: Random) -> None:
    what = rng.choice(("sql_away", "sql_away", "sql_full"))
    world.note(f"{what} begins")
    setattr(world.faults, what, True)
    try:
        long = rng.random() < world.faults.sql_outage_long
        await asyncio.sleep(rng.choice((300, 780, 1_800) if long else (3, 15, 60)))
    finally:
        setattr(world.faults, what, False)
        world.note(f"{what} is over")


async def _crash(world: "World", rng: Random) -> None:
    if (host := _host(world, rng)) is not None:
        host.process.kill()


async def _usurper(world: "World", rng: Random) -> None:
    slot = rng.choice(world.slots)
    if slot.present is not None:
        world.note(f"a second {slot.name} is started beside the first")
        slot.start_another()


async def _freeze(world: "World", rng: Random) -> None:
    slot = rng.choice(world.slots)
    host = slot.present
    if host is None:
        return
    world.note(f"{host.process.name} freezes")
    host.process.freeze()
    await asyncio.sleep(rng.choice((5, 20, 60)))
    if rng.random() < 0.6 and slot.present is host:
        slot.start_another()
        await asyncio.sleep(rng.random() * 30)
    world.note(f"{host.process.name} thaws")
    host.process.thaw()


async def _stop(world: "World", rng: Random) -> None:
    if (host := _host(world, rng)) is not None:
        world.note(f"{host.process.name} is stopped in order")
        host.process.spawn(host.stop())


async def _gateway(world: "World", rng: Random) -> None:
    if (gateway := world.some_gateway(rng)) is not None:
        if rng.random() < 0.5:
            gateway.process.kill()
        else:
            gateway.process.dies_at_crossing = gateway.process.crossings + rng.randrange(1, 30)


async def _clock(world: "World", rng: Random) -> None:
    """Somebody sets a computer's clock: programs that run do not mind, those that start next do."""
    name, wall = rng.choice(
        [("the gateways", world.edge_wall), *((slot.name, slot.wall) for slot in world.slots)]
    )
    wall.off_ms = rng.choice((-3_600_000, -60_000, -4_000, 0, 4_000, 60_000, 360_000, 3_600_000))
    world.note(f"the clock of {name} is {wall.off_ms} ms off")


async def _forger(world: "World", _: Random) -> None:
    await world.provider.forge()


async def _funds(world: "World", rng: Random) -> None:
    world.note("Alipay is short of our funds")
    world.provider.alipay.switch({"short_of_funds": True})
    try:
        await asyncio.sleep(rng.choice((20, 200, 900)))
    finally:
        world.provider.alipay.switch({"short_of_funds": False})


async def _again(world: "World", rng: Random) -> None:
    trades = world.provider.book.trades(1_000)
    if trades:
        world.provider.redeliver(rng.choice(trades).trade_no)


async def _reconfigure(world: "World", rng: Random) -> None:
    machine_id = rng.choice(sorted(world.machines))
    mode = rng.choice((None, Mode.BOTH, Mode.AUTHORIZATION_FIRST, Mode.SELECTION_FIRST))
    enabled = rng.random() < 0.7
    changed = await world.registry.change(
        MachineId(machine_id),
        MachineChange(mode=mode, enabled=enabled),
        actor="office",
        action="configure",
        now_ms=world.clock.now_ms(),
    )
    world.note(
        f"an administrator wants {machine_id} {changed.told.configuration.mode}, enabled {enabled}"
    )
    world.modes[machine_id] = changed.told.configuration.mode


async def _reload(world: "World", rng: Random) -> None:
    """Somebody has a machine that works loaded anew, and gives up waiting for the answer after a
    while.
    """
    await admins.tell(world, rng.choice(sorted(world.machines)), Reload())


async def _give_back(world: "World", rng: Random) -> None:
    await admins.give_back_sold(world, rng)


async def _limits(world: "World", rng: Random) -> None:
    await admins.wish_limit(world, rng)


async def _impatience(world: "World", _: Random) -> None:
    await admins.retry_refused(world)
