"""An offer, customers who may use it, and what its books say."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from actors.machine.events import FrameReceived, VendRequested
from actors.machine.ids import RequestId
from actors.machine.offer import Offered
from actors.machine.values import replace
from storage.database.engine import Database
from storage.tables import offer_spending, offer_uses, offers
from tests.storage.owner import START_MS, Owner, paid

FIFTY = Offered(offer="fifty", ends_at_ms=START_MS + 3_600_000, left=99, discount_minor=50)


async def give(
    db: Database,
    offer: str = "fifty",
    *,
    budget_minor: int = 100,
    uses_per_payer: int = 99,
    ended_at_ms: int | None = None,
) -> None:
    """An operator gives something."""
    row = {
        **dict.fromkeys(("name", "tag", "product", "category"), ""),
        "offer": offer,
        "revision": 1,
        "currency": "HKD",
        "discount_minor": 50,
        "basis_points": 0,
        "begins_at_ms": START_MS,
        "ends_at_ms": START_MS + 3_600_000,
        "budget_minor": budget_minor,
        "uses_per_payer": uses_per_payer,
        "ended_at_ms": ended_at_ms,
        "holdout_percent": 0,
        "holdout_key": "",
        "created_at_ms": START_MS,
        "updated_at_ms": START_MS,
        "selector": "{}",
    }

    def work(connection: Connection) -> None:
        connection.execute(insert(offers), row)
        connection.execute(insert(offer_spending), {"offer": offer})

    await db.write(work)


@dataclass(frozen=True)
class Books:
    spent_minor: int
    uses: int
    open_uses: int
    returned: int


async def books(db: Database, offer: str = "fifty") -> Books:
    def work(connection: Connection) -> Books:
        spent = connection.execute(
            select(offer_spending).where(offer_spending.c.offer == offer)
        ).one()
        rows = connection.execute(select(offer_uses).where(offer_uses.c.offer == offer)).all()
        counted = [row.discount_minor for row in rows if row.returned_at_ms is None]
        assert sum(counted) == spent.spent_minor
        return Books(spent.spent_minor, spent.uses, len(counted), len(rows) - len(counted))

    return await db.read(work)


def chooses(owner: Owner, machine_id: str, number: int = 1) -> FrameReceived:
    return owner.frame(
        machine_id,
        VendRequested(
            request_id=RequestId(f"{machine_id}-q{number}"),
            column="A1",
            price_minor=500,
            planogram_version=1,
        ),
    )


async def with_a_customer(
    db: Database, *machines: str, holder: str = "h1", host: str = ""
) -> Owner:
    """Somebody at each who may use the offer, and has paid enough for many."""
    owner = await Owner.of(db, *machines, holder=holder, host=host or "vendgate-host-0")
    for machine_id in machines:
        event = paid(f"t-{machine_id}", 5_000, payer_id=f"payer-of-{machine_id}")
        await owner.do(machine_id, replace(event, offers=(FIFTY,)))
    return owner
