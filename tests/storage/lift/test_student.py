"""Student's t is what the printed tables say."""

import math

import pytest

from storage.lift.student import quantile, within

TABLE = [  # Abramowitz and Stegun, table 26.10
    (1, 0.975, 12.706),
    (2, 0.975, 4.303),
    (3, 0.975, 3.182),
    (5, 0.95, 2.015),
    (5, 0.975, 2.571),
    (10, 0.975, 2.228),
    (10, 0.995, 3.169),
    (29, 0.975, 2.045),
    (30, 0.8, 0.854),
    (60, 0.975, 2.000),
    (120, 0.975, 1.980),
]


@pytest.mark.parametrize(("freedom", "below", "t"), TABLE)
def test_quantiles_are_those_of_the_table(freedom: int, below: float, t: float) -> None:
    """To the three digits that are printed."""
    assert pytest.approx(t, abs=6e-4) == quantile(below, freedom)


def test_two_are_known_in_closed_form() -> None:
    """One degree is Cauchy's, and two have a root; many are nearly normal."""
    for t in (0.0, 0.3, 1.0, 7.0):
        assert pytest.approx(2 / math.pi * math.atan(t), abs=1e-12) == within(t, 1)
        assert pytest.approx(t / math.sqrt(2 + t * t), abs=1e-12) == within(t, 2)
    assert pytest.approx(1.960201, abs=1e-5) == quantile(0.975, 10_000)
    assert pytest.approx(0.8, abs=1e-12) == within(quantile(0.9, 7), 7)


@pytest.mark.parametrize(("below", "freedom"), [(0.5, 3), (1.0, 3), (0.9, 0), (0.9, 10_001)])
def test_what_is_none_is_refused(below: float, freedom: int) -> None:
    """Rather than answered with a number."""
    with pytest.raises(ValueError, match="not"):
        quantile(below, freedom)
