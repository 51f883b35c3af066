"""What people do in a past: every call is one of the office's own."""

import datetime as dt
from collections import Counter

from gateway.fleet.services import FILES as FLEET
from gateway.office.services import FILES
from gateway.past import deeds
from gateway.past.plan import DISTRICTS, TRIAL, TRIED_MINOR, planned

DAY = dt.date(2026, 9, 21)


def test_the_fleet_is_taken_in_before_anything_is_put_on_it() -> None:
    """A product before a planogram has it, a site before a machine stands there."""
    plan = planned(seed=1)
    asked = [type(one).__name__ for one in deeds.opening(plan, DAY)]
    assert {
        "CreateProductRequest": 5,
        "CreateDistrictRequest": len(DISTRICTS),
        "CreateSiteRequest": 24,
        "RegisterMachineRequest": 24,
        "PlaceMachineRequest": 24,
    } == Counter(asked)
    order = list(dict.fromkeys(asked))
    assert ["CreateProductRequest", "CreateDistrictRequest", "CreateSiteRequest"] == order[:3]


def test_the_trial_is_of_the_plans_own_size() -> None:
    """It is created, and then started."""
    plan = planned(seed=1)
    create, start = deeds.trial(plan)
    content = create.content  # type: ignore[attr-defined]
    assert (plan.trial_days, plan.pre_days) == (content.days, content.pre_days)
    assert TRIED_MINOR == {one.product: one.price_minor for one in content.prices}
    assert TRIAL == start.code  # type: ignore[attr-defined]


def test_there_is_a_call_for_each_deed() -> None:
    """By the type of its request."""
    plan = planned(seed=1)
    known = {
        method.input_type.full_name
        for file in (*FILES, *FLEET)
        for service in file.services_by_name.values()
        for method in service.methods
    }
    asked = (*deeds.opening(plan, DAY), *deeds.tags(), *deeds.trial(plan))
    assert {one.DESCRIPTOR.full_name for one in asked} <= known
