"""What is kept of an offer, its state, and who is held out."""

from dataclasses import replace
from typing import Any

import pytest

from storage.offers.content import OfferState, OfferView, is_held_out, kept, selector_of
from tests.storage.offers.giving import CONTENT, NOW_MS

VIEW = OfferView(
    offer="tea",
    content=CONTENT,
    revision=1,
    created_at_ms=NOW_MS,
    updated_at_ms=NOW_MS,
    ended_at_ms=None,
    spent_minor=0,
    uses=0,
)


@pytest.mark.parametrize(
    ("changes", "now_ms", "state"),
    [
        ({}, CONTENT.begins_at_ms - 1, OfferState.WAITING),
        ({}, CONTENT.begins_at_ms, OfferState.RUNNING),
        ({}, CONTENT.ends_at_ms, OfferState.ENDED),
        ({"ended_at_ms": NOW_MS}, NOW_MS, OfferState.ENDED),
        ({"spent_minor": CONTENT.budget_minor - 1}, NOW_MS, OfferState.RUNNING),
        ({"spent_minor": CONTENT.budget_minor}, NOW_MS, OfferState.USED_UP),
    ],
)
def test_an_offer_is_what_time_and_budget_make_it(
    changes: dict[str, Any], now_ms: int, state: OfferState
) -> None:
    """The end of its time counts before what is left of it."""
    assert state is replace(VIEW, **changes).state(now_ms)


@pytest.mark.parametrize(
    ("off", "spent_minor", "uses", "none"),
    [
        ({"discount_minor": 50, "basis_points": 0}, 950, 19, False),
        ({"discount_minor": 50, "basis_points": 0}, 951, 20, True),
        ({"discount_minor": 0, "basis_points": 1_000}, 0, 0, False),
        ({"discount_minor": 0, "basis_points": 1_000}, 950, 19, False),
        ({"discount_minor": 0, "basis_points": 1_000}, 960, 20, True),
        ({"discount_minor": 0, "basis_points": 1_000}, 1_000, 0, True),
    ],
)
def test_what_is_less_than_a_use_is_no_use(
    off: dict[str, Any], spent_minor: int, uses: int, *, none: bool
) -> None:
    """A budget is hardly ever used up to the last minor unit."""
    content = replace(CONTENT, budget_minor=1_000, **off)
    view = replace(VIEW, content=content, spent_minor=spent_minor, uses=uses)
    assert none is view.leaves_no_use


def test_which_machines_comes_back() -> None:
    """Of the one text that is kept."""
    assert CONTENT.selector == selector_of(kept(CONTENT)["selector"])


def test_so_many_of_a_hundred_are_held_out_for_good() -> None:
    """By a hash that needs the offer's key; who is held out of a share is held out of any larger
    one, and another offer draws others.
    """
    payers = [f"{number:032x}" for number in range(4_000)]
    out = {one for one in payers if is_held_out("k", "tea", one, 20)}
    assert 0.17 < len(out) / len(payers) < 0.23
    assert out == {one for one in payers if is_held_out("k", "tea", one, 20)}
    assert out <= {one for one in payers if is_held_out("k", "tea", one, 21)}
    for key, offer in (("other", "tea"), ("k", "cake")):
        others = {one for one in payers if is_held_out(key, offer, one, 20)}
        assert 0.1 < len(out & others) / len(out) < 0.3
    assert not any(is_held_out("k", "tea", one, 0) for one in payers)
