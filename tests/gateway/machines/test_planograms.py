"""A machine's acknowledgement of a planogram is news once, and the newest of them counts."""

from actors.machine.events import Connected, PlanogramAcknowledged
from actors.machine.ids import BootId, StreamId
from gateway.machines.planograms import Planograms

SAID = Connected(stream_id=StreamId("g-1"), opened_at_ms=1, boot_id=BootId("b"))


def test_an_acknowledgement_is_told_once() -> None:
    """Before the frame nothing is; after it the newest version is, and what is said again in a
    Hello has it too.
    """
    planograms = Planograms()
    planograms.told(3, 7)
    planograms.told(5, 8)
    assert (SAID, None) == planograms.handled(2, SAID)
    said, news = planograms.handled(6, SAID)
    assert (8, PlanogramAcknowledged(stream_id=SAID.stream_id, planogram_version=8)) == (
        said.planogram_version,
        news,
    )
    assert (said, None) == planograms.handled(9, said)


def test_the_same_version_again_is_no_news() -> None:
    """A machine is told its planogram again with each refused price. The first time counts: the
    machine may have said this version of other goods.
    """
    planograms = Planograms()
    planograms.told(2, 0)
    acknowledged = PlanogramAcknowledged(stream_id=SAID.stream_id, planogram_version=0)
    assert (SAID, acknowledged) == planograms.handled(2, SAID)
    planograms.told(4, 0)
    assert (SAID, None) == planograms.handled(5, SAID)


def test_a_machine_that_acknowledges_nothing_costs_no_memory() -> None:
    """Later planograms speak for those before them."""
    planograms = Planograms()
    for seq in range(1, 1_000):
        planograms.told(seq, seq)
    said, _ = planograms.handled(999, SAID)
    assert 999 == said.planogram_version
    assert (said, None) == planograms.handled(1_000, said)


def test_after_another_welcome_the_same_version_is_news() -> None:
    """A COMMIT whose answer was lost makes the host welcome the stream once more, as its Hello said
    it: it knows nothing of what was acknowledged since.
    """
    planograms = Planograms()
    acknowledged = PlanogramAcknowledged(stream_id=SAID.stream_id, planogram_version=7)
    planograms.welcomed()
    planograms.told(2, 7)
    said, _ = planograms.handled(2, SAID)
    planograms.welcomed()
    assert (said, None) == planograms.handled(8, said)
    planograms.told(9, 7)
    assert (said, acknowledged) == planograms.handled(9, said)
