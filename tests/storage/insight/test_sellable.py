"""Time is asked as sales are, and what was sold stands beside the time in which it could be."""

import pytest

from storage.database.engine import Database
from storage.insight.rollups import Sums, save
from storage.insight.sales import By, SalesWanted
from storage.insight.sellable import SellableBooks, SoldThere, Spent
from storage.office.deeds import NotPossible, NotThere
from storage.tables import machine_hours, sales_hours, scope_exposures, scope_hours
from tests.storage.office.places import some_machines

DAY = 20260101


@pytest.fixture
async def books(db: Database) -> SellableBooks:
    """A machine that could sell for half of two hours, and sold in one of them."""
    sums = Sums()
    for hour in (9, 10):
        for table, whose in ((machine_hours, ("VM-1",)), (scope_exposures, ("FLEET", ""))):
            sums.add(table, (*whose, DAY, hour), (3_600, 3_000, 2_000, 1_800, 4_000, 1_000))
    sums.add(sales_hours, ("VM-1", DAY, 9, "HKD"), (2, 1_000))
    sums.add(scope_hours, ("FLEET", "", DAY, 9, "HKD"), (2, 1_000))
    sums.add(scope_hours, ("FLEET", "", DAY, 12, "USD"), (1, 7))
    await db.write(lambda connection: save(connection, sums.rows()))
    await some_machines(db, "VM-1")
    return SellableBooks(db)


async def test_sales_stand_beside_the_time_in_which_they_could_be(books: SellableBooks) -> None:
    """By hour and in all; where there was no time there is no figure of a day."""
    hours = (await books.sellable(SalesWanted(first=DAY, last=DAY, by=By.HOUR))).lines
    assert ["09", "10", "12"] == [line.key for line in hours]
    spent = Spent(
        known_s=3_600,
        online_s=3_000,
        in_service_s=2_000,
        sellable_s=1_800,
        column_s=4_000,
        empty_column_s=1_000,
    )
    of_day = 1_000 * 86_400 // 1_800
    sold = SoldThere(currency="HKD", units=2, sales_minor=1_000, per_day_minor=of_day)
    assert ([sold], spent) == (hours[0].sold, hours[0].spent)
    assert ((), spent) == (hours[1].sold, hours[1].spent)
    (dark,) = hours[2].sold
    assert (None, Spent()) == (dark.per_day_minor, hours[2].spent)
    ours = SalesWanted(first=DAY, last=DAY, by=By.MACHINE, machine_ids=("VM-1",))
    (whole,) = (await books.sellable(ours)).lines
    assert ("VM-1", 3_600, 1_000 * 86_400 // 3_600) == (
        whole.key,
        whole.spent.sellable_s,
        whole.sold[0].per_day_minor,
    )


@pytest.mark.slow_on_postgres
async def test_nobody_has_the_time_of_a_product(books: SellableBooks) -> None:
    """Nor that of no days."""
    for by, first in ((By.PRODUCT, DAY), (By.DAY, 3)):
        with pytest.raises(NotPossible):
            await books.sellable(SalesWanted(first=first, last=DAY, by=by))
    with pytest.raises(NotThere):
        await books.sellable(SalesWanted(first=DAY, last=DAY, by=By.DAY, district="nowhere"))
    with pytest.raises(NotThere):
        await books.sellable(SalesWanted(first=DAY, last=DAY, by=By.DAY, machine_ids=("VM-2",)))
