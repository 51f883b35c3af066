"""What is wrong with an offer is told field by field."""

from typing import Any

import pytest

from gateway.fleet.errors import CallRefused
from gateway.office.offer_fields import OfferFields
from gateway.office.v1 import offer_pb2 as wire
from gateway.office.v1 import selector_pb2
from gateway.v1 import money_pb2

NOW_MS = 1_767_225_600_000
HOUR_MS = 3_600_000


def hkd(minor: int, currency: str = "HKD") -> money_pb2.Money:
    return money_pb2.Money(currency=currency, minor=minor)


def content(*without: str, begins: int | None = None, ends: int = HOUR_MS, **more: Any) -> Any:
    """What somebody gives, with some of it changed."""
    said = {
        "name": "Tea",
        "selector": selector_pb2.Selector(all=True),
        "discount": hkd(50),
        "budget": hkd(60),
        **more,
    }
    made = wire.OfferContent(**{name: value for name, value in said.items() if name not in without})
    made.ends_at.FromMilliseconds(NOW_MS + ends)
    if begins is not None:
        made.begins_at.FromMilliseconds(NOW_MS + begins)
    return made


def wrong_fields(given: wire.OfferContent, *, kept: bool = False) -> set[str]:
    """The fields of which something is said."""
    fields = OfferFields().offer("tea")
    fields.offer_content(given, NOW_MS, kept=kept)
    try:
        fields.done()
    except CallRefused as refused:
        return {one.field for one in refused.refusal.problems}
    return set()


def test_what_is_left_out_has_its_usual_value() -> None:
    """From now on, for every known payer, once each, nobody held out."""
    made = OfferFields().offer_content(content(), NOW_MS, kept=False)
    assert (NOW_MS, "", 1, 0, "HKD", 50, 0) == (
        made.begins_at_ms,
        made.tag,
        made.uses_per_payer,
        made.holdout_percent,
        made.currency,
        made.discount_minor,
        made.basis_points,
    )
    share = content("discount", basis_points=2_500, currency="HKD")
    assert 2_500 == OfferFields().offer_content(share, NOW_MS, kept=False).basis_points


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (content("name"), "content.name"),
        (content("selector"), "content.selector"),
        (content("discount"), "content.discount"),
        (content(basis_points=1), "content.discount"),
        (content(discount=hkd(0)), "content.discount.minor"),
        (content(discount=hkd(50, "XXX"), budget=hkd(60, "XXX")), "content.discount.currency"),
        (content(currency="JPY"), "content.currency"),
        (content("discount", basis_points=10_001, currency="HKD"), "content.basis_points"),
        (content("discount", basis_points=-1, currency="HKD"), "content.basis_points"),
        (content("discount", basis_points=5), "content.currency"),
        (content("budget"), "content.budget.minor"),
        (content(budget=hkd(60, "JPY")), "content.budget.currency"),
        (content(uses_per_payer=1_001), "content.uses_per_payer"),
        (content(uses_per_payer=-1), "content.uses_per_payer"),
        (content(holdout_percent=91), "content.holdout_percent"),
        (content(product="a", category="b"), "content.category"),
        (content(tag="small"), "content.tag"),
        (content(ends=0), "content.ends_at"),
        (content(begins=-HOUR_MS, ends=0), "content.ends_at"),
        (content(begins=HOUR_MS), "content.ends_at"),
        (content(ends=367 * 86_400_000), "content.ends_at"),
    ],
)
def test_each_field_has_its_bound(given: wire.OfferContent, field: str) -> None:
    """And the sentence names it."""
    assert field in wrong_fields(given)


def test_one_that_was_asked_for_before_may_be_over_by_now() -> None:
    """Told again, it is what it was."""
    over = content(begins=-HOUR_MS, ends=0)
    assert set() == wrong_fields(over, kept=True)
