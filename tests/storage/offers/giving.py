"""Offers that somebody gives."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert

from actors.machine.ids import Currency, MachineId
from actors.machine.offer import Offered
from storage.database.engine import Database
from storage.fleet.registry import Registry
from storage.insight.suppression import Gate
from storage.offers import rights
from storage.offers.content import OfferContent, OfferView
from storage.offers.offers import Offers
from storage.office.selectors import Selector
from storage.tables import products
from tests.storage.office.places import by
from tests.storage.owner import START_MS, new_machine

HOUR_MS = 3_600_000
NOW_MS = START_MS
CONTENT = OfferContent(
    name="Tea time",
    selector=Selector(all=True),
    tag="",
    product="",
    category="",
    currency="HKD",
    discount_minor=50,
    basis_points=0,
    begins_at_ms=NOW_MS,
    ends_at_ms=NOW_MS + HOUR_MS,
    budget_minor=1_000,
    uses_per_payer=2,
    holdout_percent=0,
)


async def give(db: Database, offer: str = "tea", **said: Any) -> OfferView:
    """Make an offer."""
    return await Offers(db, Gate()).create(
        offer, replace(CONTENT, **said), by(now_ms=NOW_MS), holdout_key="k"
    )


async def may_use(
    db: Database,
    payer_id: str = "ann",
    *,
    machine_id: str = "VM-1",
    currency: str = "HKD",
    now_ms: int = NOW_MS,
) -> Sequence[Offered]:
    """What a payer may use."""

    def work(connection: Connection) -> Sequence[Offered]:
        asked = (MachineId(machine_id), payer_id, Currency(currency), now_ms)
        return rights.usable(connection, *asked)

    return await db.read(work)


async def machines(db: Database, *machine_ids: str) -> None:
    """Register machines that sell cola and tea."""
    for machine_id in machine_ids:
        await Registry(db).register(new_machine(machine_id), actor="test", now_ms=START_MS)


async def catalogue(db: Database, **categories: str) -> None:
    """Let products be known, each with its category."""
    rows = [
        {
            "product": product,
            "revision": 1,
            "category": category,
            "tax_class": "",
            "barcode": "",
            "shelf_life_days": 0,
            "unit_cost_currency": "",
            "image_sha256": "",
            "created_at_ms": 1,
            "updated_at_ms": 1,
        }
        for product, category in categories.items()
    ]
    await db.write(lambda connection: connection.execute(insert(products), rows))
