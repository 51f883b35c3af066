"""At the end day the truth is told by the rules that were fixed, and it is told once."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from storage.database.engine import Database
from storage.experiments.content import Arm, Content, Design, Excluded, Result, State
from storage.experiments.experiments import Experiments, ExperimentView, UnitView
from storage.experiments.history import DaySpan
from storage.experiments.measuring import Measuring, shown_less
from storage.insight import days
from storage.tables import (
    experiment_days,
    experiment_own_prices,
    experiment_prices,
    sales_days,
)
from tests.storage.experiments.fleets import (
    begins,
    noon,
    priced,
    sell,
    stand,
    started,
    told_until,
    with_a_past,
)

OVER = 20260630
NOW_MS = noon(20260701)
HOUR_MS = 3_600_000


async def run(
    db: Database,
    of: Content,
    *,
    late: Mapping[str, int] | None = None,
    dark: str = "",
    dear: str = "",
    lift: float = 1.4,
    count: int = 14,
    at: Mapping[str, str] | None = None,
) -> tuple[ExperimentView, dict[str, UnitView]]:
    """An experiment whose last day is over: all had what their arm has one hour after their day
    began, but for those who are ``late``, in hours; one machine is ``dark``, and of one that is
    ``dear`` customers paid its own price all the same. ``at``: the sites of some.
    """
    machines = await with_a_past(db, OVER, count)
    if at:
        await stand(db, at)
    view = await started(db, "a", of, NOW_MS)
    span = view.span
    assert span is not None
    units = {unit.machine_id: unit for unit in await Experiments(db).units("a")}
    rows = [
        {
            "experiment": "a",
            "machine_id": one,
            "d": d,
            "acknowledged_at_ms": begins(d) + (late or {}).get(one, 1) * HOUR_MS,
        }
        for one in machines
        for d in days.between(span.first, span.last)
        if of.design is Design.SWITCHBACK or d == span.first
    ]
    await db.write(lambda connection: connection.execute(insert(experiment_days), rows))
    prices = [
        {
            "experiment": "a",
            "machine_id": one,
            "column": "A1",
            "product": "cola",
            "price_minor": 500,
            "tried_price_minor": 400,
            "set_at_ms": 1,
        }
        for one in machines
    ]
    await db.write(lambda connection: connection.execute(insert(experiment_prices), prices))
    await sell(
        db,
        machines,
        span.first,
        span.last,
        factor=lambda one, d: lift if units[one].now(d, span) is Arm.TREATMENT else 1.0,
        sellable=lambda one, _d: 0.0 if one == dark else 1.0,
        price_minor=lambda one, d: (
            400 if one != dear and units[one].now(d, span) is Arm.TREATMENT else 500
        ),
        seed=2,
    )
    await told_until(db, span.last)
    return view, units


async def measured(db: Database) -> Result:
    """What came of it."""
    measuring = Measuring(db)
    (due,) = await measuring.due()
    view = await measuring.measure(due, 99)
    assert (State.ENDED, 99, 7) == (view.state, view.ended_at_ms, view.position)
    assert view.result is not None
    assert view == await Experiments(db).get("a")
    assert view == await measuring.measure(due, 100)
    assert not await measuring.due()
    return view.result


@pytest.mark.slow_on_postgres
async def test_pairs_tell_the_lift(db: Database) -> None:
    """But for those of which a machine was late or dark, with their partners."""
    view, units = await run(db, priced(), late={"VM-01": 24}, dark="VM-02", count=18)
    partners = {
        one: next(
            other.machine_id
            for other in units.values()
            if other.block == units[one].block and other.machine_id != one
        )
        for one in ("VM-01", "VM-02")
    }
    result = await measured(db)
    gone = {"VM-01": Excluded.NOT_ACKNOWLEDGED.value, "VM-02": Excluded.COULD_NOT_SELL.value}
    for one, partner in partners.items():
        gone.setdefault(partner, Excluded.PARTNER_EXCLUDED.value)
        assert one in result.excluded
    assert gone == result.excluded
    pairs = len({units[one].block for one in units}) - len({units[one].block for one in gone})
    assert pairs == result.blocks
    assert result.low_permille < 400 < result.high_permille
    assert view.content == priced()


async def test_switches_tell_the_lift_and_what_it_cost(db: Database) -> None:
    """Of the days on which machines had it in time; each item that was sold for less cost so
    much, and one that was sold for as much as ever cost nothing.
    """
    of = priced(design=Design.SWITCHBACK, acknowledged_within_h=3)
    view, units = await run(db, of, late={"VM-03": 4}, dark="VM-04", dear="VM-05")
    result = await measured(db)
    assert {
        "VM-03": Excluded.NOT_ACKNOWLEDGED.value,
        "VM-04": Excluded.COULD_NOT_SELL.value,
    } == result.excluded
    assert 12 == result.blocks == len(units) - 2
    assert result.low_permille < 400 < result.high_permille
    assert result.significant
    assert "HKD" == result.cost_currency
    c, span = sales_days.c, view.span
    assert span is not None
    rows = await db.read(lambda connection: connection.execute(select(c.machine_id, c.d, c.units)))
    treated = sum(
        row.units
        for row in rows
        if row.machine_id != "VM-05" and units[row.machine_id].now(row.d, span) is Arm.TREATMENT
    )
    assert 100 * treated == result.cost_minor > 0


def treated_units(
    rows: Sequence[Any], units: Mapping[str, UnitView], span: DaySpan, first: int, last: int
) -> int:
    """How many colas were sold on treated days of these."""
    return sum(
        row.units
        for row in rows
        if first <= row.d <= last and units[row.machine_id].now(row.d, span) is Arm.TREATMENT
    )


async def test_a_cost_is_what_was_given_up_on_the_day(db: Database) -> None:
    """Somebody prices the machines anew in the middle: before that it was the old price, and from
    then on the new one. What an offer took off is no cost of the experiment.
    """
    view, units = await run(db, priced(design=Design.SWITCHBACK), dear="VM-05")
    span = view.span
    assert span is not None
    middle = days.moved(span.first, span.days // 2)
    rows = [
        {
            "experiment": "a",
            "machine_id": one,
            "set_at_ms": begins(d) + 1,
            "column": "A1",
            "product": "cola",
            "price_minor": price_minor,
        }
        for one in units
        for d, price_minor in ((span.first, 500), (middle, 450))
        if one != "VM-05"
    ]
    last = update(experiment_prices).where(experiment_prices.c.machine_id != "VM-05")
    offered = update(sales_days).where(sales_days.c.machine_id == "VM-05", sales_days.c.units > 0)
    c = sales_days.c
    for work in (
        insert(experiment_own_prices).values(rows),
        last.values(price_minor=450),
        offered.values(sales_minor=c.sales_minor - 50 * c.units, discount_minor=50 * c.units),
    ):
        await db.write(lambda connection, work=work: connection.execute(work))  # type: ignore[misc]
    result = await measured(db)
    sold = await db.read(
        lambda connection: connection.execute(
            select(c.machine_id, c.d, c.units).where(c.machine_id != "VM-05")
        ).all()
    )
    before = treated_units(sold, units, span, span.first, days.moved(middle, -1))
    after = treated_units(sold, units, span, middle, span.last)
    assert 100 * before + 50 * after == result.cost_minor
    assert min(before, after) > 0


@pytest.mark.parametrize(
    ("shown_minor", "tried_minor", "less_minor"),
    [
        (4_000, 400, 1_000),
        (4_500, 400, 500),
        (5_000, 400, 0),
        (7_000, 400, 0),
        (1_000, 400, 1_000),
        (6_000, 600, -1_000),
        (5_000, 600, 0),
        (4_000, 600, 0),
        (9_000, 600, -1_000),
    ],
)
def test_a_cost_is_what_the_tried_price_made(
    shown_minor: int, tried_minor: int, less_minor: int
) -> None:
    """Of ten items that cost 500 before; what somebody priced otherwise meanwhile costs nothing."""
    assert less_minor == shown_less(10, shown_minor, 500, tried_minor)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("design", [Design.PAIRED, Design.SWITCHBACK])
async def test_machines_of_one_site_are_one_observation(db: Database, design: Design) -> None:
    """Which one of them that does not count leaves to the others."""
    at = dict.fromkeys(("VM-01", "VM-02"), "pier") | dict.fromkeys(("VM-03", "VM-04"), "gate")
    _, units = await run(db, priced(design=design), dark="VM-01", count=16, at=at)
    result = await measured(db)
    assert {"VM-01": Excluded.COULD_NOT_SELL.value} == result.excluded
    assert (7 if design is Design.PAIRED else 14) == result.blocks
    assert result.blocks == len({unit.block for unit in units.values()})
    assert result.low_permille < 400 < result.high_permille


@pytest.mark.slow_on_postgres
async def test_nothing_is_told_too_early_or_of_too_few(db: Database) -> None:
    """Before the last day is told nothing is due; and with all of them late there is no result."""
    view, _ = await run(db, priced(), late=dict.fromkeys((f"VM-{n:02}" for n in range(1, 15)), 30))
    assert view.span is not None
    await told_until(db, days.moved(view.span.last, -1))
    assert not await Measuring(db).due()
    await told_until(db, view.span.last)
    result = await measured(db)
    assert (None, 0, False, 14) == (
        result.lift_permille,
        result.blocks,
        result.significant,
        len(result.excluded),
    )
