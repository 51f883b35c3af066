"""What an experiment would see is told before it is kept, and what says nothing is refused."""

import grpc
import grpc.aio
import pytest

from gateway.office.v1 import experiment_pb2 as told
from gateway.office.v1 import experiment_service_pb2 as wire
from gateway.office.v1 import selector_pb2
from tests.gateway.office.offering import creating, give_later, have_customers
from tests.gateway.office.trying import create, experiments_of, have_a_past, of_prices, units_of
from tests.support.fleet_calls import refusal
from tests.support.site import Site

START = wire.StartExperimentRequest(code="summer")
UNITS_OF_NONE = wire.ListExperimentUnitsRequest(code="none")
GET = wire.GetExperimentRequest(code="summer")


async def test_what_cannot_be_seen_is_refused(site: Site) -> None:
    """With what could be; with a reason it is tried all the same, and the reason is kept."""
    calls = experiments_of(site)
    await have_a_past(site)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await calls.CreateExperiment(create(sought_permille=10))
    assert grpc.StatusCode.FAILED_PRECONDITION == refused.value.code()
    assert "1.0 % is sought, and a lift below" in str(refused.value.details())
    tiny = calls.CreateExperiment(create(sought_permille=10))
    assert "LIFT_NOT_DETECTABLE" == (await refusal(tiny))[1]
    rehearsal = create()
    rehearsal.validate_only = True
    seen = await calls.CreateExperiment(rehearsal)
    assert (16, 0) == (seen.machines, seen.left_out)
    assert "EXPERIMENT_NOT_FOUND" == (await refusal(calls.GetExperiment(GET)))[1]
    forced = create(sought_permille=10, forced_reason="to learn how it works")
    made = (await calls.CreateExperiment(forced)).experiment
    assert "to learn how it works" == made.content.forced_reason
    assert seen.experiment.detectable_permille == made.detectable_permille
    for call, wanted in (
        (calls.CreateExperiment(create(sought_permille=500)), "EXPERIMENT_EXISTS"),
        (calls.CreateExperiment(create("other", tag="NONE")), "TAG_NOT_FOUND"),
        (calls.CreateExperiment(create("other", playlist="none")), "PLAYLIST_NOT_FOUND"),
        (calls.CreateExperiment(create("other", days=56)), "LIFT_NOT_DETECTABLE"),
        (calls.StopExperiment(wire.StopExperimentRequest(code="summer")), "INVALID_REQUEST"),
        (
            calls.ListExperimentUnits(wire.ListExperimentUnitsRequest(code="x")),
            "EXPERIMENT_NOT_FOUND",
        ),
    ):
        assert wanted == (await refusal(call))[1]


async def test_too_few_machines_say_nothing(site: Site) -> None:
    """And before anything of sales is told nobody can say what would be seen."""
    calls = experiments_of(site)
    too_early = wire.CreateExperimentRequest(code="a", content=of_prices())
    assert "NOT_TOLD_YET" == (await refusal(calls.CreateExperiment(too_early)))[1]
    await have_a_past(site, 11)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await calls.CreateExperiment(create(forced_reason="x"))
    assert "5 pairs of machines" in str(refused.value.details())
    few = calls.CreateExperiment(create(forced_reason="x"))
    assert "TOO_FEW_MACHINES" == (await refusal(few))[1]


async def test_each_change_is_made_once(site: Site) -> None:
    """Under one request id: created, started, stopped; and a rehearsal of a start draws nobody."""
    calls = experiments_of(site)
    await have_a_past(site)
    wanted = create()
    wanted.request_id = "c1"
    assert await calls.CreateExperiment(wanted) == await calls.CreateExperiment(wanted)
    rehearsal = wire.StartExperimentRequest(code="summer", validate_only=True)
    assert (
        told.EXPERIMENT_STATE_RUNNING == (await calls.StartExperiment(rehearsal)).experiment.state
    )
    assert {} == await units_of(site)
    start = wire.StartExperimentRequest(code="summer", request_id="s1")
    started = await calls.StartExperiment(start)
    assert started == await calls.StartExperiment(start)
    assert started == await calls.StartExperiment(START)
    other = wire.StartExperimentRequest(code="other", request_id="s1")
    assert "REQUEST_ID_REUSED" == (await refusal(calls.StartExperiment(other)))[1]
    stop = wire.StopExperimentRequest(code="summer", reason="it rains", request_id="e1")
    stopped = await calls.StopExperiment(stop)
    assert stopped == await calls.StopExperiment(stop)
    assert told.EXPERIMENT_STATE_STOPPED == stopped.experiment.state
    assert "EXPERIMENT_ENDED" == (await refusal(calls.StartExperiment(START)))[1]
    assert stopped.experiment == (await calls.GetExperiment(GET)).experiment
    listed = await calls.ListExperiments(wire.ListExperimentsRequest())
    assert [stopped.experiment] == list(listed.experiments)


async def test_an_offer_is_looked_at_before_it_is_tried(site: Site) -> None:
    """What would be seen is told in steps, and what would not be is refused; with a reason it is
    tried all the same. A rehearsal keeps nothing, and each change is made once.
    """
    calls = experiments_of(site)
    await have_customers(site)
    assert "OFFER_NOT_FOUND" == (await refusal(calls.CreateExperiment(creating())))[1]
    await give_later(site)
    await give_later(site, "few", percent=10)
    rehearsal = creating()
    rehearsal.validate_only = True
    seen = await calls.CreateExperiment(rehearsal)
    assert (0, 0, 0) == (seen.machines, seen.left_out, seen.payers % 10)
    assert 250 <= seen.payers <= 260
    smallest = seen.experiment.detectable_permille
    assert 100 < smallest < 500
    assert (
        "EXPERIMENT_NOT_FOUND"
        == (await refusal(calls.GetExperiment(wire.GetExperimentRequest(code="trial"))))[1]
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await calls.CreateExperiment(creating(sought_permille=50))
    assert f"a lift below {smallest / 10:.1f} %" in str(refused.value.details())
    assert f"these {seen.payers} payers" in str(refused.value.details())
    for request, wanted in (
        (creating(sought_permille=50), "LIFT_NOT_DETECTABLE"),
        (creating(offer="few", forced_reason="x"), "TOO_FEW_PAYERS"),
        (creating(days=56), "LIFT_NOT_DETECTABLE"),
        (creating(selector=selector_pb2.Selector(all=True)), "INVALID_REQUEST"),
    ):
        assert wanted == (await refusal(calls.CreateExperiment(request)))[1]
    forced = creating(sought_permille=50, forced_reason="to learn")
    made = await calls.CreateExperiment(forced)
    assert made == await calls.CreateExperiment(forced)
    assert seen.experiment.detectable_permille == made.experiment.detectable_permille
    start = wire.StartExperimentRequest(code="trial", request_id="s1")
    started = await calls.StartExperiment(start)
    assert started == await calls.StartExperiment(start)
    assert started == await calls.StartExperiment(wire.StartExperimentRequest(code="trial"))
    stop = wire.StopExperimentRequest(code="trial", reason="it rains")
    stopped = (await calls.StopExperiment(stop)).experiment
    assert told.EXPERIMENT_STATE_STOPPED == stopped.state
    again = calls.StartExperiment(wire.StartExperimentRequest(code="trial"))
    assert "EXPERIMENT_ENDED" == (await refusal(again))[1]
