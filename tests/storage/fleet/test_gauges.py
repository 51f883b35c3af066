"""What alarms are made of. What else is counted has its test beside what it counts."""

import pytest
from sqlalchemy import update

from storage.database.engine import Database
from storage.experiments.arms import Arms
from storage.experiments.content import Arm
from storage.experiments.experiments import Experiments
from storage.fleet import gauges
from storage.tables import machines, offer_spending, offers
from tests.storage.experiments.fleets import (
    NOW_MS,
    OVER,
    carry_out,
    noon,
    priced,
    started,
    wishes,
    with_a_past,
)
from tests.storage.offered import give
from tests.storage.office.places import by


async def test_offers_are_counted_by_their_budgets(db: Database) -> None:
    """Those whose time it is; what is less than one use takes off is nothing, of a share on
    average.
    """
    for name, spent_minor, more in (
        ("new", 0, {}),
        ("low", 902, {}),
        ("rest", 951, {}),
        ("gone", 1_000, {}),
        ("share", 999, {"discount_minor": 0, "basis_points": 1_000}),
        ("small", 950, {"discount_minor": 0, "basis_points": 1_000}),
        ("unused", 0, {"discount_minor": 0, "basis_points": 1_000}),
        ("early", 1_000, {"begins_at_ms": NOW_MS + 1}),
        ("over", 1_000, {"ends_at_ms": NOW_MS}),
        ("ended", 1_000, {"ended_at_ms": 1}),
    ):
        await give(db, name, budget_minor=1_000)
        span = {"begins_at_ms": NOW_MS - 9, "ends_at_ms": NOW_MS + 9}
        said = update(offers).where(offers.c.offer == name).values(**(span | more))
        used = update(offer_spending).where(offer_spending.c.offer == name)
        for work in (said, used.values(spent_minor=spent_minor, uses=spent_minor // 50)):
            await db.write(lambda connection, work=work: connection.execute(work))  # type: ignore[misc]
    told = await db.read(lambda connection: gauges.read(connection, now_ms=NOW_MS))
    assert {"ample": 2, "low": 2, "used_up": 3} == {
        one.status: one.count for one in told if one.name == "offers_running"
    }


async def kept(db: Database) -> tuple[int, int | None]:
    """How many machines have the prices of what is over, and since when."""
    told = await db.read(lambda connection: gauges.read(connection, now_ms=NOW_MS))
    return next((one.count, one.oldest_at_ms) for one in told if one.name == "tried_prices_kept")


@pytest.mark.slow_on_postgres
async def test_tried_prices_that_are_not_back_are_counted(db: Database) -> None:
    """Since their experiment was stopped, machine by machine; not while it runs."""
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    assert view.span is not None
    await carry_out(db, await wishes(db, noon(view.span.first)))
    (now,) = await Arms(db).now(noon(view.span.first))
    assert (0, None) == await kept(db)
    await Experiments(db).stop("a", by(now_ms=NOW_MS), reason="it rains")
    assert (6, NOW_MS) == await kept(db)
    gone = now.of(Arm.TREATMENT)[0]
    retired = update(machines).where(machines.c.machine_id == gone).values(retired_at_ms=1)
    await db.write(lambda connection: connection.execute(retired))
    assert (5, NOW_MS) == await kept(db)
    await carry_out(db, await wishes(db, NOW_MS))
    assert (0, None) == await kept(db)
