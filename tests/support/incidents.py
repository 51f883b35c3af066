"""An incident as it is read."""

from storage.office.incidents import IncidentView

MOTOR = IncidentView(
    incident_id="VM-1-i1",
    machine_id="VM-1",
    code="EJB",
    column="A1",
    detail="stuck",
    times=3,
    opened_at_ms=77,
    last_at_ms=99,
    ended_at_ms=None,
    ending="",
    ended_by="",
    reason="",
)
