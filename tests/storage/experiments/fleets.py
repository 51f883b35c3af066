"""Machines with a past, and with what they sell while something is tried, as sums that a follower
of the books would have made.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from sqlalchemy import Connection, delete, insert

from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.experiments.arms import Arms
from storage.experiments.content import Channel, Content, Design, Measure, TriedPrice
from storage.experiments.experiments import Experiments, ExperimentView
from storage.experiments.foreseeing import Foreseeing
from storage.experiments.prices import PriceWish, TriedPrices, restoring, trying
from storage.fleet.registry import Registry
from storage.insight import days
from storage.insight.follower import NAME
from storage.insight.rollups import Sums, save
from storage.insight.suppression import Gate
from storage.machines.rows import DAY_MS
from storage.office.playlists import Playlists
from storage.office.selectors import Selector
from storage.tables import (
    followers,
    machine_hours,
    machine_screens,
    machine_sites,
    sales_days,
    sales_hours,
)
from tests.storage.office.places import by, some_districts, some_machines, some_sites
from tests.storage.office.showing import items

PRICE_MINOR = 500
EVERYONE = Selector(all=True)


OVER = 20260630
"""The last day of the past, for those that need no other."""


def begins(d: int) -> int:
    """The first moment of a day in Greenwich."""
    return (days.as_date(d) - days.as_date(19700101)).days * DAY_MS


def noon(d: int) -> int:
    """Noon of a day in Greenwich."""
    return begins(d) + DAY_MS // 2


def names(count: int) -> list[str]:
    """So many machines."""
    return [f"VM-{number:02}" for number in range(1, count + 1)]


def content(**more: Any) -> Content:
    """What somebody wants to know."""
    said: dict[str, Any] = {
        "hypothesis": "who sees it buys more",
        "channel": Channel.PLAYLIST,
        "design": Design.PAIRED,
        "measure": Measure.UNITS,
        "currency": "",
        "selector": EVERYONE,
        "tag": "",
        "days": 28,
        "pre_days": 28,
        "sought_permille": 300,
        "acknowledged_within_h": 24,
        "playlist": "all",
    }
    return Content(**(said | more))


def priced(price_minor: int = 400, **more: Any) -> Content:
    """Cola is tried for so much."""
    return content(
        channel=Channel.PRICE,
        playlist="",
        currency="HKD",
        prices=(TriedPrice(product="cola", price_minor=price_minor),),
        **more,
    )


async def told_until(db: Database, d: int) -> None:
    """Let everything be told that was until the end of a day, in Greenwich."""

    def write(connection: Connection) -> None:
        connection.execute(delete(followers).where(followers.c.name == NAME))
        row = {
            "name": NAME,
            "position": 7,
            "at_ms": begins(days.moved(d, 1)) + 1,
            "holder": "",
            "epoch": 1,
            "beat": 0,
            "made_until": 0,
            "stage": "FOLLOWING",
            "updated_at_ms": 0,
        }
        connection.execute(insert(followers), row)

    await db.write(write)


def usual(_machine: str, _d: int) -> float:
    """Nothing is tried."""
    return 1.0


async def sell(
    db: Database,
    machines: Iterable[str],
    first: int,
    last: int,
    *,
    factor: Callable[[str, int], float] = usual,
    sellable: Callable[[str, int], float] = usual,
    price_minor: Callable[[str, int], int] = lambda _machine, _d: PRICE_MINOR,
    seed: int = 1,
) -> None:
    """Let machines sell colas on these days, each as it does: some sell several times as much as
    others. ``factor``: so many times as usual; ``sellable``: in such a share of the day;
    ``price_minor``: what customers paid for one.
    """
    sums = Sums()
    for name in machines:
        level = math.exp(Random(name).gauss(3, 0.5))
        for d in days.between(first, last):
            rng = Random(f"{seed} {name} {d}")
            share = sellable(name, d)
            mean = level * factor(name, d) * math.exp(rng.gauss(0, 0.1)) * share
            units = max(0, round(rng.gauss(mean, math.sqrt(mean)))) if mean else 0
            spent = int(share * 86_400)
            minor = units * price_minor(name, d)
            sums.add(sales_hours, (name, d, 12, "HKD"), (units, minor))
            sums.add(sales_days, (name, d, "cola", "HKD"), (units, minor, 0, 0, 0))
            sums.add(machine_hours, (name, d, 12), (86_400, 86_400, 86_400, spent, 86_400, 0))
    await db.write(lambda connection: save(connection, sums.rows()))


def experiment_row(name: str) -> dict[str, object]:
    """An experiment of which nothing matters but that it runs."""
    return {
        "experiment": name,
        "state": "RUNNING",
        "content": "{}",
        "seed": "",
        "plan_sha256": "",
        "pre_first_d": 0,
        "pre_last_d": 0,
        "first_d": 0,
        "last_d": 0,
        "created_by": "ann",
        "created_at_ms": 1,
        "started_by": "ann",
        "stop_reason": "",
        "position": 0,
        "result": "",
    }


def unit_row(experiment: str, machine_id: str, left_out: str) -> dict[str, object]:
    """A machine of it."""
    return {
        "experiment": experiment,
        "machine_id": machine_id,
        "block": 1,
        "arm": "",
        "left_out": left_out,
        "treated_days": "[]",
    }


async def created(db: Database, name: str, of: Content, now_ms: int) -> Experiments:
    """An experiment that is foreseen and kept."""
    foresight = await Foreseeing(db, Gate()).foreseen(of, now_ms)
    experiments = Experiments(db)
    await experiments.create(name, of, foresight, by(action="made", now_ms=now_ms))
    return experiments


async def started(db: Database, name: str, of: Content, now_ms: int) -> ExperimentView:
    """An experiment that is drawn, under a seed that is its name."""
    experiments = await created(db, name, of, now_ms)
    foreseeing = Foreseeing(db, Gate())
    foresight = await foreseeing.foreseen(of, now_ms)
    first_d = await foreseeing.next_day(now_ms)
    deed = by(action="made", now_ms=now_ms)
    return await experiments.start(name, foresight, first_d, name, deed)


async def with_a_past(db: Database, over: int, count: int = 14) -> list[str]:
    """Machines that have sold colas for sixty days up to the end of one."""
    machines = names(count)
    await some_machines(db, *machines)
    await sell(db, machines, days.moved(over, -59), over)
    await told_until(db, over)
    return machines


async def stand(db: Database, at: Mapping[str, str]) -> None:
    """Let machines stand at sites, which are made, in Hong Kong."""
    await some_districts(db, ("hk", ""))
    await some_sites(db, **dict.fromkeys(at.values(), "hk"))
    stays = [
        {"machine_id": one, "site": site, "from_day": "2026-01-01", "from_at_ms": 1}
        for one, site in at.items()
    ]
    await db.write(lambda connection: connection.execute(insert(machine_sites), stays))


async def with_screens(db: Database, machines: Iterable[str]) -> None:
    """Let them have screens, and let there be a playlist."""
    await Playlists(db).create("all", items(), by(action="made"))
    said = dict.fromkeys(("wanted", "applied", "reason", "detail"), "")
    rows = [{"machine_id": one, "wanted_at_ms": 1, "heard_at_ms": 1, **said} for one in machines]
    await db.write(lambda connection: connection.execute(insert(machine_screens), rows))


NOW_MS = noon(20260701)


async def carry_out(db: Database, wishes: list[PriceWish], now_ms: int = NOW_MS) -> None:
    """As the gateway does."""
    for wish in wishes:
        change = (trying if wish.tried else restoring)(wish, now_ms)
        await Registry(db).change(
            MachineId(wish.machine_id), change, actor="ann", action="TryPrice", now_ms=now_ms
        )


async def wishes(db: Database, at_ms: int) -> list[PriceWish]:
    """What is to change at that time."""
    return await TriedPrices(db).wishes(await Arms(db).now(at_ms))
