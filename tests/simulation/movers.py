"""Worlds whose partitions move: three hosts stand ready, and somebody scales all the time.

Flows in: a world that is to be so. Flows out: hosts that follow the layout, layouts, and the truths
about them.
"""

from random import Random
from typing import TYPE_CHECKING

from actors.leases import Standing
from actors.placement import host_of, place_of
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from storage.books.audit_rows import Actor
from storage.machines.holding import standing
from storage.machines.layout import Layout
from tests.simulation.backend import HostSlot
from tests.simulation.faults import Faults
from tests.simulation.processes import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

HOSTS = 3


def make(world: "World") -> None:
    """Let partitions move in this world, which has not begun."""
    world.moving = True
    world.slots = [HostSlot(world, index, HOSTS, follows=True) for index in range(HOSTS)]


async def begin(world: "World") -> None:
    """Write the first layout."""
    await _layout(world).first(world.rng("movers").randint(1, HOSTS), by="world", now_ms=1)


async def scale(world: "World", rng: Random) -> None:
    """Somebody wants another number of hosts, whether or not the last one has been reached."""
    count = rng.randint(1, HOSTS)
    world.note(f"there shall be {count} hosts")
    await _layout(world).scale(count, actor=Actor(name="ann"), now_ms=world.clock.now_ms())


def unmoved(world: "World") -> str:
    """Return what is not where the layout says, empty if all is."""
    if not world.moving:
        return ""
    now: Standing = world.disk.read(standing)
    hosts = {each.holder: each.host for each in now.holders}
    assert now.host_count is not None, "it was written first"
    for number, held in now.held.items():
        place = place_of(hosts.get(held.holder, ""))
        if place != host_of(number, now.host_count):
            return f"partition {number} of {now.host_count} hosts is at place {place}"
    return ""


def nobody_else_ends_hosts(world: "World") -> bool:
    """Return whether a host that was superseded can only have been so by a move: a frozen one hears
    of it when all is calm.
    """
    faults = world.before_calm or world.faults
    return world.moving and not (
        faults.sql_stalls
        or faults.sql_outage_every_s
        or faults.sql_loses
        or faults.host_usurped_every_s
        or faults.host_frozen_every_s
        or faults.restored_every_s
    )


def nobody_is_denied(world: "World", frame: service_pb.ConnectResponse) -> None:
    """A request for goods that comes while its machine's partition moves is answered by the next
    host, and not by the gateway because nobody did.
    """
    faults = world.faults
    if (
        frame.vend_denied.reason == pb.VEND_DENIED_REASON_BACKEND_UNAVAILABLE
        and nobody_else_ends_hosts(world)
        and faults.scaled_every_s  # else it is calm, and hosts are killed once more
        and not (faults.sql_refuses or faults.slow_answers or faults.host_crash_every_s)
        and not (faults.link_loses or faults.link_delay_s > 0.2 or faults.host_stopped_every_s)
    ):
        world.checker.broken("a move denies nobody", str(frame.vend_denied.request_id))


def _layout(world: "World") -> Layout:
    way = world.disk.open_for(Process("mover", lambda _: None), world.rng("layout"), Faults())
    return Layout(way)
