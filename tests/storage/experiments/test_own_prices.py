"""What products cost of themselves is known of each day, though people price machines meanwhile."""

from functools import partial

import pytest
from sqlalchemy import insert, select

from actors.machine import values
from actors.machine.state import Column
from storage.database.engine import Database
from storage.experiments.own_prices import OwnPrices, read_own_prices, remember
from storage.insight import days
from storage.tables import experiment_own_prices, experiment_prices, experiments
from tests.storage.experiments.fleets import begins, experiment_row
from tests.storage.office.places import some_machines

DAY = 20260701
NEXT = days.moved(DAY, 1)
COLA = Column(column="A1", product="cola", price_minor=500, stock=1, capacity=5)
TRIED = {"cola": 400}


async def wrote(db: Database, at_ms: int, *columns: Column) -> None:
    """Machine VM-1 gets the tried price, and these columns cost so much before."""
    await db.write(
        partial(remember, experiment="a", machine_id="VM-1", columns=columns, now_ms=at_ms)
    )


async def an_experiment(db: Database) -> None:
    """One that runs, at one machine."""
    await some_machines(db, "VM-1")
    row = experiment_row("a")
    await db.write(lambda connection: connection.execute(insert(experiments), row))


async def read(db: Database) -> OwnPrices:
    """What is known of the machine."""
    return await db.read(partial(read_own_prices, experiment="a", some=["VM-1"], tried=TRIED))


@pytest.mark.slow_on_postgres
async def test_each_day_has_the_price_of_its_time(db: Database) -> None:
    """That of the last time before its end; of a day before all, the first one. A product that the
    machine had not by then cost nothing there.
    """
    await an_experiment(db)
    await wrote(db, begins(DAY) + 1, COLA)
    await wrote(db, begins(NEXT) + 1, values.replace(COLA, price_minor=450))
    own = await read(db)
    wanted = (days.moved(DAY, -9), DAY, NEXT, days.moved(NEXT, 9))
    assert [500, 500, 450, 450] == [own.on("VM-1", d, "cola") for d in wanted]
    assert own.on("VM-1", DAY, "tea") is None
    assert own.on("VM-2", DAY, "cola") is None


async def test_what_is_as_before_is_not_written_again(db: Database) -> None:
    """However often a price is tried; a clock that is behind writes behind what is there."""
    await an_experiment(db)
    for at_ms in (9, 10, 11):
        await wrote(db, at_ms, COLA)
    await wrote(db, 5, values.replace(COLA, price_minor=450))
    c = experiment_own_prices.c
    rows = select(c.set_at_ms, c.price_minor).order_by(c.set_at_ms)
    told = await db.read(lambda connection: connection.execute(rows).all())
    assert [(9, 500), (10, 450)] == [tuple(row) for row in told]


@pytest.mark.slow_on_postgres
async def test_of_columns_that_differ_the_nearest_counts(db: Database) -> None:
    """A cost is never told too high; and a column that has the product no more says nothing."""
    await an_experiment(db)
    dear = values.replace(COLA, column="A2", price_minor=700)
    await wrote(db, begins(DAY), COLA, dear)
    await wrote(db, begins(NEXT), dear)
    own = await read(db)
    assert (500, 700) == (own.on("VM-1", DAY, "cola"), own.on("VM-1", NEXT, "cola"))


async def test_what_a_program_of_before_wrote_counts_on_all_days(db: Database) -> None:
    """It knew the last price alone."""
    await an_experiment(db)
    row = {
        "experiment": "a",
        "machine_id": "VM-1",
        "column": "A1",
        "product": "cola",
        "price_minor": 480,
        "tried_price_minor": 400,
        "set_at_ms": begins(NEXT),
    }
    await db.write(lambda connection: connection.execute(insert(experiment_prices), row))
    own = await read(db)
    assert (480, 480) == (own.on("VM-1", DAY, "cola"), own.on("VM-1", NEXT, "cola"))
