"""A process may die at any await of a small fault-free story: here at some of them, in
``make soak`` at each.
"""

import multiprocessing

import pytest

from tests.simulation.awaits import deaths, die

SEEDS = (1, 4)
EACH = 30
"""One death in this many is tried; the two stories together have more than a thousand."""


@pytest.mark.timeout(300)
def test_whenever_a_process_dies_the_books_agree() -> None:
    """Host and gateway die at one await after the other, alone and followed by their successors;
    every truth holds each time.
    """
    tried = [death for seed in SEEDS for death in deaths(seed)][::EACH]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        outcomes = pool.map(die, tried, chunksize=4)

    assert len(tried) > 30
    assert [] == [
        (death, outcome.failure)
        for death, outcome in zip(tried, outcomes, strict=True)
        if outcome.failure is not None
    ]
    # Each death may leave one customer without an answer; there is one more than deaths.
    assert [] == [
        death for death, outcome in zip(tried, outcomes, strict=True) if not outcome.sessions
    ]
