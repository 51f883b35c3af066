"""Who has not converged, as administrators read it."""

from dataclasses import replace

from gateway.office import planogram_views as views
from gateway.office.v1 import planogram_pb2
from storage.office.convergence import ConvergenceView, WaitsFor

WAITS = ConvergenceView(
    machine_id="VM-1",
    wanted_version=3,
    version_in_force=2,
    shown_version=1,
    online=True,
    waits_for=WaitsFor.SESSION,
    since_at_ms=7_000,
)


def test_each_word_is_one_of_the_wires() -> None:
    """A new one that somebody forgot is found here."""
    for word in WaitsFor:
        shown = views.convergence(replace(WAITS, waits_for=word))
        assert f"PLANOGRAM_WAIT_{word}" == planogram_pb2.PlanogramWait.Name(shown.waits_for)


def test_a_machine_that_has_converged_waits_since_never() -> None:
    """One that has not says since when."""
    assert 7 == views.convergence(WAITS).since.seconds
    converged = replace(WAITS, waits_for=WaitsFor.NOTHING, since_at_ms=None)
    assert not views.convergence(converged).HasField("since")
