"""IncidentService over a real server, real SQL, a real actor and a machine's real stream."""

import asyncio
from collections.abc import AsyncIterator

import grpc.aio
import pytest

from gateway.office.v1 import incident_pb2
from gateway.office.v1 import incident_service_pb2 as wire
from gateway.v1 import machine_pb2 as machines_wire
from tests.support.edge import MachineCall
from tests.support.fleet_calls import refusal, registered
from tests.support.goods_calls import COLUMNS
from tests.support.site import Site, found
from tests.support.site_machine import a_machine


@pytest.fixture
async def machine(site: Site) -> AsyncIterator[MachineCall]:
    """A machine with a motor that is stuck and an open door."""
    await registered(site, columns=COLUMNS)
    async with a_machine(site) as machine:
        await machine.say(1, fault=machines_wire.Fault(code="EJB", column="A1", detail="stuck"))
        await machine.say(2, fault=machines_wire.Fault(code="EGS"))
        await found(lambda: listed(site, 2))
        yield machine


async def listed(site: Site, count: int, **filters: bool) -> list[incident_pb2.Incident] | None:
    """Return the incidents as soon as there are so many."""
    answer = await site.incidents.ListIncidents(
        wire.ListIncidentsRequest(machine_id="VM-1", **filters)  # type: ignore[arg-type]  # each as it is named
    )
    return list(answer.incidents) if len(answer.incidents) == count else None


def closing(incident_id: str = "VM-1-i1", **more: str) -> wire.CloseIncidentRequest:
    """Return the request that ends one."""
    values = {"incident_id": incident_id, "reason": "motor changed", **more}
    return wire.CloseIncidentRequest(**values)  # type: ignore[arg-type]  # each as it is named


async def test_a_machine_tells_and_takes_back(site: Site, machine: MachineCall) -> None:
    """The newest first, page after page; what is over is over."""
    first = await site.incidents.ListIncidents(wire.ListIncidentsRequest(page_size=1))
    rest = await site.incidents.ListIncidents(
        wire.ListIncidentsRequest(page_size=1, page_token=first.next_page_token)
    )
    told = [*first.incidents, *rest.incidents]
    assert ["VM-1-i2", "VM-1-i1"] == [one.incident_id for one in told]
    assert ("A1", "stuck", "a dispense motor") == (
        told[1].column,
        told[1].detail,
        told[1].meaning,
    )
    await machine.say(3, fault=machines_wire.Fault(code="EGS", cleared=True))
    (left,) = await found(lambda: listed(site, 1, open=True))
    assert "VM-1-i1" == left.incident_id


@pytest.mark.usefixtures("machine")
async def test_a_person_closes_one_and_once(site: Site) -> None:
    """Checked only, nothing is done; under its request id it has one answer; what is over is
    refused, and so is what there is not.
    """
    await site.incidents.CloseIncident(
        wire.CloseIncidentRequest(incident_id="VM-1-i1", reason="x", validate_only=True)
    )
    assert 2 == len((await listed(site, 2, open=True)) or ())
    done = [await site.incidents.CloseIncident(closing(request_id="c-1")) for _ in range(2)]
    assert done[0] == done[1]
    assert incident_pb2.INCIDENT_ENDING_CLOSED == done[0].incident.ending
    assert "motor changed" == done[0].incident.reason
    for request, expected in (
        (closing(request_id="c-1", reason="other"), "REQUEST_ID_REUSED"),
        (closing(), "INCIDENT_ENDED"),
        (closing("VM-1-i9"), "INCIDENT_NOT_FOUND"),
    ):
        _, reason, _ = await refusal(site.incidents.CloseIncident(request))
        assert expected == reason
    code, _, wrong = await refusal(site.incidents.CloseIncident(wire.CloseIncidentRequest()))
    assert (grpc.StatusCode.INVALID_ARGUMENT, ["incident_id", "reason"]) == (code, wrong)


@pytest.mark.usefixtures("machine")
async def test_of_people_who_close_one_at_once_one_hears_that_they_did(site: Site) -> None:
    """The others hear that it is over; the reason that stands is the one's."""
    calls = [site.incidents.CloseIncident(closing(reason=f"r{number}")) for number in range(4)]
    said = await asyncio.gather(*calls, return_exceptions=True)
    done = [one for one in said if not isinstance(one, BaseException)]
    assert 1 == len(done)
    (over,) = (one for one in (await listed(site, 2)) or () if one.incident_id == "VM-1-i1")
    assert done[0].incident.reason == over.reason


@pytest.mark.usefixtures("machine")
async def test_a_machines_health_is_one_call(site: Site) -> None:
    """All that is wrong with it, since when. It has sold nothing, so that nothing is lost."""
    answer = await site.incidents.GetMachineHealth(wire.GetMachineHealthRequest(machine_id="VM-1"))
    kinds = [incident_pb2.TroubleKind.Name(one.kind) for one in answer.troubles]
    assert ["TROUBLE_KIND_SOLD_OUT", *["TROUBLE_KIND_INCIDENT"] * 2] == kinds
    assert {"VM-1-i1", "VM-1-i2"} == {one.incident_id for one in answer.troubles[1:]}
    assert (0, "HKD") == (answer.cost_per_hour.minor, answer.usual_per_hour.currency)


@pytest.mark.parametrize(
    ("machine_id", "days", "expected"),
    [("VM-9", 0, "MACHINE_NOT_FOUND"), ("", 99, "INVALID_REQUEST")],
)
async def test_health_of_what_there_is_not_is_refused(
    site: Site, machine_id: str, days: int, expected: str
) -> None:
    """With what to do."""
    request = wire.GetMachineHealthRequest(machine_id=machine_id, sales_days=days)
    _, reason, _ = await refusal(site.incidents.GetMachineHealth(request))
    assert expected == reason
