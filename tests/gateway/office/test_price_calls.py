"""A request about prices says how far it may reach, and no further."""

from gateway.office.price_calls import PRICES_MAX
from gateway.office.price_csv import AHEAD_MS_MAX
from storage.machines.rows import DAY_MS


def test_the_bounds_are_those_that_are_documented() -> None:
    """Two years ahead, leap years too, and as many prices as the proto says."""
    assert 731 * DAY_MS <= AHEAD_MS_MAX < 733 * DAY_MS
    assert 1_000 == PRICES_MAX
