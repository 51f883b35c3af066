"""What can be seen is told from the machines' own past, before anything is tried."""

import pytest

from storage.database.engine import Database
from storage.experiments.content import Content, Design, LeftOut, Measure
from storage.experiments.foreseeing import Foreseeing, Foresight
from storage.experiments.history import DaySpan
from storage.insight import days
from storage.insight.suppression import Gate
from storage.office.deeds import NotPossible
from storage.office.selectors import Selector
from tests.storage.experiments.fleets import names, noon, priced, sell, told_until
from tests.storage.office.places import some_districts, some_machines, some_sites

OVER = 20260630
NOW_MS = noon(20260701)


async def foreseen(db: Database, content: Content) -> Foresight:
    """What it would be."""
    return await Foreseeing(db, Gate()).foreseen(content, NOW_MS)


@pytest.mark.slow_on_postgres
async def test_more_machines_see_less(db: Database) -> None:
    """In pairs; also those that switch have a past to tell by, and whoever has none is left out."""
    machines = names(24)
    await some_machines(db, *machines, "NEW")
    await sell(db, machines, days.moved(OVER, -60), OVER)
    with pytest.raises(NotPossible) as refused:
        await foreseen(db, priced())
    assert "NOT_TOLD_YET" == refused.value.reason
    await told_until(db, OVER)
    all_of_them = await foreseen(db, priced())
    assert {"NEW": LeftOut.NO_HISTORY} == all_of_them.left_out
    assert machines == [unit.machine_id for unit in all_of_them.units]
    assert DaySpan(first=20260603, last=OVER) == all_of_them.pre
    few = priced(selector=Selector(machine_ids=tuple(machines[:12])))
    half = await foreseen(db, few)
    switched = await foreseen(db, priced(design=Design.SWITCHBACK))
    assert 10 < (all_of_them.detectable_permille or 0) < (half.detectable_permille or 0) < 300
    assert 10 < (switched.detectable_permille or 0) < 300


@pytest.mark.slow_on_postgres
async def test_a_machine_that_sells_next_to_nothing_is_not_drawn(db: Database) -> None:
    """It would tell of no effect where there is one; counted in money it is the same machines."""
    machines = names(14)
    await some_machines(db, *machines)
    await sell(db, machines[2:], days.moved(OVER, -59), OVER)
    await sell(db, machines[:1], days.moved(OVER, -59), OVER, factor=lambda _, d: d == 20260610)
    await sell(db, machines[1:2], days.moved(OVER, -59), OVER, factor=lambda *_: 0.0)
    await told_until(db, OVER)
    few = dict.fromkeys(machines[1:2], LeftOut.NO_HISTORY)
    assert few == (await foreseen(db, priced())).left_out
    assert few == (await foreseen(db, priced(measure=Measure.SALES))).left_out
    week = await foreseen(db, priced(days=7))
    assert dict.fromkeys(machines[:2], LeftOut.NO_HISTORY) == week.left_out


@pytest.mark.slow_on_postgres
async def test_too_short_a_past_says_nothing(db: Database) -> None:
    """It needs the time that counts, and the time before."""
    machines = names(16)
    await some_machines(db, *machines)
    await sell(db, machines, days.moved(OVER, -27), OVER)
    await told_until(db, OVER)
    found = await foreseen(db, priced())
    assert (16, None) == (len(found.units), found.detectable_permille)
    assert (await foreseen(db, priced(design=Design.SWITCHBACK))).detectable_permille


@pytest.mark.slow_on_postgres
async def test_the_next_day_has_begun_nowhere(db: Database) -> None:
    """By the clocks of all sites."""
    assert 20260702 == await Foreseeing(db, Gate()).next_day(NOW_MS)
    await some_districts(db, ("hk", ""))
    await some_sites(db, pier="hk")
    evening_ms = NOW_MS + 6 * 3_600_000
    assert 20260703 == await Foreseeing(db, Gate()).next_day(evening_ms)
