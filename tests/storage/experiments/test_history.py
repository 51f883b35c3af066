"""What machines sold is read from sums, in the time and the money that is asked for."""

from functools import partial

from sqlalchemy import Connection

from storage.database.engine import Database
from storage.experiments.content import Measure
from storage.experiments.history import DaySpan, by_day, half_of, parts, sums
from storage.insight.rollups import Sums, save
from storage.lift.differences import SoldIn
from storage.tables import machine_hours, sales_hours
from tests.storage.experiments.fleets import content

SPAN = DaySpan(first=20260601, last=20260604)


def _past(connection: Connection) -> None:
    some = Sums()
    for d, units, spent in ((20260531, 9, 86_400), (20260601, 2, 86_400), (20260604, 3, 3_600)):
        some.add(sales_hours, ("VM-1", d, 9, "HKD"), (units, units * 500))
        some.add(sales_hours, ("VM-1", d, 9, "CNY"), (1, 70))
        some.add(machine_hours, ("VM-1", d, 9), (86_400, 86_400, 86_400, spent, 0, 0))
    save(connection, some.rows())


async def test_sums_are_of_the_time_that_is_meant(db: Database) -> None:
    """Items of all money, or one money; and the days on which nothing could be sold are none."""
    await db.write(_past)
    money = content(measure=Measure.SALES, currency="HKD")

    async def told(what: object) -> object:
        return await db.read(what)  # type: ignore[arg-type]  # a partial of a work

    names = ["VM-1", "VM-2"]
    items = await told(partial(sums, machine_ids=names, span=SPAN, content=content()))
    assert {"VM-1": SoldIn(7, 90_000), "VM-2": SoldIn(0, 0)} == items
    paid = await told(partial(sums, machine_ids=names, span=SPAN, content=money))
    assert {"VM-1": SoldIn(2_500, 90_000), "VM-2": SoldIn(0, 0)} == paid
    days = await told(partial(by_day, machine_ids=names, span=SPAN, content=money))
    assert {
        "VM-1": {20260601: SoldIn(1_000, 86_400), 20260604: SoldIn(1_500, 3_600)},
        "VM-2": {},
    } == days
    assert 0.5 == await told(partial(half_of, machine_ids=names, span=SPAN, content=content()))
    assert 250.0 == await told(partial(half_of, machine_ids=names, span=SPAN, content=money))
    assert 0.5 == await told(partial(half_of, machine_ids=["VM-2"], span=SPAN, content=money))


def test_a_quarter_of_the_time_is_enough() -> None:
    """And less says nothing of a machine."""
    assert 4 == SPAN.days
    assert SPAN.enough(SoldIn(0, 86_400))
    assert not SPAN.enough(SoldIn(0, 86_399))
    assert DaySpan(first=20260530, last=20260531) == SPAN.before(2)
    assert [100, 1] == [len(one) for one in parts([str(number) for number in range(101)])]
