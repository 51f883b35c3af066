"""Ten questions about sales, and sales that make each of them worth asking."""

import random
from collections.abc import Sequence

from storage.database.engine import Database
from storage.insight import days
from storage.insight.facts import SaleFact
from storage.insight.sales import Beside, By, SalesBooks, SalesLine, SalesWanted
from storage.office.product_content import ProductContent
from storage.office.products import Products
from tests.storage.insight.goods_costs import lots_came
from tests.storage.lake.pond import THURSDAY, fact, told
from tests.storage.office.places import by, some_districts, some_machines

LAST = 20260114
_PLACES = (("city", "OFFICE"), ("pier", "STATION"), ("", ""))
QUESTIONS = (
    *(
        SalesWanted(first=20260108, last=LAST, by=one, with_margin=one not in {By.HOUR, By.OFFER})
        for one in By
        if one not in {By.MACHINE, By.MACHINE_DAY, By.WEEKDAY_HOUR}
    ),
    SalesWanted(first=20260110, last=LAST, by=By.WEEKDAY_HOUR, beside=Beside.SAME_WEEKDAYS),
    SalesWanted(first=THURSDAY, last=LAST, by=By.MACHINE, machine_ids=("VM-0", "VM-2", "VM-9")),
    SalesWanted(
        first=THURSDAY,
        last=LAST,
        by=By.MACHINE_DAY,
        machine_ids=("VM-0", "VM-9"),
        with_margin=True,
    ),
    SalesWanted(first=20260108, last=LAST, by=By.CATEGORY, district="city"),
)


def some_sales(count: int = 400) -> list[SaleFact]:
    """Of three machines in three places, in two currencies, with some that were given back or
    written off, some with an offer; the same ones each time.
    """
    chance = random.Random(7)
    facts = []
    for position in range(1, count + 1):
        number = chance.randrange(3)
        kind = chance.choices(("SALE", "GOODWILL", "WRITE_OFF"), (90, 5, 5))[0]
        minor = chance.randrange(1, 2_000)
        facts.append(
            fact(
                position,
                machine_id=f"VM-{number}",
                d=days.moved(THURSDAY, chance.randrange(14)),
                local_hour=chance.randrange(24),
                kind=kind,
                product=chance.choice(("cola", "tea", "nuts")),
                currency="JPY" if number == 2 else "HKD",
                units=int(kind != "GOODWILL"),
                sales_minor=-minor if kind == "GOODWILL" else minor,
                district=_PLACES[number][0],
                site_type=_PLACES[number][1],
                offer=chance.choice(("", "", "tea-time", "fifty", None)),
            )
        )
    return facts


async def shop(db: Database) -> None:
    """Tell of these sales, where machines, districts and products are, and what some cost: cola by
    the catalogue in one currency, tea by lots in both, nuts as nobody knows. VM-9 sold nothing.
    """
    await some_districts(db, ("city", ""), ("pier", "city"))
    await some_machines(db, "VM-0", "VM-1", "VM-2", "VM-9")
    cola = ProductContent(category="cold", unit_cost_minor=333, unit_cost_currency="HKD")
    await Products(db).create("cola", cola, by(action="made"))
    await lots_came(
        db,
        ("tea", "T1", 1, 120, "HKD"),
        ("tea", "T2", 2, 130, "HKD"),
        ("tea", "T3", 3, 55, "JPY"),
    )
    await told(db, some_sales())


async def from_sums(db: Database) -> list[Sequence[SalesLine]]:
    """What the sums of the database answer."""
    return [(await SalesBooks(db).sales(wanted)).lines for wanted in QUESTIONS]
