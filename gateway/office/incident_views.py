"""Incidents and troubles as administrators read them: views in, messages of ``gateway.office.v1``
out.
"""

from gateway.fleet import enums
from gateway.fleet.views import timestamp
from gateway.office.event_codes import meaning
from gateway.office.health import MachineHealth, Trouble
from gateway.office.v1 import incident_pb2
from gateway.office.v1 import incident_service_pb2 as wire
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.office.incidents import IncidentView

_ENDING = enums.descriptor_of(incident_pb2.IncidentEnding)
_KIND = enums.descriptor_of(incident_pb2.TroubleKind)


def incident(view: IncidentView) -> incident_pb2.Incident:
    """Return an incident."""
    return incident_pb2.Incident(
        incident_id=view.incident_id,
        machine_id=view.machine_id,
        code=view.code,
        meaning=meaning(view.code),
        column=plain(view.column),
        detail=plain(view.detail),
        times=view.times,
        opened_at=timestamp(view.opened_at_ms),
        last_told_at=timestamp(view.last_at_ms),
        ended_at=None if view.ended_at_ms is None else timestamp(view.ended_at_ms),
        ending=enums.number_of(_ENDING, view.ending) if view.ending else 0,  # type: ignore[arg-type]  # of this very enum
        ended_by=plain(view.ended_by),
        reason=plain(view.reason),
    )


def health(of: MachineHealth, currency: str) -> wire.GetMachineHealthResponse:
    """Return how a machine is."""
    return wire.GetMachineHealthResponse(
        troubles=[_trouble(one, currency) for one in of.troubles],
        usual_per_hour=money_pb2.Money(minor=of.usual_minor, currency=currency),
        cost_per_hour=money_pb2.Money(minor=of.cost_minor, currency=currency),
    )


def _trouble(one: Trouble, currency: str) -> incident_pb2.Trouble:
    cost = one.cost_minor
    return incident_pb2.Trouble(
        kind=enums.number_of(_KIND, one.kind),  # type: ignore[arg-type]  # of this very enum
        column=plain(one.column),
        detail=plain(one.detail),
        since=None if one.since_ms is None else timestamp(one.since_ms),
        cost_per_hour=None if cost is None else money_pb2.Money(minor=cost, currency=currency),
        incident_id=one.incident_id,
    )
