"""Payers with a past, and with what they buy while an offer is tried, as facts that a follower of
the books would have made; and offers that are to begin.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from sqlalchemy import Connection, insert

from storage.database.engine import Database
from storage.experiments.content import Channel, Content, Design, Measure
from storage.experiments.experiments import Experiments, ExperimentView
from storage.experiments.foreseeing import Foresight
from storage.experiments.history import DaySpan
from storage.experiments.offered import TriedOffer
from storage.experiments.payer_foreseeing import PayerForeseeing
from storage.experiments.payer_starting import PayerStarts
from storage.insight import days
from storage.insight.suppression import Gate
from storage.offers.content import OfferView
from storage.offers.offers import Offers
from storage.office.selectors import Selector
from storage.tables import (
    experiment_offers,
    experiment_payers,
    experiments,
    payers,
    sale_facts,
)
from tests.storage.experiments.fleets import OVER, begins, experiment_row, noon, told_until
from tests.storage.experiments.fleets import content as of_machines
from tests.storage.offers.giving import CONTENT
from tests.storage.office.places import by

NOW_MS = noon(20260701)
FIRST, LAST = 20260703, 20260730
PERCENT = 45
KEY = "k"


def usual(_payer: str, _d: int) -> float:
    """Nothing is tried."""
    return 1.0


def people(number: int) -> list[str]:
    """So many payers."""
    return [f"payer-{one:04}" for one in range(number)]


async def are_known(db: Database, names: Iterable[str]) -> None:
    """Let these payers be known."""
    rows = [
        {"buyer_hash": f"h-{name}", "payer_id": name, "first_seen_ms": 1, "last_seen_ms": 2}
        for name in names
    ]
    await db.write(lambda connection: connection.execute(insert(payers), rows))


def fact(version: int, payer: str, d: int, **more: Any) -> dict[str, Any]:
    """A cola that a payer bought on a day."""
    return {
        "machine_id": "VM-01",
        "version": version,
        "line": 0,
        "position": version,
        "at_ms": version,
        "d": d,
        "local_hour": 9,
        "kind": "SALE",
        "vend_id": f"v{version}",
        "column": "A1",
        "product": "cola",
        "currency": "HKD",
        "units": 1,
        "sales_minor": 500,
        "discount_minor": 0,
        "payer_id": payer,
        "site": "",
        "district": "",
        "site_type": "",
        "offer": "",
        **more,
    }


async def facts(db: Database, rows: Sequence[dict[str, Any]]) -> None:
    """Let them be told."""
    await db.write(lambda connection: connection.execute(insert(sale_facts), list(rows)))


async def buy(
    db: Database,
    names: Iterable[str],
    first: int,
    last: int,
    *,
    factor: Callable[[str, int], float] = usual,
    version: int = 1,
) -> None:
    """Let payers buy colas on these days, each as they do; ``factor``: so many times as usual."""
    length = days.count(first, last)
    rows: list[dict[str, Any]] = []
    for name in names:
        level = math.exp(Random(name).gauss(1.6, 0.6)) / 28 * length
        rng = Random(f"{name} {first}")
        mean = level * factor(name, first)
        for _ in range(max(1, round(rng.gauss(mean, math.sqrt(mean))))):
            d = days.moved(first, rng.randrange(length))
            rows.append(fact(version + len(rows), name, d))
    await facts(db, rows)


async def with_customers(db: Database, number: int = 260, over: int = OVER) -> list[str]:
    """Payers who have bought colas for eight weeks up to the end of a day."""
    names = people(number)
    await are_known(db, names)
    await buy(db, names, days.moved(over, -55), over)
    await told_until(db, over)
    return names


async def offer(db: Database, name: str = "tea", *, now_ms: int = NOW_MS, **more: Any) -> OfferView:
    """An offer that begins on the morning of FIRST and holds many out."""
    said = {
        "begins_at_ms": begins(FIRST) + 1,
        "ends_at_ms": begins(20260801),
        "budget_minor": 100_000,
        "holdout_percent": PERCENT,
        **more,
    }
    deed = by(action="made", now_ms=now_ms)
    return await Offers(db, Gate()).create(name, replace(CONTENT, **said), deed, holdout_key=KEY)


def offered(name: str = "tea", **more: Any) -> Content:
    """What somebody wants to know of an offer."""
    return of_machines(
        **{
            "channel": Channel.OFFER,
            "design": Design.PAYERS,
            "measure": Measure.SALES,
            "selector": Selector(),
            "acknowledged_within_h": 0,
            "playlist": "",
            "sought_permille": 500,
            "offer": name,
            **more,
        }
    )


def tried(view: OfferView) -> TriedOffer:
    """It with its key."""
    return TriedOffer(offer=view.offer, content=view.content, key=KEY)


async def create(db: Database, name: str, of: Content, now_ms: int = NOW_MS) -> None:
    """Keep an experiment."""
    pre = DaySpan(first=days.moved(OVER, -27), last=OVER)
    seen = Foresight(units=(), left_out={}, pre=pre, detectable_permille=None)
    await Experiments(db).create(name, of, seen, by(action="made", now_ms=now_ms))


async def start(
    db: Database, name: str = "a", of: Content | None = None, now_ms: int = NOW_MS
) -> ExperimentView:
    """Start an experiment that is kept, under a seed that is its name."""
    foresight = await PayerForeseeing(db, Gate()).foreseen(of or offered(), now_ms)
    deed = by(action="made", now_ms=now_ms)
    return await PayerStarts(db, Gate()).start(name, foresight, name, deed)


async def started(db: Database, name: str = "a", **more: Any) -> ExperimentView:
    """An experiment that runs, of customers and an offer that are made."""
    await with_customers(db)
    await offer(db)
    await create(db, name, offered(**more))
    return await start(db, name, offered(**more))


async def held_out(db: Database, *payer_ids: str) -> None:
    """An experiment of which nothing matters but that these payers are held out in it."""
    await offer(db)
    tried_one = {"experiment": "a", "offer": "tea", "terms": "{}", "treated": 1, "control": 1}
    rows = [
        {"experiment": "a", "payer_id": one, "arm": "CONTROL", "before_minor": 700}
        for one in payer_ids
    ]

    def write(connection: Connection) -> None:
        connection.execute(insert(experiments), experiment_row("a"))
        connection.execute(insert(experiment_offers), tried_one)
        connection.execute(insert(experiment_payers), rows)

    await db.write(write)
