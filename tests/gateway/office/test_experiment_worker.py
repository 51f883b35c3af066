"""A gateway gives machines what their arm has today, and takes it back."""

import dataclasses
from types import SimpleNamespace

import pytest

from actors.ports import StoreError
from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.v1 import experiment_pb2 as told
from gateway.office.v1 import experiment_service_pb2 as wire
from storage.insight import days
from storage.office.screen_plans import ScreenPlans
from tests.gateway.office.trying import (
    create,
    experiments_of,
    go_to,
    have_a_past,
    of_prices,
    screens_obey,
    units_of,
    work,
)
from tests.support.keeping import Keeping
from tests.support.site import Site

START = wire.StartExperimentRequest(code="summer")
SWITCHBACK = told.EXPERIMENT_DESIGN_SWITCHBACK


async def price_of(site: Site, machine_id: str) -> int:
    """What customers are held to."""
    request = fleet_service_pb2.GetMachineRequest(machine_id=machine_id)
    return int((await site.fleet.GetMachine(request)).machine.columns[0].price_minor)


async def test_prices_follow_the_arm_and_come_back(site: Site) -> None:
    """Day by day of a switchback; with the end, or a stop, all cost again what they did."""
    calls = experiments_of(site)
    machines = await have_a_past(site, 6)
    content = of_prices(design=SWITCHBACK, days=14, forced_reason="x")
    await calls.CreateExperiment(wire.CreateExperimentRequest(code="summer", content=content))
    started = (await calls.StartExperiment(START)).experiment
    units = await units_of(site)
    await work(site)
    assert {500} == {await price_of(site, one) for one in machines}
    for d in (started.first_day, days.moved(started.first_day, 1)):
        go_to(site, d)
        await work(site)
        for one, unit in units.items():
            assert (400 if d in unit.treated_days else 500) == await price_of(site, one)
    await calls.StopExperiment(wire.StopExperimentRequest(code="summer", reason="rain"))
    await work(site)
    assert {500} == {await price_of(site, one) for one in machines}


async def test_screens_follow_the_arm_day_by_day(site: Site) -> None:
    """And each day is acknowledged by itself: who shows what was planned yesterday has not done
    so today.
    """
    calls = experiments_of(site)
    machines = await have_a_past(site, 6)
    await calls.CreateExperiment(create(design=SWITCHBACK, days=14, forced_reason="x"))
    started = (await calls.StartExperiment(START)).experiment
    units = await units_of(site)
    plans = ScreenPlans(site.database)
    both = (started.first_day, days.moved(started.first_day, 1))
    same = {one for one, unit in units.items() if len({d in unit.treated_days for d in both}) == 1}
    for number, d in enumerate(both):
        go_to(site, d)
        await work(site)
        (plan,) = await plans.page(ended=False, limit=5)
        on = [one for one, unit in units.items() if d in unit.treated_days]
        assert on == list(plan.content.selector.machine_ids)
        kept = {one: unit.acknowledged_days for one, unit in (await units_of(site)).items()}
        assert {one: number + (number and one in same) for one in machines} == kept
        await screens_obey(site)
        await work(site)
    assert {2} == {unit.acknowledged_days for unit in (await units_of(site)).values()}


async def test_a_clock_that_is_far_ahead_ends_no_day(site: Site) -> None:
    """A gateway has it: machines keep what their arm has today, and no day to come counts as begun,
    which nobody would take back.
    """
    calls = experiments_of(site)
    await have_a_past(site, 6)
    await calls.CreateExperiment(create(design=SWITCHBACK, days=14, forced_reason="x"))
    started = (await calls.StartExperiment(START)).experiment
    go_to(site, started.first_day)
    await work(site)
    before = await ScreenPlans(site.database).page(ended=False, limit=5)
    await screens_obey(site)
    worker, keeping = site.gateway.office.experimenting, Keeping(site.clock.now_ms())
    go_to(site, days.moved(started.first_day, 5))
    await dataclasses.replace(worker, keeping=keeping).once()
    assert before == await ScreenPlans(site.database).page(ended=False, limit=5)
    assert {1} == {unit.acknowledged_days for unit in (await units_of(site)).values()}


async def test_one_that_cannot_be_measured_keeps_no_other_from_its_result(site: Site) -> None:
    """It is tried again in each round; a database that is away ends the round."""
    measured: list[str] = []

    class Some:
        """Three that are due, the first of which fails."""

        async def due(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(view=SimpleNamespace(experiment=one)) for one in "abc"]

        async def measure(self, due: SimpleNamespace, _now_ms: int) -> SimpleNamespace:
            measured.append(due.view.experiment)
            if due.view.experiment == "a":
                raise OverflowError
            if due.view.experiment == "c":
                raise StoreError("away")
            return SimpleNamespace(
                experiment="b", result=SimpleNamespace(lift_permille=1, significant=False)
            )

    worker = dataclasses.replace(site.gateway.office.experimenting, measuring=Some())  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        await worker.once()
    assert ["a", "b", "c"] == measured


async def test_a_database_that_is_away_is_waited_for(site: Site) -> None:
    """Nothing is lost by it, and a round that fails is followed by the next."""
    worker = site.gateway.office.experimenting
    rounds = []

    class Away:
        """Arms that nobody can ask."""

        async def now(self, _now_ms: int) -> list[object]:
            rounds.append(1)
            if len(rounds) == 3:
                raise _EnoughError
            worker_of.wake()
            raise StoreError("away") if len(rounds) == 1 else ValueError

    class _EnoughError(BaseException):
        pass

    worker_of = dataclasses.replace(worker, arms=Away(), _woken=type(worker._woken)())  # type: ignore[arg-type]
    with pytest.raises(_EnoughError):
        await worker_of.run()
    assert 3 == len(rounds)
