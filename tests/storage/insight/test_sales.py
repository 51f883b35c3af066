"""What was sold is told in any way that is asked, and the parts add up to the whole."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from storage.database.dialects import SQLITE
from storage.database.engine import Database
from storage.insight import days
from storage.insight.rollups import Sums, add_facts, save
from storage.insight.sales import (
    Amounts,
    Beside,
    By,
    SalesBooks,
    SalesWanted,
    Today,
    _query,
)
from storage.office.costs import Costed
from storage.office.deeds import NotPossible, NotThere
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.tables import (
    offer_days,
    sales_days,
    sales_hours,
    scope_days,
    scope_hours,
    scope_offers,
)
from tests.storage.insight.goods_costs import lots_came
from tests.storage.insight.shop import follower, sold
from tests.storage.lake.pond import fact
from tests.storage.office.places import by, some_districts, some_machines

THURSDAY = 20260101


def sell(
    sums: Sums, machine_id: str, place: tuple[str, str], d: int, hour: int, product: str, minor: int
) -> None:
    """One item, in all sums that it belongs to."""
    of_day, of_hour = (1, minor, 0, 0, 0), (1, minor)
    sums.add(sales_days, (machine_id, d, product, "HKD"), of_day)
    sums.add(sales_hours, (machine_id, d, hour, "HKD"), of_hour)
    for scope in (("FLEET", ""), ("DISTRICT", place[0]), ("SITE_TYPE", place[1])):
        sums.add(scope_days, (*scope, d, product, "HKD"), of_day)
        sums.add(scope_hours, (*scope, d, hour, "HKD"), of_hour)


@pytest.fixture
async def books(db: Database) -> SalesBooks:
    """Two machines in two districts, of which one is in the other, on two Thursdays and a Friday;
    a third one stands nowhere.
    """
    await some_districts(db, ("city", ""), ("pier", "city"))
    await some_machines(db, "VM-1", "VM-2", "VM-3")
    await Products(db).create("cola", ProductContent(category="cold"), by(action="made"))
    sums = Sums()
    sell(sums, "VM-1", ("city", "OFFICE"), THURSDAY, 9, "cola", 100)
    sell(sums, "VM-1", ("city", "OFFICE"), THURSDAY, 18, "tea", 20)
    sell(sums, "VM-2", ("pier", "STATION"), THURSDAY + 1, 9, "cola", 3)
    sell(sums, "VM-3", ("", ""), THURSDAY + 7, 9, "cola", 4_000)
    sell(sums, "VM-1", ("city", "OFFICE"), THURSDAY + 7, 10, "cola", 50_000)
    await db.write(lambda connection: save(connection, sums.rows()))
    return SalesBooks(db)


async def asked(
    books: SalesBooks, how: By, first: int = THURSDAY, last: int = THURSDAY + 13, **more: Any
) -> dict[str, int]:
    """Sales by key."""
    told = await books.sales(SalesWanted(first=first, last=last, by=how, **more))
    return {line.key: line.now.sales_minor for line in told.lines}


async def test_sales_are_told_by_anything(books: SalesBooks) -> None:
    """Of the whole fleet."""
    assert {"20260101": 120, "20260102": 3, "20260108": 54_000} == await asked(books, By.DAY)
    assert {"09": 4_103, "10": 50_000, "18": 20} == await asked(books, By.HOUR)
    assert {"4": 54_120, "5": 3} == await asked(books, By.WEEKDAY)
    week = {"4-09": 4_100, "4-10": 50_000, "4-18": 20, "5-09": 3}
    assert week == await asked(books, By.WEEKDAY_HOUR)
    assert {"cola": 54_103, "tea": 20} == await asked(books, By.PRODUCT)
    assert {"cold": 54_103, "": 20} == await asked(books, By.CATEGORY)
    assert {"": 4_000, "city": 50_120, "pier": 3} == await asked(books, By.DISTRICT)
    assert {"": 4_000, "OFFICE": 50_120, "STATION": 3} == await asked(books, By.SITE_TYPE)


async def test_sales_are_told_by_offers(db: Database, books: SalesBooks) -> None:
    """Each offer's, and all others together, so that they add up to the whole."""
    sums = Sums()
    sums.add(offer_days, ("VM-1", THURSDAY, "tea-time", "HKD"), (1, 20, 5))
    for scope in (("FLEET", ""), ("DISTRICT", "city"), ("SITE_TYPE", "OFFICE")):
        sums.add(scope_offers, (*scope, THURSDAY, "tea-time", "HKD"), (1, 20, 5))
    await db.write(lambda connection: save(connection, sums.rows()))
    assert {"": 54_103, "tea-time": 20} == await asked(books, By.OFFER)
    assert {"": 50_103, "tea-time": 20} == await asked(books, By.OFFER, district="city")
    assert {"": 3} == await asked(books, By.OFFER, site_type="STATION")
    assert {"": 50_100, "tea-time": 20} == await asked(books, By.OFFER, machine_ids=("VM-1",))
    only = SalesWanted(first=THURSDAY + 7, last=THURSDAY + 7, by=By.OFFER)
    (line,) = (await books.sales(only)).lines
    assert ("", Amounts(units=2, sales_minor=54_000)) == (line.key, line.now)
    same = SalesWanted(
        first=THURSDAY + 7, last=THURSDAY + 7, by=By.OFFER, beside=Beside.SAME_WEEKDAYS
    )
    assert [("", 100), ("tea-time", 20)] == [
        (line.key, line.before.sales_minor) for line in (await books.sales(same)).lines
    ]


@pytest.mark.slow_on_postgres
async def test_a_district_that_is_none_is_no_district_that_sold_nothing(books: SalesBooks) -> None:
    """A typo is refused, of sales as of a day's."""
    for asking in (
        books.sales(SalesWanted(first=THURSDAY, last=THURSDAY, by=By.DAY, district="pire")),
        books.today(THURSDAY, 23, district="pire"),
    ):
        with pytest.raises(NotThere) as refused:
            await asking
        assert ("district", "pire") == (refused.value.what, refused.value.name)


@pytest.mark.slow_on_postgres
async def test_a_machine_that_is_none_is_no_machine_that_sold_nothing(books: SalesBooks) -> None:
    """Also beside one that is there."""
    some = ("VM-1", "VM-01")
    wanted = SalesWanted(first=THURSDAY, last=THURSDAY, by=By.MACHINE, machine_ids=some)
    with pytest.raises(NotThere) as refused:
        await books.sales(wanted)
    assert ("machine", "VM-01") == (refused.value.what, refused.value.name)


async def test_sales_are_told_of_a_part(books: SalesBooks) -> None:
    """Of a district with all below it, a type of site, and machines that are named."""
    assert {"20260101": 120, "20260102": 3, "20260108": 50_000} == await asked(
        books, By.DAY, district="city"
    )
    assert {"cola": 3} == await asked(books, By.PRODUCT, district="pier")
    assert {"09": 100, "10": 50_000, "18": 20} == await asked(books, By.HOUR, site_type="OFFICE")
    some = ("VM-1", "VM-2")
    assert {"VM-1": 50_120, "VM-2": 3} == await asked(books, By.MACHINE, machine_ids=some)
    assert {"20260101-VM-1": 120, "20260102-VM-2": 3, "20260108-VM-1": 50_000} == await asked(
        books, By.MACHINE_DAY, machine_ids=some
    )
    assert {"cold": 50_103, "": 20} == await asked(books, By.CATEGORY, machine_ids=some)


@pytest.mark.slow_on_postgres
async def test_an_earlier_time_stands_beside_it(books: SalesBooks) -> None:
    """The days right before, or the same weekdays; each day beside its own."""
    wanted = SalesWanted(first=THURSDAY + 7, last=THURSDAY + 8, by=By.DAY)
    told = await books.sales(wanted)
    assert (20260106, 20260107) == (told.before_first, told.before_last)
    assert [0] == [line.before.sales_minor for line in told.lines]
    wanted = SalesWanted(
        first=THURSDAY + 7, last=THURSDAY + 8, by=By.DAY, beside=Beside.SAME_WEEKDAYS
    )
    told = await books.sales(wanted)
    assert (20260101, 20260102) == (told.before_first, told.before_last)
    assert [
        ("20260108", Amounts(units=2, sales_minor=54_000), Amounts(units=2, sales_minor=120)),
        ("20260109", Amounts(), Amounts(units=1, sales_minor=3)),
    ] == [(line.key, line.now, line.before) for line in told.lines]


@pytest.mark.slow_on_postgres
async def test_a_machines_earlier_day_stands_beside_its_own(books: SalesBooks) -> None:
    """Under the day that it stands beside."""
    wanted = SalesWanted(
        first=THURSDAY + 7, last=THURSDAY + 13, by=By.MACHINE_DAY, machine_ids=("VM-1", "VM-2")
    )
    assert [("20260108-VM-1", 50_000, 120), ("20260109-VM-2", 0, 3)] == [
        (line.key, line.now.sales_minor, line.before.sales_minor)
        for line in (await books.sales(wanted)).lines
    ]


async def test_today_stands_beside_the_same_weekdays(db: Database, books: SalesBooks) -> None:
    """Up to the same hour; of so many weeks as there were sales at all."""
    ((today,), _) = await books.today(THURSDAY + 7, 9)
    assert (
        Today(
            currency="HKD",
            now=Amounts(units=1, sales_minor=4_000),
            weeks=1,
            low_minor=100,
            middle_minor=100,
            high_minor=100,
        )
        == today
    )
    sums = Sums()
    for week, minor in enumerate((10, 80, 30, 40, 50, 60, 70)):
        sell(sums, "VM-9", ("", ""), days.moved(20260115, 7 * week), 1, "tea", minor)
    await db.write(lambda connection: save(connection, sums.rows()))
    ((later,), _) = await books.today(days.moved(20260115, 7 * 7), 23)
    assert (8, 30, 55, 80) == (later.weeks, later.low_minor, later.middle_minor, later.high_minor)
    ((of_pier,), _) = await books.today(THURSDAY + 1, 23, district="pier")
    assert (3, 0, 0) == (of_pier.now.sales_minor, of_pier.weeks, of_pier.high_minor)


async def costed(
    books: SalesBooks, how: By, *, with_margin: bool = True, **more: Any
) -> dict[str, tuple[int, int, int] | None]:
    """Of goods of which the cost is known: items, sales and cost, by key."""
    wanted = SalesWanted(
        first=THURSDAY, last=THURSDAY + 13, by=how, with_margin=with_margin, **more
    )
    return {
        line.key: None if of is None else (of.units, of.sales_minor, of.cost_minor)
        for line in (await books.sales(wanted)).lines
        for of in [line.now.costed]
    }


async def test_what_goods_cost_is_told_beside_their_sales(db: Database, books: SalesBooks) -> None:
    """Of those of which it is known, in the currency of the sale; and by whatever it is asked, it
    adds up to the same.
    """
    of = {"cola": (4, 54_103, 4 * 40), "tea": (0, 0, 0)}
    assert {"cola": (0, 0, 0), "tea": (0, 0, 0)} == await costed(books, By.PRODUCT)
    await lots_came(db, ("cola", "L1", 1, 40, "HKD"), ("tea", "T1", 1, 7, "JPY"))
    assert of == await costed(books, By.PRODUCT)
    assert of == await costed(books, By.PRODUCT, with_margin=False)
    assert {"cold": of["cola"], "": of["tea"]} == await costed(books, By.CATEGORY)
    by_day = {"20260101": (1, 100, 40), "20260102": (1, 3, 40), "20260108": (2, 54_000, 80)}
    assert by_day == await costed(books, By.DAY)
    assert {"4": (3, 54_100, 120), "5": (1, 3, 40)} == await costed(books, By.WEEKDAY)
    districts = {"": (1, 4_000, 40), "city": (2, 50_100, 80), "pier": (1, 3, 40)}
    assert districts == await costed(books, By.DISTRICT)
    assert [(1, 3, 40), (1, 4_000, 40), (2, 50_100, 80)] == sorted(
        one for one in (await costed(books, By.SITE_TYPE)).values() if one
    )
    some = ("VM-1", "VM-2")
    machines = {"VM-1": (2, 50_100, 80), "VM-2": (1, 3, 40)}
    assert machines == await costed(books, By.MACHINE, machine_ids=some)
    machine_days = {"20260101-VM-1", "20260102-VM-2", "20260108-VM-1"}
    assert machine_days == set(await costed(books, By.MACHINE_DAY, machine_ids=some))
    assert {"cola": (1, 3, 40)} == await costed(books, By.PRODUCT, district="pier")
    assert {"cola": (1, 3, 40)} == await costed(books, By.PRODUCT, machine_ids=("VM-2",))


async def test_sales_are_the_same_with_what_goods_cost(books: SalesBooks) -> None:
    """Though other sums are read."""
    for how in (By.DAY, By.WEEKDAY, By.DISTRICT, By.SITE_TYPE):
        assert await asked(books, how) == await asked(books, how, with_margin=True)
    some: dict[str, Any] = {"machine_ids": ("VM-1", "VM-2")}
    for how in (By.DAY, By.MACHINE, By.MACHINE_DAY):
        with_margin = await asked(books, how, with_margin=True, **some)
        assert await asked(books, how, **some) == with_margin


@pytest.mark.slow_on_postgres
async def test_the_time_before_has_its_costs_too(db: Database, books: SalesBooks) -> None:
    """At the same latest cost; where costs were not looked at, none is told, and where nothing was
    sold, nothing.
    """
    await lots_came(db, ("cola", "L1", 1, 40, "HKD"))
    wanted = SalesWanted(
        first=THURSDAY + 7, last=THURSDAY + 8, by=By.DAY, beside=Beside.SAME_WEEKDAYS
    )
    assert {None} == {
        of.costed for line in (await books.sales(wanted)).lines for of in (line.now, line.before)
    }
    lines = (await books.sales(replace(wanted, with_margin=True))).lines
    assert [
        (
            Costed(units=2, sales_minor=54_000, cost_minor=80),
            Costed(units=1, sales_minor=100, cost_minor=40),
        ),
        (Costed(), Costed(units=1, sales_minor=3, cost_minor=40)),
    ] == [(line.now.costed, line.before.costed) for line in lines]


@pytest.mark.slow_on_postgres
async def test_costs_are_those_of_what_was_really_paid(db: Database) -> None:
    """Goods that fell cost what they cost, whatever came in for them: less than the list price,
    nothing, or a price that was given back.
    """
    await lots_came(db, ("cola", "L1", 1, 40, "HKD"))
    sums = Sums()
    facts = [
        fact(1, sales_minor=450, discount_minor=50),
        fact(2, kind="GOODWILL", units=0, sales_minor=-450),
        fact(3, kind="WRITE_OFF", sales_minor=500),
        fact(4, product=""),
    ]
    add_facts(sums, facts)
    await db.write(lambda connection: save(connection, sums.rows()))
    assert {"cola": (2, 500, 80), "": (0, 0, 0)} == await costed(SalesBooks(db), By.PRODUCT)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"first": 20260230}, "NO_SUCH_DAYS"),
        ({"first": 20260115}, "NO_SUCH_DAYS"),
        ({"first": 20200101}, "NO_SUCH_DAYS"),
        ({"first": 1}, "NO_SUCH_DAYS"),
        ({"district": "city", "site_type": "OFFICE"}, "ONE_OF"),
        ({"by": By.MACHINE}, "NO_MACHINES"),
        ({"by": By.MACHINE_DAY}, "NO_MACHINES"),
        (
            {
                "by": By.MACHINE_DAY,
                "last": THURSDAY + 30,
                "machine_ids": tuple(map(str, range(200))),
            },
            "TOO_MANY_LINES",
        ),
        ({"by": By.DISTRICT, "district": "city"}, "ONE_OF"),
        ({"machine_ids": tuple(map(str, range(201)))}, "TOO_MANY_MACHINES"),
        *(
            ({"by": one, "with_margin": True}, "NO_MARGIN_OF_THAT")
            for one in (By.HOUR, By.WEEKDAY_HOUR, By.OFFER)
        ),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    books: SalesBooks, more: dict[str, Any], reason: str
) -> None:
    """With what to ask instead."""
    wanted = {"first": THURSDAY, "last": THURSDAY + 13, "by": By.DAY, **more}
    with pytest.raises(NotPossible) as refused:
        await books.sales(SalesWanted(**wanted))
    assert reason == refused.value.reason


@pytest.mark.slow_on_postgres
async def test_an_answer_says_how_complete_it_is(db: Database) -> None:
    """Up to which line, and what waits behind it."""
    owner = await sold(db, "VM-1", times=1)
    position = await follower(db).catch_up()
    await owner.buy("VM-1", 2)
    told = await SalesBooks(db).sales(SalesWanted(first=THURSDAY, last=THURSDAY, by=By.DAY))
    assert [500] == [line.now.sales_minor for line in told.lines]
    assert (position, 5) == (told.lag.position, told.lag.lines)


async def test_no_question_reads_a_whole_table(db: Database) -> None:
    """Each goes along the key to its scope and days, so that it costs the same in any fleet."""
    if db.dialect.name != SQLITE:
        return
    for how in By:
        parts: tuple[dict[str, Any], ...] = ({}, {"district": "city"}, {"site_type": "OFFICE"})
        if how in {By.MACHINE, By.MACHINE_DAY}:
            parts = ({"machine_ids": ("VM-1",)},)
        elif how in {By.DISTRICT, By.SITE_TYPE}:
            parts = ({},)
        for part in (*parts, *({**one, "with_margin": True} for one in parts)):
            if part.get("with_margin") and how in {By.HOUR, By.WEEKDAY_HOUR, By.OFFER}:
                continue
            wanted = SalesWanted(first=THURSDAY, last=THURSDAY, by=how, **part)
            query = _query(wanted, THURSDAY, THURSDAY).compile(
                dialect=db.dialect, compile_kwargs={"literal_binds": True}
            )
            plan = await db.read(
                lambda connection, query=query: [  # type: ignore[misc]
                    row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))
                ]
            )
            scans = [line for line in plan if line.startswith(("SCAN s", "SCAN scope"))]
            assert [] == scans, (how, plan)
            assert any("d>? AND d<?" in line for line in plan), (how, plan)
