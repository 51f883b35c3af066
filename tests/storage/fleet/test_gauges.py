"""What alarms are made of. What else is counted has its test beside what it counts."""

import pytest
from sqlalchemy import update

from storage.database.engine import Database
from storage.experiments.arms import Arms
from storage.experiments.content import Arm
from storage.experiments.experiments import Experiments
from storage.fleet import gauges
from storage.tables import machines
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
from tests.storage.office.places import by


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
