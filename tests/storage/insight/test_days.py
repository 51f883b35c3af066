"""Days are counted over the ends of months, years and leap days."""

import pytest

from storage.insight import days


@pytest.mark.parametrize(
    ("d", "by", "there"),
    [
        (20260131, 1, 20260201),
        (20260101, -1, 20251231),
        (20240228, 1, 20240229),
        (20260228, 1, 20260301),
        (20260301, -7, 20260222),
    ],
)
def test_a_day_is_so_many_days_from_another(d: int, by: int, there: int) -> None:
    """Both ways."""
    assert there == days.moved(d, by)
    assert d == days.moved(there, -by)


def test_days_are_counted_with_both_ends() -> None:
    """And each has its weekday."""
    assert [20251231, 20260101, 20260102] == list(days.between(20251231, 20260102))
    assert (3, 0) == (days.count(20251231, 20260102), days.count(20260102, 20260101))
    assert [4, 7] == [days.weekday(20260101), days.weekday(20260104)]
    with pytest.raises(ValueError, match="day"):
        days.as_date(20260230)
