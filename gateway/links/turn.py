"""Whether it is this program's turn to have the machines of a database: asked before any host is
made.

Flows in: how many hosts the program is set up for, and its home, if its hosts live and die with it.
Flows out: nothing, or a sentence. What such a program finds of its own home is dead, because only
one has that home at a time. What belongs to another home is watched: it is dead if its beat stands
still for its lease, and lives as soon as the beat goes on.
"""

import asyncio
from collections.abc import Sequence

import structlog

from actors.leases import BEATS_IN_A_LEASE, LEASE_MS, Holder, LeaseWatch
from actors.ports import Clock
from storage.database.engine import Database
from storage.machines.holding import SqlLeases, held_by
from storage.machines.layout import Layout

log = structlog.get_logger()

LOOK_S = 0.5
BEAT_S = LEASE_MS / 1_000 / BEATS_IN_A_LEASE + LOOK_S
"""Whoever holds machines has beaten once more by then."""


class OwnedElsewhere(Exception):
    """Another installation owns the machines; the sentence says who, since when and what to do."""


async def require_turn(
    database: Database,
    *,
    host_count: int | None,
    home: str | None,
    by: str,
    clock: Clock,
    stop: asyncio.Event,
    look_s: float = LOOK_S,
) -> None:
    """Return once hosts may be made. ``host_count`` None: they go by the layout. ``home`` None:
    they belong to a cluster, and wait there.

    ``by`` is who is written into the audit log; ``stop`` ends a wait. Raises LayoutDiffers or
    OwnedElsewhere.
    """
    if host_count is not None:
        await Layout(database).agree(host_count, by=by, now_ms=clock.now_ms())
    if home is not None:
        await _watched(SqlLeases(database), home, by=by, clock=clock, stop=stop, look_s=look_s)


async def _watched(
    leases: SqlLeases, home: str, *, by: str, clock: Clock, stop: asyncio.Event, look_s: float
) -> None:
    watch, first = LeaseWatch(), dict[str, int]()
    loop = asyncio.get_running_loop()
    while True:
        holders = await leases.holders()
        if dead := {each.holder: each.beat for each in holders if each.home == home and each.host}:
            await leases.bury(
                dead, why="the next program of its home began", by=by, now_ms=clock.now_ms()
            )
            continue
        others = [each for each in holders if each.home != home]
        if not others:
            return
        watch.look(others, loop.time())
        if still := watch.still():
            await leases.bury(still, why="its beat stood still", by=by, now_ms=clock.now_ms())
            continue
        if not first:
            log.warning("waits for a lease to run out", held=[held_by(each) for each in others])
        alive = [each for each in others if first.setdefault(each.holder, each.beat) != each.beat]
        if alive or stop.is_set():
            raise OwnedElsewhere(sentence(alive or others, home))
        await asyncio.sleep(look_s)


def sentence(holders: Sequence[Holder], home: str) -> str:
    """Return what a person is told whose program may not have the machines."""
    return owned(" and ".join(held_by(each) for each in holders), home)


def owned(who: str, home: str) -> str:
    """Return the same for a clause that says who has them."""
    return (
        f"Another installation owns the machines of this database: {who}. End it, or give this "
        f"one a database of its own. If this one must have them: 'vendgate hosts takeover {home}', "
        "and start this one within a minute."
    )
