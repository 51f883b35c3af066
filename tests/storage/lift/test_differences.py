"""A block's difference is of rates: what was dark or empty is no want of customers."""

import math

import pytest

from storage.lift.differences import DAY_S, PrePost, SoldIn, paired, rate, switched


def period(sold: float, sellable_days: float) -> SoldIn:
    """So much, in so many days."""
    return SoldIn(sold, int(sellable_days * DAY_S))


def test_half_the_time_is_half_the_sales() -> None:
    """A machine that was dark for a week has not sold less for it."""
    whole = PrePost(before=period(280, 28), during=period(280, 28))
    dark = PrePost(before=period(280, 28), during=period(140, 14))
    assert pytest.approx(0.0) == paired([whole], [dark], 0.0)
    better = PrePost(before=period(280, 28), during=period(308, 28))
    assert pytest.approx(math.log(1.1)) == paired([better], [dark], 0.0)


def test_no_time_is_no_answer() -> None:
    """Neither before nor during; and nothing sold has a logarithm."""
    never = PrePost(before=period(280, 28), during=period(0, 0))
    some = PrePost(before=period(280, 28), during=period(0, 28))
    assert paired([never], [some], 0.5) is None
    assert paired([some], [never], 0.5) is None
    assert 0.0 == paired([some], [some, never], 0.5)
    assert 0.5 == rate(period(-3, 1), 0.5)


def test_good_days_are_good_for_all() -> None:
    """What all sell more of on a day is taken off it, and the machine's own is not among them."""
    days = [20260706, 20260707, 20260708, 20260709]
    treated = {"a": [days[0], days[1]], "b": [days[0], days[2]], "c": [days[1], days[3]]}
    good = dict(zip(days, (1.0, 3.0, 0.5, 2.0), strict=True))
    machines = {
        name: {d: period(level * good[d] * (1.2 if d in treated[name] else 1), 1) for d in days}
        for name, level in (("a", 100), ("b", 10), ("c", 30))
    }
    plain = {
        name: {d: period(of[d].sold / (1.2 if d in treated[name] else 1), 1) for d in days}
        for name, of in machines.items()
    }
    assert all(abs(one) < 1e-9 for one in switched(plain, treated, 0.0).values())
    assert all(one > 0 for name, one in switched(machines, treated, 0.0).items() if name == "a")


def test_one_kind_of_days_is_no_difference() -> None:
    """Nor is a machine without others, or one that could not sell on either kind."""
    days = [20260706, 20260707]
    two = {name: {d: period(10, 1) for d in days} for name in "ab"}
    assert {} == switched(two, {"a": days, "b": []}, 0.5)
    assert {} == switched({"a": two["a"]}, {"a": [days[0]]}, 0.5)
    dark = {"a": {days[0]: period(10, 1), days[1]: period(0, 0)}, "b": two["b"]}
    assert {"b"} >= set(switched(dark, {"a": [days[0]], "b": [days[0]]}, 0.5))
