"""Offers over a real server."""

from typing import Any

from gateway.office.v1 import offer_pb2 as told
from gateway.office.v1 import offer_service_pb2_grpc, selector_pb2
from gateway.v1 import money_pb2
from tests.support.site import Site


def offers_of(site: Site) -> Any:
    """The service."""
    return offer_service_pb2_grpc.OfferServiceStub(site.channel)


def hkd(minor: int) -> money_pb2.Money:
    return money_pb2.Money(currency="HKD", minor=minor)


def content(site: Site, **more: Any) -> told.OfferContent:
    """Fifty off, for everybody whom Alipay names."""
    made = told.OfferContent(
        name="Tea time",
        selector=selector_pb2.Selector(all=True),
        discount=hkd(50),
        budget=hkd(60),
        **more,
    )
    made.ends_at.FromMilliseconds(site.clock.now_ms() + 86_400_000)
    return made
