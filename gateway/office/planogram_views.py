"""Planograms of many machines as administrators read them: views in, messages of
``gateway.office.v1`` out. Pure and total.
"""

from gateway.fleet import enums
from gateway.fleet.views import timestamp
from gateway.office.v1 import planogram_pb2
from storage.office.convergence import ConvergenceView

_WAIT = enums.descriptor_of(planogram_pb2.PlanogramWait)


def convergence(view: ConvergenceView) -> planogram_pb2.Convergence:
    """Return which planogram a machine shall have, and how far that is."""
    made = planogram_pb2.Convergence(
        machine_id=view.machine_id,
        wanted_version=view.wanted_version,
        version_in_force=view.version_in_force,
        shown_version=view.shown_version,
        online=view.online,
        waits_for=enums.number_of(_WAIT, view.waits_for),  # type: ignore[arg-type]  # of this very enum
    )
    if view.since_at_ms is not None:
        made.since.CopyFrom(timestamp(view.since_at_ms))
    return made
