"""Incidents in the words of the wire."""

from dataclasses import replace

import pytest

from actors.machine.incident import IncidentEnd
from gateway.office import incident_views as views
from gateway.office.health import MachineHealth, Trouble, TroubleKind
from gateway.office.v1 import incident_pb2
from tests.support.incidents import MOTOR


@pytest.mark.parametrize("end", ["", *IncidentEnd])
def test_each_ending_has_a_number(end: str) -> None:
    """An open one has none."""
    message = views.incident(replace(MOTOR, ending=end, ended_at_ms=9 if end else None))
    name = incident_pb2.IncidentEnding.Name(message.ending)
    assert f"INCIDENT_ENDING_{end or 'UNSPECIFIED'}" == name
    assert bool(end) is message.HasField("ended_at")
    assert "a dispense motor" == message.meaning


@pytest.mark.parametrize("kind", TroubleKind)
def test_each_kind_of_trouble_has_a_number(kind: TroubleKind) -> None:
    """What costs nothing, or is since nobody knows when, says nothing of it."""
    of = MachineHealth(troubles=[Trouble(kind=kind)], usual_minor=4, cost_minor=3)
    (one,) = views.health(of, "HKD").troubles
    assert f"TROUBLE_KIND_{kind}" == incident_pb2.TroubleKind.Name(one.kind)
    assert not one.HasField("since")
    assert not one.HasField("cost_per_hour")
