"""What machines are to have now follows their own local day, and what they have is kept once."""

import pytest
from sqlalchemy import delete, select

from storage.database.engine import Database
from storage.experiments.arms import Arms
from storage.experiments.content import Arm, Design
from storage.experiments.experiments import Experiments, plan_code
from storage.office.screen_plans import ScreenPlans
from storage.tables import experiment_days, planogram_waits
from tests.storage.experiments.fleets import (
    begins,
    content,
    noon,
    priced,
    stand,
    started,
    with_a_past,
    with_screens,
)

OVER = 20260630
NOW_MS = noon(20260701)
FIRST = 20260703
"""Hong Kong's 2 July begins while it is the first in Greenwich: it is the next day for nobody."""
EVENING_MS = begins(20260702) + 17 * 3_600_000


async def test_a_day_begins_where_the_machine_stands(db: Database) -> None:
    """In Hong Kong eight hours before Greenwich; and the plan of an arm means those alone whose
    day it is.
    """
    machines = await with_a_past(db, OVER, 12)
    await with_screens(db, machines)
    east = machines[:6]
    await stand(db, {one: one for one in east})
    view = await started(db, "a", content(), begins(20260702))
    assert view.span is not None
    assert FIRST == view.span.first
    arms = Arms(db)
    (now,) = await arms.now(EVENING_MS)
    assert set(east) == set(now.units) == now.open
    assert await arms.plan_screens(now)
    assert not await arms.plan_screens(now)
    plan = await ScreenPlans(db).get(plan_code("a", Arm.TREATMENT))
    assert now.of(Arm.TREATMENT) == list(plan.content.selector.machine_ids)
    assert set(plan.content.selector.machine_ids) < set(east)
    (later,) = await arms.now(noon(FIRST))
    assert set(machines) == set(later.units) == later.open
    (late,) = await arms.now(begins(FIRST) + 24 * 3_600_000)
    assert (set(machines), frozenset()) == (set(late.units), late.open)
    (half,) = await arms.now(begins(FIRST) + 20 * 3_600_000)
    assert set(machines) - set(east) == half.open
    assert await arms.plan_screens(later)
    (over,) = await arms.now(noon(view.span.last) + 86_400_000)
    assert {} == over.units
    assert await arms.plan_screens(over)
    plan = await ScreenPlans(db).get(plan_code("a", Arm.TREATMENT))
    assert plan.content.selector.is_empty


async def test_an_acknowledgement_is_kept_once(db: Database) -> None:
    """Of a pair's machine under the first day, of one that switches under each."""
    machines = await with_a_past(db, OVER, 12)
    await started(db, "a", priced(design=Design.SWITCHBACK, days=14), NOW_MS)
    arms = Arms(db)
    for d in (20260702, 20260703):
        (now,) = await arms.now(noon(d))
        await arms.acknowledged(now, machines[:2], noon(d))
        await arms.acknowledged(now, [*machines[:2], "VM-99"], noon(d) + 5)
        (now,) = await arms.now(noon(d))
        assert set(machines[2:]) == now.open
    rows = await db.read(lambda c: c.execute(select(experiment_days)).all())
    assert {(one, d, noon(d)) for one in machines[:2] for d in (20260702, 20260703)} == {
        (row.machine_id, row.d, row.acknowledged_at_ms) for row in rows
    }
    told = await Experiments(db).acknowledged_days("a", machines[:3])
    assert dict.fromkeys(machines[:2], 2) == told


@pytest.mark.slow_on_postgres
async def test_no_screen_plan_is_of_prices(db: Database) -> None:
    """And a machine that shows its planogram has what its arm costs; before that nobody knows."""
    machines = await with_a_past(db, OVER, 12)
    await started(db, "a", priced(), NOW_MS)
    arms = Arms(db)
    (now,) = await arms.now(noon(20260702))
    assert not await arms.plan_screens(now)
    assert set() == await arms.priced(now)
    await db.write(lambda connection: connection.execute(delete(planogram_waits)))
    assert set(now.of(Arm.CONTROL)) == await arms.priced(now)
    assert set(machines) == {*now.of(Arm.CONTROL), *now.of(Arm.TREATMENT)}
