"""Offers over a real server."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from gateway.office.v1 import offer_pb2 as told
from gateway.office.v1 import offer_service_pb2 as wire
from gateway.office.v1 import offer_service_pb2_grpc, selector_pb2
from gateway.process.sections import Offers
from gateway.rpc.roles import Role, RolesOf
from gateway.v1 import money_pb2
from gateway.web.asking import Person, Refused
from storage.insight.local_time import local_hour
from storage.insight.rollups import Sums, save
from storage.tables import scope_offers
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


_OWNER = frozenset({Role.OWNER})
BY_TWO: Mapping[str, Any] = {
    "offers": Offers(budget_second_person_above_minor=LIMIT_MINOR),
    "roles": RolesOf(names={"ann": _OWNER, "bob": _OWNER}, unproven=_OWNER),
}
"""What an operator decides where large offers take two people, ann and bob, whose certificates say
who they are; who comes without one is an owner too.
"""


@asynccontextmanager
async def site_of_two(folder: Path, upgraded_file: Path, pair: Pair) -> AsyncIterator[Site]:
    """A site where large offers take two people."""
    async with a_site(folder, upgraded_file, pair, decided=BY_TWO) as site:
        yield site


async def offers_of_all_kinds(site: Site) -> None:
    """Where large ones take two: one that runs, which sales tell of, one that is over, one that
    waits to be made and one that waits to be changed.
    """
    for code in ("tea", "cake", "bun"):
        await ask(site, "ann", wire.CreateOfferRequest(code=code, content=content(site)))
    await ask(site, "ann", wire.EndOfferRequest(code="bun", reason="sold out"))
    large = wire.CreateOfferRequest(code="all", content=content(site, holdout_percent=10))
    large.content.budget.minor = 100_000
    for waits in large, wire.UpdateOfferRequest(code="cake", budget=hkd(70), uses_per_payer=2):
        with contextlib.suppress(Refused):  # That is how it waits.
            await ask(site, "ann", waits)
    sums, d = Sums(), local_hour(site.clock.now_ms(), "UTC").d
    sums.add(scope_offers, ("FLEET", "", d, "tea", "HKD"), (1, 1_234_500, 50))
    await site.database.write(lambda connection: save(connection, sums.rows()))


async def ask(site: Site, who: str, request: Message) -> Any:
    """Ask as somebody with a certificate; '' is a person without one. Raises Refused."""
    proven = {"x509_common_name": who.encode()} if who else {}
    person = Person(claimed="" if who else "ann", role=Role.OWNER, proven=proven)
    return await console_of(site).asking.ask(person, request)
