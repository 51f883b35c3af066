"""What there is in a past, and what none can be made of."""

import pytest

from gateway.demo.stage import PRODUCTS
from gateway.past.plan import (
    CATEGORIES,
    COSTS_MINOR,
    DISTRICTS,
    HOT,
    TASTE,
    TRIED_MINOR,
    PastFailed,
    planned,
    usual_prices,
)


def test_the_demos_past_has_a_trial_that_ends_and_a_district_in_the_middle() -> None:
    """Before it enough days to be compared with, after it days for its answer."""
    plan = planned(seed=1)
    assert (70, 24) == (plan.days, len(plan.places))
    assert plan.pre_days + plan.trial_days <= plan.trial_day + 1 + 5
    assert plan.trial_day + 1 + plan.trial_days < plan.days
    assert 35 == plan.hot_day
    assert {one.code for one in DISTRICTS} == {one.district.code for one in plan.places}
    assert 24 == len({one.site for one in plan.places})


def test_the_same_seed_plans_the_same_and_another_one_does_not() -> None:
    """A past can be lived again."""
    assert planned(seed=3) == planned(seed=3)
    assert planned(seed=3) != planned(seed=4)


def test_a_small_fleet_has_fewer_districts_with_several_machines_in_each() -> None:
    """Of single machines nobody could say how much districts differ."""
    codes = [one.district.code for one in planned(seed=1, weeks=6, machines=8).places]
    assert {2} == {codes.count(code) for code in codes}
    assert HOT in codes


@pytest.mark.parametrize(("weeks", "machines"), [(4, 24), (10, 7), (0, 0)])
def test_what_no_past_can_be_made_of_is_refused(weeks: int, machines: int) -> None:
    """With what is needed."""
    with pytest.raises(PastFailed, match=r"at least \d weeks.* and 8 machines"):
        planned(seed=1, weeks=weeks, machines=machines)


def test_everything_is_known_of_each_product_and_tried_prices_are_lower() -> None:
    """What is sold has a cost below all of its prices."""
    names = {product for _, product, _ in PRODUCTS}
    assert names == set(COSTS_MINOR) == set(CATEGORIES) == set(TASTE)
    for product, minor in TRIED_MINOR.items():
        assert COSTS_MINOR[product] < minor < usual_prices()[product][1]
