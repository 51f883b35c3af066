"""ExperimentService: a campaign from the wish to the sentence that says what it changed."""

from sqlalchemy import select

from gateway.office.v1 import experiment_pb2 as told
from gateway.office.v1 import experiment_service_pb2 as wire
from gateway.office.v1 import offer_service_pb2
from storage.insight import days
from storage.tables import experiment_payers
from tests.gateway.office.giving import offers_of
from tests.gateway.office.offering import creating, give_later, have_customers
from tests.gateway.office.trying import (
    create,
    experiments_of,
    go_to,
    have_a_past,
    screens_obey,
    today,
    units_of,
    work,
)
from tests.storage.experiments.customers import buy
from tests.storage.experiments.fleets import sell, told_until
from tests.support.fleet_calls import refusal
from tests.support.site import Site


async def test_a_campaign_runs_to_its_end(site: Site) -> None:
    """Created with what it can see, drawn, shown, acknowledged, silent until its last day is over,
    and then told with how sure it is.
    """
    calls = experiments_of(site)
    machines = await have_a_past(site)
    made = await calls.CreateExperiment(create())
    assert (16, 0, told.EXPERIMENT_STATE_CREATED) == (
        made.machines,
        made.left_out,
        made.experiment.state,
    )
    assert 20 < made.experiment.detectable_permille < 300
    assert "Nothing is tried yet; a lift below" in made.experiment.sentence
    started = (await calls.StartExperiment(wire.StartExperimentRequest(code="summer"))).experiment
    first, last = started.first_day, started.last_day
    assert days.moved(today(site), 1) == first
    assert days.moved(first, 27) == last
    units = await units_of(site)
    treated = {one for one, unit in units.items() if unit.arm == told.EXPERIMENT_ARM_TREATMENT}
    assert set(machines) == set(units)
    assert 8 == len(treated)
    await work(site)
    assert not any(unit.acknowledged_days for unit in (await units_of(site)).values())

    go_to(site, first)
    await work(site)
    deaf = min(treated)
    await screens_obey(site, deaf)
    await work(site)
    acknowledged = {one for one, unit in (await units_of(site)).items() if unit.acknowledged_days}
    assert set(machines) - {deaf} == acknowledged

    await sell(
        site.database,
        machines,
        first,
        last,
        factor=lambda machine, _d: 2.0 if machine in treated else 1.0,
        seed=2,
    )
    await told_until(site.database, days.moved(last, -1))
    go_to(site, last)
    await work(site)
    asked = wire.GetExperimentRequest(code="summer")
    running = await calls.GetExperiment(asked)
    iso = days.as_date(last).isoformat()
    assert f"until {iso}" in running.experiment.sentence
    assert not running.experiment.HasField("result")
    assert [1_000, 1_000] == [one.sellable_permille for one in running.guardrails]

    await told_until(site.database, last)
    go_to(site, days.moved(last, 1))
    await work(site)
    ended = (await calls.GetExperiment(asked)).experiment
    print(ended.sentence)
    result = ended.result
    assert told.EXPERIMENT_STATE_ENDED == ended.state
    assert (7, 2, True) == (result.blocks, result.excluded, result.significant)
    assert 500 < result.lift_permille < 1_500
    assert result.low_permille < result.lift_permille < result.high_permille
    assert "With the tried playlist" in ended.sentence
    excluded = {one: unit.excluded for one, unit in (await units_of(site)).items() if unit.excluded}
    assert "NOT_ACKNOWLEDGED" == excluded.pop(deaf)
    assert ["PARTNER_EXCLUDED"] == list(excluded.values())
    await work(site)
    assert ended == (await calls.GetExperiment(asked)).experiment


async def test_an_offer_runs_to_its_sentence(site: Site) -> None:
    """Who is held out pays the price; nobody is named, few are not counted, and what is tried does
    not change. On the end day it is told what it changed.
    """
    calls = experiments_of(site)
    names = await have_customers(site)
    first = await give_later(site)
    await calls.CreateExperiment(creating())
    started = (await calls.StartExperiment(wire.StartExperimentRequest(code="trial"))).experiment
    assert (first, days.moved(first, 27)) == (started.first_day, started.last_day)
    asked = wire.GetExperimentRequest(code="trial")
    running = await calls.GetExperiment(asked)
    assert "Collecting from" in running.experiment.sentence
    assert not running.guardrails
    assert {} == await units_of(site, "trial")
    both = (running.treatment_payers, running.control_payers)
    assert not any(one % 10 for one in both)
    assert 240 <= sum(both) <= 260
    change = offer_service_pb2.UpdateOfferRequest(code="tea", uses_per_payer=9)
    assert "EXPERIMENT_RUNS" == (await refusal(offers_of(site).UpdateOffer(change)))[1]

    c = experiment_payers.c
    rows = select(c.payer_id).where(c.arm == "TREATMENT")
    treated = set(await site.database.read(lambda connection: connection.scalars(rows).all()))
    more = {name: 1.9 if name in treated else 1.0 for name in names}
    await buy(
        site.database,
        names,
        first,
        started.last_day,
        factor=lambda name, _d: more[name],
        version=1_000_000,
    )
    await told_until(site.database, started.last_day)
    await work(site)
    answer = await calls.GetExperiment(asked)
    ended = answer.experiment
    print(ended.sentence)
    assert told.EXPERIMENT_STATE_ENDED == ended.state
    assert both == (ended.result.treatment_payers, ended.result.control_payers)
    assert ended.result.significant
    assert 450 < ended.result.lift_permille < 1_400
    assert "spent" in ended.sentence
    assert "the offer took 0.00 HKD off" in ended.sentence
    assert not any(name in str(answer) for name in names)
    budget = offer_service_pb2.UpdateOfferRequest(code="tea", uses_per_payer=9)
    assert 9 == (await offers_of(site).UpdateOffer(budget)).offer.content.uses_per_payer
