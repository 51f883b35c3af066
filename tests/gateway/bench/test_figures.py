"""Shares of sorted times, medians of runs, and ratios of what was measured."""

import json
import math

import pytest

from gateway.bench.figures import (
    CPU_SHARE,
    ECHO,
    PLAIN,
    RATE_SHARE,
    Better,
    Figure,
    Latency,
    Ratio,
    Results,
    percentile,
    short,
)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100)]
)
def test_a_percentile_is_one_of_the_times(share: float, expected: int) -> None:
    """The least one that so many do not exceed, in whatever order they came."""
    assert expected == percentile([float(number) for number in range(100, 0, -1)], share)


def test_of_no_times_there_is_no_percentile() -> None:
    """It is no number, rather than a zero that looks quick."""
    assert math.isnan(percentile([], 0.5))


def test_a_latency_tells_milliseconds() -> None:
    """Of times in seconds, with how many there were."""
    assert Latency(p50_ms=2.0, p99_ms=4.0, p999_ms=4.0, count=3) == Latency.of(
        [0.004, 0.001, 0.002]
    )


def test_a_ratio_needs_both_its_figures() -> None:
    """What was not measured is left out; it is not taken for zero."""
    results = Results(made={})
    results.add(PLAIN, Figure(name=RATE_SHARE, value=300.0, unit="1/s"))
    assert [] == results.ratios()

    results.add(ECHO, Figure(name=RATE_SHARE, value=3_000.0, unit="1/s"))
    assert [
        Ratio(name="vends/s, no-ray : echo", value=0.1, better=Better.HIGHER)
    ] == results.ratios()


def test_cost_is_better_when_it_is_lower() -> None:
    """The same two subjects the other way round."""
    results = Results(made={})
    results.add(PLAIN, Figure(name=CPU_SHARE, value=1_000.0, unit="us"))
    results.add(ECHO, Figure(name=CPU_SHARE, value=100.0, unit="us"))
    (ratio,) = results.ratios()
    assert (10.0, Better.LOWER) == (ratio.value, ratio.better)


def test_what_is_written_is_json() -> None:
    """Also where a figure is no number."""
    results = Results(made={"cores": 2})
    results.add(PLAIN, Figure(name="a", value=math.nan, unit="ms"))
    results.add(PLAIN, Figure(name="b", value=1_234.5678, unit="us"))
    results.remarks.append("a remark")

    read = json.loads(json.dumps(results.as_json(), allow_nan=False))

    assert {"a": {"value": None, "unit": "ms"}, "b": {"value": 1235.0, "unit": "us"}} == read[
        "figures"
    ][PLAIN]
    assert ["a remark"] == read["remarks"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.123456, 0.1235), (98_765.4, 98_770.0), (0.0, 0.0), (math.inf, None), (math.nan, None)],
)
def test_four_digits_are_kept(value: float, expected: float | None) -> None:
    """The fifth is noise."""
    assert expected == short(value)
