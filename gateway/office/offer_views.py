"""Offers as administrators read them: views in, messages of ``gateway.office.v1`` out."""

from gateway.fleet import enums
from gateway.fleet.views import timestamp
from gateway.office.screen_views import selector
from gateway.office.v1 import offer_pb2 as wire
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.fleet.changes import etag_of
from storage.offers.content import OfferContent, OfferDay, OfferView
from storage.offers.proposals import OfferProposal

_STATE = enums.descriptor_of(wire.OfferState)


def offer(view: OfferView, now_ms: int, machines: int | None) -> wire.Offer:
    """Return an offer as it is at a moment; ``machines``: how many it means, None: it is over, or a
    newer program made it.
    """
    return wire.Offer(
        code=view.offer,
        content=_of_view(view.content, view),
        state=enums.number_of(_STATE, view.state(now_ms)),  # type: ignore[arg-type]  # of this very enum
        spent=_money(view.content, view.spent_minor),
        uses=view.uses,
        etag=etag_of(view.revision),
        created_at=timestamp(view.created_at_ms),
        updated_at=timestamp(view.updated_at_ms),
        ended_at=None if view.ended_at_ms is None else timestamp(view.ended_at_ms),
        machines_meant=machines,
        not_understood=plain(view.not_understood),
    )


def proposal(of: OfferProposal) -> wire.OfferProposal:
    """Return what waits for a second person."""
    return wire.OfferProposal(
        code=of.offer,
        proposal=of.proposal,
        content=None if of.content is None else _of_view(of.content, of.there),
        before=None if of.there is None else _of_view(of.there.content, of.there),
        proposed_by=plain(of.actor),
        proposed_at=timestamp(of.at_ms),
        expires_at=timestamp(of.expires_at_ms),
        not_understood=plain(of.not_understood),
    )


def day(of: OfferDay, currency: str) -> wire.OfferDay:
    """Return what was sold with an offer on a day."""
    return wire.OfferDay(
        day=of.d,
        uses=of.uses,
        sales=money_pb2.Money(currency=currency, minor=of.sales_minor),
        discount=money_pb2.Money(currency=currency, minor=of.discount_minor),
    )


def _of_view(content: OfferContent, view: OfferView | None) -> wire.OfferContent:
    """Return a content of an offer that is there; its machines only if they are understood."""
    said = _content(content)
    if view is not None and view.not_understood:
        said.ClearField("selector")
    return said


def _content(of: OfferContent) -> wire.OfferContent:
    return wire.OfferContent(
        name=plain(of.name),
        selector=selector(of.selector),
        tag=plain(of.tag),
        product=plain(of.product),
        category=plain(of.category),
        discount=_money(of, of.discount_minor) if of.discount_minor else None,
        basis_points=of.basis_points,
        currency=of.currency,
        begins_at=timestamp(of.begins_at_ms) if of.begins_at_ms else None,
        ends_at=timestamp(of.ends_at_ms),
        budget=_money(of, of.budget_minor),
        uses_per_payer=of.uses_per_payer,
        holdout_percent=of.holdout_percent,
    )


def _money(of: OfferContent, minor: int) -> money_pb2.Money:
    return money_pb2.Money(currency=of.currency, minor=minor)
