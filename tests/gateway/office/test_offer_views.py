"""What administrators read of an offer."""

from dataclasses import replace

from gateway.office import offer_views
from gateway.office.v1 import offer_pb2 as wire
from storage.offers.content import OfferDay, OfferView
from tests.storage.offers.giving import CONTENT, HOUR_MS, NOW_MS

VIEW = OfferView(
    offer="tea",
    content=CONTENT,
    revision=3,
    created_at_ms=NOW_MS,
    updated_at_ms=NOW_MS,
    ended_at_ms=None,
    spent_minor=150,
    uses=3,
)


def test_an_offer_is_told_with_what_is_used_of_it() -> None:
    """Amounts in its currency; an amount off has no share."""
    said = offer_views.offer(VIEW, NOW_MS, 3)
    assert ("tea", wire.OFFER_STATE_RUNNING, 150, "HKD", 3, "3") == (
        said.code,
        said.state,
        said.spent.minor,
        said.spent.currency,
        said.uses,
        said.etag,
    )
    assert (50, 0, 1_000) == (
        said.content.discount.minor,
        said.content.basis_points,
        said.content.budget.minor,
    )
    assert not said.HasField("ended_at")
    assert wire.OFFER_STATE_ENDED == offer_views.offer(VIEW, NOW_MS + HOUR_MS, None).state


def test_a_day_is_told_with_what_it_cost() -> None:
    """In the offer's currency."""
    of = OfferDay(d=20260131, uses=3, sales_minor=1_350, discount_minor=150)
    said = offer_views.day(of, "HKD")
    assert (20260131, 3, 1_350, 150, "HKD") == (
        said.day,
        said.uses,
        said.sales.minor,
        said.discount.minor,
        said.discount.currency,
    )


def test_a_share_is_told_as_such_and_an_end_with_its_time() -> None:
    """There is no amount off then."""
    share = replace(CONTENT, discount_minor=0, basis_points=2_500)
    said = offer_views.offer(replace(VIEW, content=share, ended_at_ms=NOW_MS), NOW_MS, None)
    assert not said.content.HasField("discount")
    assert (2_500, NOW_MS) == (said.content.basis_points, said.ended_at.ToMilliseconds())
