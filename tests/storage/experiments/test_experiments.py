"""An experiment is kept as it was wanted, drawn once, and ended once."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from storage.database.engine import Database
from storage.experiments import experiments as module
from storage.experiments.content import Arm, Design, LeftOut, State
from storage.experiments.experiments import Experiments, fixed, plan_code
from storage.experiments.foreseeing import Foreseeing, Foresight
from storage.experiments.history import DaySpan
from storage.insight import days
from storage.insight.suppression import Gate
from storage.office.deeds import AlreadyThere, NotPossible, NotThere
from storage.office.playlists import Playlists
from storage.office.screen_plans import ScreenPlans
from storage.office.selectors import Selector
from storage.tables import machine_screens, screen_plans
from tests.storage.experiments.fleets import (
    content,
    created,
    names,
    noon,
    priced,
    stand,
    started,
    with_a_past,
)
from tests.storage.office.places import by
from tests.storage.office.showing import A, items, some_assets

OVER = 20260630
NOW_MS = noon(20260701)
NOBODY = Foresight(
    units=(), left_out={}, pre=DaySpan(first=OVER, last=OVER), detectable_permille=None
)


async def test_what_is_drawn_stays_drawn(db: Database) -> None:
    """Rows and a hash of all that was fixed, which whoever has the rows can make again; a second
    start draws nothing.
    """
    machines = await with_a_past(db, OVER, 15)
    view = await started(db, "a", priced(), NOW_MS)
    assert (State.RUNNING, DaySpan(first=20260702, last=20260729)) == (view.state, view.span)
    assert DaySpan(first=20260603, last=OVER) == view.pre
    experiments = Experiments(db)
    units = await experiments.units("a")
    assert machines == [unit.machine_id for unit in units]
    assert 1 == sum(unit.left_out is LeftOut.WITHOUT_PAIR for unit in units)
    arms = [unit.arm for unit in units if unit.arm]
    assert {Arm.TREATMENT: 7, Arm.CONTROL: 7} == {arm: arms.count(arm) for arm in arms}
    assert view.pre is not None
    assert view.span is not None
    assert view.plan_sha256 == fixed(priced(), view.pre, view.span, "a", units)
    swapped = [replace(units[0], block=99), *units[1:]]
    assert view.plan_sha256 != fixed(priced(), view.pre, view.span, "a", swapped)
    again = await experiments.start("a", NOBODY, 0, "other", by(now_ms=NOW_MS + 1))
    assert view == again == await experiments.get("a")
    assert units == await experiments.units("a")
    assert units[3:5] == await experiments.units("a", after=units[2].machine_id, limit=2)


@pytest.mark.slow_on_postgres
async def test_a_machine_that_switches_is_on_half_of_its_days(db: Database) -> None:
    """And in no arm before the first day and after the last."""
    await with_a_past(db, OVER, 6)
    view = await started(db, "a", priced(design=Design.SWITCHBACK, days=14), NOW_MS)
    span = view.span
    assert span is not None
    for unit in await Experiments(db).units("a"):
        told = [unit.now(d, span) for d in days.between(span.first, span.last)]
        assert (7, 7) == (told.count(Arm.TREATMENT), told.count(Arm.CONTROL))
        assert unit.now(days.moved(span.first, -1), span) is None
        assert unit.now(days.moved(span.last, 1), span) is None


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("design", [Design.PAIRED, Design.SWITCHBACK])
async def test_machines_of_one_site_are_in_one_arm(db: Database, design: Design) -> None:
    """On the same days, as one block: customers go from the one to the other."""
    machines = await with_a_past(db, OVER, 17)
    await stand(db, dict.fromkeys(machines[:3], "pier") | dict.fromkeys(machines[3:5], "gate"))
    await started(db, "a", priced(design=design), NOW_MS)
    units = await Experiments(db).units("a")
    for same in (units[:3], units[3:5]):
        assert 1 == len({(one.arm, one.block, one.treated_days) for one in same})
    drawn = [one for one in units if one.arm is not None]
    assert (7 if design is Design.PAIRED else 14) == module.blocks(drawn)
    assert drawn == units


@pytest.mark.slow_on_postgres
async def test_the_same_name_is_the_same_wish(db: Database) -> None:
    """Nothing else is kept under it, and nothing of one that is not there."""
    await with_a_past(db, OVER, 12)
    experiments = await created(db, "a", priced(), NOW_MS)
    await created(db, "a", priced(), NOW_MS + 1)
    with pytest.raises(AlreadyThere):
        await created(db, "a", priced(days=21), NOW_MS)
    for call in (
        experiments.get("b"),
        experiments.start("b", NOBODY, 1, "s", by()),
        experiments.stop("b", by(), reason="x"),
    ):
        with pytest.raises(NotThere):
            await call
    await created(db, "b", priced(), NOW_MS)
    assert ["a", "b"] == [one.experiment for one in await experiments.page(limit=5)]
    assert ["b"] == [one.experiment for one in await experiments.page(after="a", limit=5)]


@pytest.mark.slow_on_postgres
async def test_bounds_are_refusals(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few machines, too many experiments, too many that run; and nothing starts twice."""
    await with_a_past(db, OVER, 12)
    few = priced(selector=Selector(machine_ids=tuple(names(11))))
    with pytest.raises(NotPossible) as refused:
        await started(db, "few", few, NOW_MS)
    assert "TOO_FEW_MACHINES" == refused.value.reason
    assert "choose more machines, or a switchback" in str(refused.value)
    fewest = Selector(machine_ids=tuple(names(5)))
    with pytest.raises(NotPossible) as refused:
        await started(db, "fewest", priced(design=Design.SWITCHBACK, selector=fewest), NOW_MS)
    assert "TOO_FEW_MACHINES" == refused.value.reason
    assert str(refused.value).endswith(": choose more machines")
    monkeypatch.setattr(module, "RUNNING_MAX", 0)
    with pytest.raises(NotPossible) as refused:
        await started(db, "a", priced(), NOW_MS)
    assert "TOO_MANY_EXPERIMENTS" == refused.value.reason
    monkeypatch.setattr(module, "EXPERIMENTS_MAX", 3)
    with pytest.raises(NotPossible) as refused:
        await created(db, "b", priced(), NOW_MS)
    assert "TOO_MANY_EXPERIMENTS" == refused.value.reason
    assert "experiments have not ended" in str(refused.value)
    await Experiments(db).stop("few", by(now_ms=NOW_MS), reason="nobody starts it")
    assert "b" == (await (await created(db, "b", priced(), NOW_MS)).get("b")).experiment


async def test_two_that_start_at_once_share_no_machine(db: Database) -> None:
    """Both were foreseen while the machines were free: one of them starts, and the other, foreseen
    again, has none of them.
    """
    await with_a_past(db, OVER, 12)
    experiments = await created(db, "a", priced(), NOW_MS)
    some = priced(selector=Selector(machine_ids=tuple(names(12))))
    await created(db, "b", some, NOW_MS)
    foreseeing = Foreseeing(db, Gate())
    both = {
        "a": await foreseeing.foreseen(priced(), NOW_MS),
        "b": await foreseeing.foreseen(some, NOW_MS),
    }
    came = await asyncio.gather(
        *(experiments.start(one, both[one], 20260702, one, by(now_ms=NOW_MS)) for one in both),
        return_exceptions=True,
    )
    refused = [one for one in came if isinstance(one, NotPossible)]
    assert ["MACHINES_TAKEN"] == [one.reason for one in refused]
    assert "with 12 of these machines" in str(refused[0])
    states = [one.state for one in await experiments.page(limit=5)]
    assert {State.RUNNING: 1, State.CREATED: 1} == {one: states.count(one) for one in states}
    again = await foreseeing.foreseen(some, NOW_MS)
    assert {LeftOut.IN_ANOTHER} == set(again.left_out.values())


async def test_who_stops_early_has_no_result(db: Database) -> None:
    """Screen plans end with it, and it does not start again."""
    machines = await with_a_past(db, OVER, 12)
    for code in ("all", "other"):
        await Playlists(db).create(code, items(), by(action="made"))
    rows = [
        {
            "machine_id": one,
            "wanted": "",
            "wanted_at_ms": 1,
            "applied": "",
            "heard_at_ms": 1,
            "reason": "",
            "detail": "",
        }
        for one in machines
    ]
    await db.write(lambda connection: connection.execute(machine_screens.insert(), rows))
    of = content(control_playlist="other")
    await started(db, "a", of, NOW_MS)
    plans = await ScreenPlans(db).page(ended=False, limit=5)
    assert [plan_code("a", arm) for arm in (Arm.CONTROL, Arm.TREATMENT)] == [
        plan.plan for plan in plans
    ]
    assert all(plan.content.selector.is_empty for plan in plans)
    assert all(noon(20260730) < plan.content.not_after_ms <= noon(20260801) for plan in plans)
    experiments = Experiments(db)
    deed = by(now_ms=NOW_MS + 5)
    await some_assets(db, "a")
    for act in (
        ScreenPlans(db).end(plans[0].plan, deed),
        Playlists(db).update("all", items(A), deed),
        Playlists(db).update("other", items(A), deed),
    ):
        with pytest.raises(NotPossible) as running:
            await act
        assert "EXPERIMENT_RUNS" == running.value.reason
    stopped = await experiments.stop("a", deed, reason="it rains")
    assert (State.STOPPED, NOW_MS + 5, "it rains", None) == (
        stopped.state,
        stopped.ended_at_ms,
        stopped.stop_reason,
        stopped.result,
    )
    assert stopped == await experiments.stop("a", by(now_ms=NOW_MS + 9), reason="again")
    await Playlists(db).update("all", items(A), by(now_ms=NOW_MS + 9))
    ended = await db.read(lambda c: list(c.scalars(select(screen_plans.c.ended_at_ms))))
    assert [NOW_MS + 5, NOW_MS + 5] == ended
    foresight = await Foreseeing(db, Gate()).foreseen(of, NOW_MS)
    with pytest.raises(NotPossible) as refused:
        await experiments.start("a", foresight, 20260710, "s", by())
    assert "EXPERIMENT_ENDED" == refused.value.reason
