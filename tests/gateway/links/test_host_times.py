"""How long things took lately, out of histograms that count from a host's start."""

from collections.abc import Sequence

import pytest

from actors.link import Figure
from gateway.links.host_times import WINDOW_MS, RecentTimes

BOUNDS = ("0.01", "0.1", "1.0", "+Inf")


def told(counts: Sequence[int], *, began_s: float = 100.0) -> list[Figure]:
    """A host's figures with so many COMMITs in each bucket, and nothing in a mailbox."""
    up_to = [float(sum(counts[: number + 1])) for number in range(len(BOUNDS))]
    began = "vendgate_host_start_time_seconds"
    figures = [Figure(name=began, text="", kind="gauge", samples=((began, {}, began_s),))]
    for name, values in (
        ("vendgate_host_commit_seconds", up_to),
        ("vendgate_host_mailbox_delay_seconds", [0.0] * len(BOUNDS)),
    ):
        samples = tuple(
            (f"{name}_bucket", {"le": bound}, value)
            for bound, value in zip(BOUNDS, values, strict=True)
        )
        figures.append(Figure(name=name, text="", kind="histogram", samples=samples))
    return figures


def test_who_told_nothing_has_no_times() -> None:
    """Not zero, which would look quick."""
    times = RecentTimes()
    times.note([None], now_ms=1)
    assert times.of(0) is None
    assert times.of(1) is None


def test_the_first_time_it_is_all_since_the_start() -> None:
    """As Prometheus reckons: evenly within a bucket."""
    times = RecentTimes()
    times.note([told([0, 100, 0, 0])], now_ms=160_000)
    found = times.of(0)
    assert found is not None
    assert (60_000, 100) == (found.over_ms, found.commit.count)
    assert (0.055, 0.0991) == pytest.approx((found.commit.p50_s, found.commit.p99_s))
    assert (0, 0.0) == (found.mailbox.count, found.mailbox.p99_s)


def test_what_was_slow_long_ago_does_not_count() -> None:
    """Only what came since the first look within the window."""
    times = RecentTimes()
    for minute, counts in enumerate([(0, 0, 90, 0)] * 7):
        times.note([told(counts)], now_ms=200_000 + minute * 60_000)
    times.note([told((10, 0, 90, 0))], now_ms=620_000)
    found = times.of(0)
    assert found is not None
    assert 10 == found.commit.count
    assert 0.0099 == pytest.approx(found.commit.p99_s)
    assert WINDOW_MS <= found.over_ms < WINDOW_MS + 60_000


def test_what_is_slower_than_every_bound_is_that_bound() -> None:
    """More is not known of it."""
    times = RecentTimes()
    times.note([told((0, 0, 0, 5))], now_ms=160_000)
    found = times.of(0)
    assert found is not None
    assert 1.0 == found.commit.p50_s


def test_a_host_that_began_anew_is_another() -> None:
    """Its counters began at 0, and so does what is known of it; so for one that was away."""
    times = RecentTimes()
    times.note([told((50, 0, 0, 0))], now_ms=200_000)
    times.note([told((2, 0, 0, 0), began_s=240.0)], now_ms=250_000)
    found = times.of(0)
    assert found is not None
    assert (2, 10_000) == (found.commit.count, found.over_ms)
    times.note([None], now_ms=260_000)
    assert times.of(0) is None
