"""What somebody knows, and what is a typo."""

from typing import Any

import pytest

from actors.machine.goods import SUPPLIER
from storage.database.engine import Database
from storage.office import known
from storage.office.deeds import NotThere
from storage.office.goods import Errand, Goods, GoodsLine
from storage.office.known import Names
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.visits import Visits
from tests.storage.office.places import by, some_machines
from tests.storage.office.plans import goes_along

NORTH = "WAREHOUSE:north"


async def told(db: Database, **names: Any) -> str:
    """Return what is said of names; empty if somebody knows them."""
    try:
        await db.read(lambda connection: known.check(connection, Names(**names)))
    except NotThere as error:
        return f"{error.what} {error.name}"
    return ""


@pytest.fixture
async def _day(db: Database) -> None:
    """Have a machine, a product, a warehouse that was emptied, and a visit from a van that carries
    nothing yet.
    """
    await some_machines(db, "VM-1")
    for name in ("cola", "tea"):
        await Products(db).create(name, ProductContent(), by())
    line = GoodsLine(product="cola", lot="L1", quantity=1)
    for cause, come_from, to in (("r", SUPPLIER, NORTH), ("w", NORTH, "WASTE")):
        errand = Errand(cause=cause, from_place=come_from, to_place=to, lines=[line], visit="note")
        await Goods(db).carry(errand, by())
    await Visits(db).open("v-1", "VM-1", "VAN:7", by())


KNOWN: tuple[dict[str, str], ...] = (
    {},
    {"machine_id": "VM-1"},
    {"place": NORTH},
    {"place": "VAN:7"},
    {"place": "VISIT:v-1"},
    {"place": "REMOVED:VM-1"},
    {"place": "COLUMN:VM-1/A1"},
    {"visit": "v-1"},
    {"visit": "note"},
    {"product": "tea"},
    {"product": "cola", "lot": "L1"},
)
UNKNOWN: tuple[tuple[dict[str, str], str], ...] = (
    ({"machine_id": "VM-9"}, "machine VM-9"),
    ({"place": "WAREHOUSE:nroth"}, "place WAREHOUSE:nroth"),
    ({"place": "VAN:8"}, "place VAN:8"),
    ({"place": "VISIT:v-9"}, "visit v-9"),
    ({"place": "REMOVED:VM-9"}, "machine VM-9"),
    ({"place": "COLUMN:VM-9/A1"}, "machine VM-9"),
    ({"place": "COLUMN:VM-1/Z9"}, "column VM-1/Z9"),
    ({"visit": "v-9"}, "visit v-9"),
    ({"product": "mead"}, "product mead"),
    ({"product": "tea", "lot": "L1"}, "lot L1 of tea"),
)


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("_day")
async def test_what_was_there_once_is_known(db: Database, subtests: pytest.Subtests) -> None:
    """Though it is empty now: its list is, and nobody is told that it is a typo."""
    for names in KNOWN:
        with subtests.test(names=names):
            assert "" == await told(db, **names)


@pytest.mark.usefixtures("_day")
async def test_what_nobody_knows_is_named(db: Database, subtests: pytest.Subtests) -> None:
    """Of a place what is wrong with it: its machine, its column, its visit."""
    for names, said in UNKNOWN:
        with subtests.test(names=names):
            assert said == await told(db, **names)


async def test_each_question_is_a_step_along_an_index(db: Database) -> None:
    """Somebody asks, whose list was empty, of books of ten million moves."""
    names = Names(machine_id="VM-1", place="COLUMN:VM-1/A1", visit="v-1", product="cola", lot="L1")
    for wanted in (names, Names(product="cola"), Names(place=NORTH)):
        for asked in known.questions(wanted):
            for one in asked.found_by:
                await goes_along(db, one.limit(1))
