"""What an offer takes off a price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.machine.offer import Offered, discount_minor


def offered(*, discount_minor: int = 0, basis_points: int = 0) -> Offered:
    return Offered(
        offer="o",
        ends_at_ms=1,
        left=1,
        discount_minor=discount_minor,
        basis_points=basis_points,
    )


@pytest.mark.parametrize(
    ("said", "price_minor", "off_minor"),
    [
        ({"discount_minor": 50}, 500, 50),
        ({"discount_minor": 500}, 500, 499),
        ({"discount_minor": 501}, 500, 499),
        ({"discount_minor": 1}, 1, 0),
        ({"basis_points": 2_500}, 500, 125),
        ({"basis_points": 3_333}, 100, 33),
        ({"basis_points": 9_999}, 3, 2),
        ({"basis_points": 10_000}, 7, 6),
        ({"basis_points": 1}, 9_999, 0),
        ({"basis_points": 1}, 10_000, 1),
    ],
)
def test_a_discount_is_whole_and_leaves_something_to_pay(
    said: dict[str, int], price_minor: int, off_minor: int
) -> None:
    """Shares of a price are rounded down, and one minor unit at least is paid."""
    assert off_minor == discount_minor(offered(**said), price_minor)


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 20_000))
def test_nobody_pays_nothing_or_more_than_the_price(
    price_minor: int, off_minor: int, basis_points: int
) -> None:
    """Whatever an offer says."""
    said = offered(discount_minor=off_minor, basis_points=basis_points)
    assert 0 <= discount_minor(said, price_minor) < price_minor
