"""What got slower, against what an earlier run recorded."""

import pytest

from gateway.bench.compare import compare, recorded_ratios
from gateway.bench.figures import ECHO, PLAIN, RATE_SHARE, Better, Figure, Ratio, Results

RATE_WAS = Ratio(name="rate", value=0.4, better=Better.HIGHER)
COST_WAS = Ratio(name="cost", value=8.0, better=Better.LOWER)


@pytest.mark.parametrize(
    ("now", "slower", "quicker"),
    [(0.4, 0, 0), (0.33, 0, 0), (0.31, 1, 0), (0.49, 0, 0), (0.51, 0, 1)],
)
def test_a_rate_that_fell_is_slower(now: float, slower: int, quicker: int) -> None:
    """By more than the margin; what rose by as much is told too."""
    found = [Ratio(name="rate", value=now, better=Better.HIGHER)]
    verdict = compare(found, [RATE_WAS], margin=0.25)
    assert (slower, quicker) == (len(verdict.slower), len(verdict.quicker))


@pytest.mark.parametrize(
    ("now", "slower", "quicker"),
    [(8.0, 0, 0), (9.9, 0, 0), (10.1, 1, 0), (6.5, 0, 0), (6.3, 0, 1)],
)
def test_a_cost_that_rose_is_slower(now: float, slower: int, quicker: int) -> None:
    """The same the other way round."""
    found = [Ratio(name="cost", value=now, better=Better.LOWER)]
    verdict = compare(found, [COST_WAS], margin=0.25)
    assert (slower, quicker) == (len(verdict.slower), len(verdict.quicker))


def test_the_sentence_says_what_was_and_what_is() -> None:
    """Whoever reads it needs no other file."""
    found = [Ratio(name="rate", value=0.2, better=Better.HIGHER)]
    (sentence,) = compare(found, [RATE_WAS], margin=0.25).slower
    assert "rate: 0.2, recorded 0.4 (higher is better): worse by 100%" == sentence


def test_what_was_not_measured_is_told_and_is_no_failure() -> None:
    """A computer without PostgreSQL checks the rest."""
    verdict = compare([], [RATE_WAS], margin=0.25)
    assert ([], ["rate: recorded as 0.4, not measured now"]) == (verdict.slower, verdict.missing)


def test_what_a_run_writes_can_be_compared_with() -> None:
    """A run that is compared with itself got neither slower nor quicker."""
    results = Results(made={})
    results.add(PLAIN, Figure(name=RATE_SHARE, value=300.0, unit="1/s"))
    results.add(ECHO, Figure(name=RATE_SHARE, value=3_000.0, unit="1/s"))

    recorded = recorded_ratios(results.as_json())

    assert results.ratios() == recorded
    verdict = compare(results.ratios(), recorded, margin=0.01)
    assert ([], [], []) == (verdict.slower, verdict.quicker, verdict.missing)


@pytest.mark.parametrize(
    ("name", "now", "slower"),
    [("CPU a vend", 8.0 * 1.3, 1), ("p50 at half load", 8.0 * 1.3, 0), ("p50 at", 8.0 * 1.6, 1)],
)
def test_what_passes_by_the_clock_may_differ_by_more(name: str, now: float, slower: int) -> None:
    """Processor time is the steadier figure, if nobody gives one margin for all."""
    was = Ratio(name=name, value=8.0, better=Better.LOWER)
    found = [Ratio(name=name, value=now, better=Better.LOWER)]
    assert slower == len(compare(found, [was]).slower)
