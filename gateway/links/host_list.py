"""The hosts as SQL knows them: who holds which partitions, how many machines that is, and whether
they beat.

Flows in: an open database. Flows out: a line for each holder, for ``vendgate hosts list`` and for
``ListHosts``. Whether a holder lives is seen by its beat, so it looks twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from actors.leases import Holder, Standing
from actors.placement import host_of, place_of
from storage.database.engine import Database
from storage.machines.holding import SqlLeases, figures, machine_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One holder. ``place``: its own in the layout; None: it has none. ``to_come``, ``to_leave``:
    partitions until it has what the layout gives to it. ``machines`` are registered ones of the
    partitions that it holds.
    """

    holder: Holder
    place: int | None
    partitions: int
    to_come: int
    to_leave: int
    epoch: int
    machines: int
    beats: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HostList:
    """``host_count``: how many the layout wants; None: nothing has served yet."""

    host_count: int | None
    version: int
    hosts: Sequence[Listed]


async def listed(database: Database, *, look_s: float) -> HostList:
    """Return all holders; one beats if its beat goes on within ``look_s``. Raises StoreError."""
    leases = SqlLeases(database)
    before = {each.holder: each.beat for each in await leases.holders()}
    if before:
        await asyncio.sleep(look_s)
    now, held = await leases.look(), await database.read(figures)
    counts = await database.read(machine_counts)
    there = dict.fromkeys((each.holder for each in now.holders), 0)
    for number, has in now.held.items():
        if has.holder in there:
            there[has.holder] += counts.get(number, 0)
    hosts = []
    for each in now.holders:
        partitions, epoch = held.get(each.holder, (0, 0))
        to_come, to_leave = _on_the_way(now, each)
        hosts.append(
            Listed(
                holder=each,
                place=place_of(each.host),
                partitions=partitions,
                to_come=to_come,
                to_leave=to_leave,
                epoch=epoch,
                machines=there[each.holder],
                beats=each.beat != before.get(each.holder),
            )
        )
    return HostList(host_count=now.host_count, version=now.version, hosts=hosts)


def _on_the_way(now: Standing, one: Holder) -> tuple[int, int]:
    """Return how many partitions are to come to this host, and how many are to leave it, until it
    has what the layout gives to it.
    """
    place = place_of(one.host)
    if place is None or now.host_count is None:
        return 0, 0
    its = {number for number in now.held if host_of(number, now.host_count) == place}
    has = {number for number, held in now.held.items() if held.holder == one.holder}
    return len(its - has), len(has - its)
