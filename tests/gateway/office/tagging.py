"""Tags over a real server: ann's calls, rules, and days that end."""

import itertools
from functools import partial
from typing import Any

from gateway.fleet.v1 import trade_service_pb2
from gateway.office.v1 import tag_service_pb2 as wire
from gateway.office.v1 import tag_service_pb2_grpc
from tests.storage.insight import tagged
from tests.storage.insight.tagged import TODAY, Purchase, have_bought, known
from tests.support.site import Site, found

TRADE = "2026011522001400000000000001"
ANN = (("x-actor", "ann"),)
ANY = '{"feature":"purchases_90","at_least":1}'


def tags_of(site: Site) -> Any:
    """The service."""
    stub: Any = tag_service_pb2_grpc.TagServiceStub(site.channel)

    class Ann:
        """Ann's calls."""

        def __getattr__(self, name: str) -> Any:
            return partial(getattr(stub, name), metadata=ANN)

    return Ann()


def create(tag: str = "SOME", rule: str = ANY, **more: Any) -> wire.CreateTagRequest:
    """Somebody wants a tag."""
    told = wire.TagRule(rule=rule, **more)
    return wire.CreateTagRequest(tag=tag, rule=told, reason="for a try")


async def evaluate(site: Site, d: int = TODAY) -> None:
    """All that is due at the end of a day."""
    await tagged.evaluate(site.database, d)


async def buy(site: Site, counts: dict[str, int], *, first: int = 1) -> None:
    """So many new payers buy in each of these districts."""
    number = itertools.count(first)
    bought = [
        Purchase(payer=f"p{next(number)}", district=district)
        for district, count in counts.items()
        for _ in range(count)
    ]
    await known(site.database, *(one.payer for one in bought))
    await have_bought(site.database, bought, first=first)


async def paid(site: Site) -> None:
    """A customer whom Alipay names has paid, and their machine has decided on it."""
    machine = await site.register()
    assert (200, "success") == await site.post(machine.notify_token, site.signed())
    await found(lambda: site.queries.trade(TRADE))


async def erase(site: Site) -> bool:
    """Let the payer be erased; return whether they were."""
    request = trade_service_pb2.ErasePayerRequest(trade_id=TRADE, reason="they asked")
    answer = await site.trades.ErasePayer(request, metadata=ANN)
    return bool(answer.erased)
