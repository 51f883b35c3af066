"""For how long goods last, and between what."""

import pytest

from storage.office.supply import HOUR_MS, Supply, expected, rates, supply

# The exact interval (Garwood), from tables of the chi-square distribution: 90 %, both sides.
EXACT = {1: (0.051, 4.744), 5: (1.970, 10.513), 10: (5.425, 16.962), 30: (21.594, 40.691)}


@pytest.mark.parametrize("sold", EXACT)
def test_the_interval_is_that_of_a_poisson_count(sold: int) -> None:
    """As near to the exact one as anybody needs who fills a van."""
    for exact, found in zip(EXACT[sold], rates(sold), strict=True):
        assert exact == pytest.approx(found, abs=0.02)


def test_nothing_sold_says_little() -> None:
    """Nobody knows whether it will ever be sold; but not that it sells three in that time."""
    assert 0.0 == rates(0)[0]
    assert 2.996 == pytest.approx(rates(0)[1], abs=0.03)
    assert Supply(hours=None, hours_low=33, hours_high=None) == supply(10, 0, 10 * HOUR_MS)


def test_the_stock_lasts_as_it_was_sold() -> None:
    """Twelve of 24 in a day last as long again; nothing lasts not at all."""
    found = supply(12, 24, 24 * HOUR_MS)
    assert 12 == found.hours
    assert found.hours_high is not None
    assert found.hours_low < 12 < found.hours_high
    assert 0 == supply(0, 24, 24 * HOUR_MS).hours


@pytest.mark.parametrize(
    ("stock", "sold", "hours", "left"),
    [(10, 24, 6, 4), (10, 0, 99, 10), (3, 24, 6, 0), (5, 3, 4, 4)],
)
def test_what_is_left_at_arrival(stock: int, sold: int, hours: int, left: int) -> None:
    """To the nearest whole one, and never below nothing."""
    assert left == expected(stock, sold, 24 * HOUR_MS, hours * HOUR_MS)
