"""Payers who bought, and their tags."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert

from storage.database.engine import Database
from storage.insight import days
from storage.insight.evaluating import Evaluation
from storage.insight.lease import Standing
from storage.insight.suppression import Gate
from storage.insight.tag_rules import read, written
from storage.insight.tags import RuleContent, Tags
from storage.tables import payers, sale_facts
from tests.storage.insight.shop import StillClock
from tests.storage.office.places import by

TODAY = 20260630  # a Tuesday
ANY = {"feature": "purchases_90", "at_least": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One item that a payer bought so many days before the end of TODAY; 1 is TODAY itself."""

    payer: str
    ago: int = 1
    hour: int = 9
    machine: str = "VM-1"
    product: str = "cola"
    minor: int = 500
    district: str = "pier"
    units: int = 1
    kind: str = "SALE"
    currency: str = "HKD"


def several(purchase: Purchase, *agos: int) -> list[Purchase]:
    """The same on several days."""
    return [replace(purchase, ago=ago) for ago in agos]


async def known(db: Database, *names: str) -> None:
    """Let these payers be known."""
    rows = [
        {"buyer_hash": f"h-{name}", "payer_id": name, "first_seen_ms": 1, "last_seen_ms": 2}
        for name in names
    ]
    await db.write(lambda connection: connection.execute(insert(payers), rows))


async def have_bought(db: Database, purchases: Sequence[Purchase], *, first: int = 1) -> None:
    """Facts of these purchases."""
    rows: list[dict[str, Any]] = [
        {
            "machine_id": one.machine,
            "version": version,
            "line": 0,
            "position": version,
            "at_ms": version,
            "d": days.moved(TODAY, 1 - one.ago),
            "local_hour": one.hour,
            "kind": one.kind,
            "vend_id": f"v{version}",
            "column": "A1",
            "product": one.product,
            "currency": one.currency,
            "units": one.units,
            "sales_minor": one.minor,
            "discount_minor": 0,
            "payer_id": one.payer,
            "site": "",
            "district": one.district,
            "site_type": "",
        }
        for version, one in enumerate(purchases, first)
    ]
    await db.write(lambda connection: connection.execute(insert(sale_facts), rows))


def content(rule: dict[str, Any], *, purchases_min: int = 1, currency: str = "") -> RuleContent:
    """A rule."""
    text = written(read(json.dumps(rule)))
    return RuleContent(rule=text, purchases_min=purchases_min, currency=currency)


async def tag(db: Database, name: str = "SOME", rule: dict[str, Any] | None = None) -> Tags:
    """A tag that somebody made."""
    tags = Tags(db, Gate())
    deed = by(action="CreateTag")
    await tags.create(name, content(rule or ANY), deed, by="ann", reason="why not")
    return tags


def standing(d: int = TODAY, *, position: int = 9_999, stage: str = "FOLLOWING") -> Standing:
    """A follower that has told all of a day, UTC."""
    over = days.as_date(d).toordinal() - days.as_date(19700101).toordinal() + 1
    return Standing(name="sales", position=position, at_ms=over * 86_400_000 + 5, stage=stage)


def evaluation(db: Database) -> Evaluation:
    """One that proves no lease."""

    async def write(held: Standing, work: Callable[[Connection], None]) -> Standing:
        await db.write(work)
        return held

    return Evaluation(db=db, clock=StillClock(1), write=write)


async def evaluate(db: Database, d: int = TODAY) -> int:
    """Do all that is due at the end of a day; return in how many steps."""
    ours, steps = evaluation(db), 0
    while await ours.step(standing(d)):
        steps += 1
    return steps
