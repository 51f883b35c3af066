"""``vendgate hosts``: who holds the machines, and the two acts by which a person decides it.

Flows in: settings, and what the person wants. Flows out: lines on standard output, and rows of the
audit log. All of it is asked of the database: no host and no gateway need be reached. Whether a
holder lives is seen by its beat, so each command looks for some seconds.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict

from actors.leases import Holder, LeaseWatch
from actors.ports import StoreError
from gateway.books.database import served_alone
from gateway.links.host_list import listed
from gateway.links.turn import BEAT_S, LOOK_S
from gateway.process import configs
from gateway.process.clock import SystemClock
from gateway.process.settings import Settings
from storage.books.audit_rows import Actor
from storage.database.engine import Database
from storage.machines.holding import SqlLeases
from storage.machines.layout import Layout

HEIR_LEASE_MS = 60_000
"""So long a takeover is kept for its home."""


def show(settings: Settings, *, as_json: bool) -> str:
    """Return who holds machines, as lines or as one JSON object. Raises SettingsRefused or
    StoreError.
    """
    return _run(settings, lambda database: _shown(database, as_json=as_json))


def take_over(settings: Settings, home: str, *, by: str, reason: str, sure: bool = False) -> str:
    """Take the machines from whoever holds them, for ``home``; return what was done. Raises
    SettingsRefused or StoreError, also if a host that holds some lives and nobody is ``sure``.
    """

    async def work(database: Database) -> str:
        leases = SqlLeases(database)
        if not sure and (alive := [one for one in await beating(leases) if one.home != home]):
            raise StoreError(
                f"{' and '.join(map(_whom, alive))} lives and sells: nothing was taken over. For "
                f"{HEIR_LEASE_MS // 1_000} s nobody but hosts of {home} could sell, and if there "
                "are none, as of a home that is misspelt, nothing would be sold. Give it again "
                "with --sure if that is meant."
            )
        lost = await leases.take_over(
            home,
            actor=person(by),
            reason=reason,
            lease_ms=HEIR_LEASE_MS,
            now_ms=SystemClock().now_ms(),
        )
        from_whom = " and ".join(map(_whom, lost)) or "nobody"
        return (
            f"taken from {from_whom}; for {HEIR_LEASE_MS // 1_000} s only {home} may claim the "
            "machines: start it now, if it does not run"
        )

    return _run(settings, work)


def lay_out(settings: Settings, wanted: int, *, by: str) -> str:
    """Write a layout of so many hosts while nobody serves; return what was done. Raises
    SettingsRefused or StoreError.
    """
    url = configs.storage_config(settings).url

    async def work(database: Database) -> str:
        leases = SqlLeases(database)
        with served_alone(url) as proved:
            holders = await leases.holders()
            gone = [each.holder for each in holders] if proved else await silent(leases, holders)
            version = await Layout(database).change(
                wanted, actor=person(by), gone=gone, now_ms=SystemClock().now_ms()
            )
        return f"the layout has {wanted} hosts, version {version}: set ray.hosts = {wanted}"

    return _run(settings, work)


def _run(settings: Settings, work: Callable[[Database], Awaitable[str]]) -> str:
    async def opened() -> str:
        database = await Database.open(configs.storage_config(settings))
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(opened())


def person(name: str) -> Actor:
    """Return who acts on the command line: nobody proves their name there."""
    return Actor(name=name, claimed=name)


async def beating(leases: SqlLeases) -> list[Holder]:
    """Return the holders that beat while we look."""
    before = {each.holder: each.beat for each in await leases.holders()}
    if not before:
        return []
    await asyncio.sleep(BEAT_S)
    return [
        each for each in await leases.holders() if each.beat != before.get(each.holder, each.beat)
    ]


async def silent(leases: SqlLeases, holders: Sequence[Holder]) -> list[str]:
    """Return those whose beat stands still for their lease; nobody as soon as one beats."""
    watch, first = LeaseWatch(), {each.holder: each.beat for each in holders}
    loop = asyncio.get_running_loop()
    while set(first) - set(watch.still()):
        now = await leases.holders()
        if any(each.beat != first.get(each.holder) for each in now):
            return []
        watch.look(now, loop.time())
        first = {each.holder: each.beat for each in now}
        await asyncio.sleep(LOOK_S)
    return list(first)


async def _shown(database: Database, *, as_json: bool) -> str:
    now = await listed(database, look_s=BEAT_S)
    rows = [
        {
            **asdict(each.holder),
            "partitions": each.partitions,
            "machines": each.machines,
            "epoch": each.epoch,
            "beats": each.beats,
            "to_come": each.to_come,
            "to_leave": each.to_leave,
        }
        for each in now.hosts
    ]
    if as_json:
        return json.dumps({"hosts": now.host_count, "version": now.version, "holders": rows})
    holding = sum(1 for row in rows if row["partitions"])
    hosts = "1 host" if now.host_count == 1 else f"{now.host_count or 'no'} hosts"
    who = f"{holding} hold" if holding > 1 else f"{holding or 'nobody'} holds"
    return "\n".join([f"the layout has {hosts}; {who} machines", *map(_line, rows)])


def _whom(lost: Holder) -> str:
    return f"{lost.host} of {lost.home}" if lost.host else f"a takeover for {lost.home}"


def _line(row: Mapping[str, object]) -> str:
    beat = "beats" if row["beats"] else f"silent for {BEAT_S:.1f} s"
    moving = "".join(
        f", {row[key]} {text}"
        for key, text in (("to_leave", "to give up"), ("to_come", "to come"))
        if row[key]
    )
    program = f", program {row['program']}" if row["program"] else ""
    return (
        f"{row['host'] or '(takeover)'} of {row['home']}, {row['node'] or 'no process'}: "
        f"{row['partitions']} partitions{moving}, {row['machines']} machines, "
        f"epoch {row['epoch']}, {beat}{program}"
    )
