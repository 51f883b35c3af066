"""A process may die at any await of a small fault-free story: here at some of them, in
``make soak`` at each.
"""

import pytest

from tests.simulation.awaits import deaths, die

SEEDS = (1, 4)
EACH = 151
"""One death in this many is tried, of two thousand in both stories together; an odd number, because
every other one is followed by the successor's.
"""


@pytest.mark.timeout(300)
def test_whenever_a_process_dies_the_books_agree() -> None:
    """Host and gateway die at one await after the other, alone and followed by their successors;
    every truth holds each time.
    """
    tried = [death for seed in SEEDS for death in deaths(seed)][::EACH]
    outcomes = [die(death) for death in tried]

    assert len(tried) > 10
    assert {1, 2} == {len(death.dooms) for death in tried}
    assert {"host-0#1", "gw-1"} == {death.dooms[0][0] for death in tried}
    assert [] == [
        (death, outcome.failure)
        for death, outcome in zip(tried, outcomes, strict=True)
        if outcome.failure is not None
    ]
    # Each death may leave one customer without an answer; there is one more than deaths.
    assert [] == [
        death for death, outcome in zip(tried, outcomes, strict=True) if not outcome.sessions
    ]
