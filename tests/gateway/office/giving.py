"""Offers over a real server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from gateway.office.v1 import offer_pb2 as told
from gateway.office.v1 import offer_service_pb2_grpc, selector_pb2
from gateway.process.sections import Offers
from gateway.rpc.roles import Role, RolesOf
from gateway.v1 import money_pb2
from gateway.web.asking import Person
from tests.alipay_client.wire import Pair
from tests.gateway.web.signed_in import console_of
from tests.support.site import Site, a_site

LIMIT_MINOR = 60
"""Where two people are wanted, they are for a budget above this."""


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


@asynccontextmanager
async def site_of_two(folder: Path, upgraded_file: Path, pair: Pair) -> AsyncIterator[Site]:
    """A site where large offers take two people, ann and bob, whose certificates say who they are;
    who comes without one is an owner too.
    """
    owner = frozenset({Role.OWNER})
    roles = RolesOf(names={"ann": owner, "bob": owner}, unproven=owner)
    decided = {"offers": Offers(budget_second_person_above_minor=LIMIT_MINOR), "roles": roles}
    async with a_site(folder, upgraded_file, pair, decided=decided) as site:
        yield site


async def ask(site: Site, who: str, request: Message) -> Any:
    """Ask as somebody with a certificate; '' is a person without one. Raises Refused."""
    proven = {"x509_common_name": who.encode()} if who else {}
    person = Person(claimed="" if who else "ann", role=Role.OWNER, proven=proven)
    return await console_of(site).asking.ask(person, request)
