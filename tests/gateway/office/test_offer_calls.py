"""Calls that change offers: what is asked for is checked, done once, and said again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from sqlalchemy import select, update

from gateway.office.v1 import offer_service_pb2 as wire
from gateway.v1 import money_pb2
from gateway.web.asking import Refused
from storage import tables
from tests.alipay_client.wire import Pair
from tests.gateway.office.giving import ask, content, hkd, offers_of, site_of_two
from tests.support.site import Site


async def test_the_same_offer_again_is_no_other_one(site: Site) -> None:
    """Without a beginning it began when it was made, however much later it is asked for again."""
    offers = offers_of(site)
    request = wire.CreateOfferRequest(code="tea", content=content(site))
    made = (await offers.CreateOffer(request)).offer
    site.clock.ahead_ms += 1_000
    assert made == (await offers.CreateOffer(request)).offer
    request.content.budget.minor += 1
    with pytest.raises(grpc.aio.AioRpcError, match="UpdateOffer changes what can be changed"):
        await offers.CreateOffer(request)


async def test_whom_an_offer_means_is_told(site: Site) -> None:
    """Machines of its currency, as there are now; none is no error. Not of one that is over."""
    offers = offers_of(site)
    made = wire.CreateOfferRequest(code="tea", content=content(site))
    told = (await offers.CreateOffer(made)).offer
    assert (0, True) == (told.machines_meant, told.HasField("machines_meant"))
    await site.register("VM-1")
    assert 1 == (await offers.GetOffer(wire.GetOfferRequest(code="tea"))).offer.machines_meant
    (one,) = (await offers.ListOffers(wire.ListOffersRequest())).offers
    assert 1 == one.machines_meant
    other = wire.CreateOfferRequest(code="yen", content=content(site))
    for money in (other.content.discount, other.content.budget):
        money.currency = "JPY"
    assert 0 == (await offers.CreateOffer(other)).offer.machines_meant
    ended = await offers.EndOffer(wire.EndOfferRequest(code="tea", reason="enough"))
    assert not ended.offer.HasField("machines_meant")


async def test_an_offer_of_a_newer_gateway_is_listed_beside_the_others(site: Site) -> None:
    """With what this one does not know of it, and no machines that it would have to guess."""
    offers = offers_of(site)
    for code in ("newer", "tea"):
        await offers.CreateOffer(wire.CreateOfferRequest(code=code, content=content(site)))
    asks = '{"all": true, "machine_ids": [], "moods": ["glad"]}'
    newer = update(tables.offers).where(tables.offers.c.offer == "newer").values(selector=asks)
    await site.database.write(lambda connection: connection.execute(newer))
    one, other = (await offers.ListOffers(wire.ListOffersRequest())).offers
    assert "a newer program wrote a selector with moods" == one.not_understood
    assert not one.HasField("machines_meant")
    assert not one.content.HasField("selector")
    assert ("", True) == (other.not_understood, other.content.HasField("selector"))
    assert one == (await offers.GetOffer(wire.GetOfferRequest(code="newer"))).offer


async def test_what_is_only_checked_is_not_made(site: Site) -> None:
    """And is told as it would be."""
    offers = offers_of(site)
    request = wire.CreateOfferRequest(code="tea", content=content(site), validate_only=True)
    assert "tea" == (await offers.CreateOffer(request)).offer.code
    assert [] == list((await offers.ListOffers(wire.ListOffersRequest())).offers)


async def test_each_field_of_a_change_has_its_bound(site: Site, subtests: pytest.Subtests) -> None:
    """The sentence names it, and nothing is changed."""
    offers = offers_of(site)
    made = (
        await offers.CreateOffer(wire.CreateOfferRequest(code="tea", content=content(site)))
    ).offer
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"code": "t e a"}, "code"),
        ({"uses_per_payer": 1_001}, "uses_per_payer"),
        ({"budget": hkd(0)}, "budget.minor"),
        ({"budget": money_pb2.Money(currency="JPY", minor=5)}, "budget.currency"),
        ({"ends_at": {"seconds": 1}}, "ends_at"),
        ({"ends_at": {"seconds": 7_000_000_000}}, "ends_at"),
        ({"name": " "}, "name"),
    )
    for said, field in cases:
        with subtests.test(said=said):
            with pytest.raises(grpc.aio.AioRpcError, match=field):
                await offers.UpdateOffer(wire.UpdateOfferRequest(**{"code": "tea", **said}))
            assert made == (await offers.GetOffer(wire.GetOfferRequest(code="tea"))).offer


async def test_who_ends_an_offer_says_why(site: Site) -> None:
    """The audit log keeps it."""
    offers = offers_of(site)
    await offers.CreateOffer(wire.CreateOfferRequest(code="tea", content=content(site)))
    with pytest.raises(grpc.aio.AioRpcError, match="reason"):
        await offers.EndOffer(wire.EndOfferRequest(code="tea"))


# --- two people ---


@pytest.fixture
async def strict(tmp_path: Path, upgraded_file: Path, pair: Pair) -> AsyncIterator[Site]:
    """A site where large offers take two people."""
    async with site_of_two(tmp_path, upgraded_file, pair) as site:
        yield site


async def _refused(site: Site, who: str, request: Message) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        await ask(site, who, request)
    return caught.value.reason, str(caught.value)


async def _audited(site: Site, action: str) -> list[tuple[str, str]]:
    rows = select(tables.audit.c.outcome, tables.audit.c.proven)
    rows = rows.where(tables.audit.c.action == action).order_by(tables.audit.c.id)
    found = await site.database.read(lambda connection: connection.execute(rows).all())
    return [(row.outcome, row.proven) for row in found]


async def test_a_large_offer_takes_two_people(strict: Site) -> None:
    """The first one is told who must do what; what waits is listed, and made by the second one,
    once for each request id. Who proves nothing is neither of them; the log has all who tried.
    """
    large = wire.CreateOfferRequest(code="tea", content=content(strict), request_id="r1")
    large.content.budget.minor = 61
    reason, _ = await _refused(strict, "", large)
    assert "IDENTITIES_NOT_PROVEN" == reason
    first, again = [await _refused(strict, "ann", large) for _ in range(2)]
    assert first == again
    reason, said = first
    assert "SECOND_PERSON_NEEDED" == reason
    (one,) = (await ask(strict, "", wire.ListOfferProposalsRequest())).proposals
    assert f"proposal {one.proposal}; another person must ConfirmOffer it" in said
    assert "offers.budget_second_person_above_minor (60)" in said
    assert ("tea", "certificate ann", hkd(61)) == (one.code, one.proposed_by, one.content.budget)
    assert not one.content.HasField("begins_at")
    assert not one.HasField("before")
    confirm = wire.ConfirmOfferRequest(code="tea", proposal=one.proposal, request_id="r2")
    assert "SECOND_PERSON_NEEDED" == (await _refused(strict, "ann", confirm))[0]
    assert "IDENTITIES_NOT_PROVEN" == (await _refused(strict, "", confirm))[0]
    made = await ask(strict, "bob", confirm)
    assert made == await ask(strict, "bob", confirm)
    assert made.offer == (await ask(strict, "ann", large)).offer
    assert [] == list((await ask(strict, "", wire.ListOfferProposalsRequest())).proposals)
    assert [
        ("REFUSED", ""),
        ("PROPOSED", "ann"),
        ("PROPOSED", "ann"),
    ] == await _audited(strict, "CreateOffer")
    assert [
        ("REFUSED", "ann"),
        ("REFUSED", ""),
        ("DONE", "bob"),
    ] == await _audited(strict, "ConfirmOffer")


async def test_a_raise_is_declined_once(strict: Site) -> None:
    """It says why; the offer stays as it was, and who confirms then hears that nothing waits."""
    made = wire.CreateOfferRequest(code="tea", content=content(strict))
    offer = (await ask(strict, "", made)).offer
    more = wire.UpdateOfferRequest(code="tea", budget=hkd(70))
    assert "SECOND_PERSON_NEEDED" == (await _refused(strict, "ann", more))[0]
    (one,) = (await ask(strict, "ann", wire.ListOfferProposalsRequest())).proposals
    assert (offer.content, hkd(70)) == (one.before, one.content.budget)
    no = wire.DeclineOfferRequest(code="tea", proposal=one.proposal, reason="dear", request_id="d")
    without = wire.DeclineOfferRequest(code="tea", proposal=one.proposal)
    assert "reason: " in (await _refused(strict, "bob", without))[1]
    for _ in range(2):
        assert wire.DeclineOfferResponse() == await ask(strict, "bob", no)
    confirm = wire.ConfirmOfferRequest(code="tea", proposal=one.proposal)
    reason, said = await _refused(strict, "bob", confirm)
    assert "OFFER_PROPOSAL_NOT_FOUND" == reason
    assert "ListOfferProposals shows what there is" in said
    assert offer == (await ask(strict, "", wire.GetOfferRequest(code="tea"))).offer
    confirm.proposal = "t e a"
    assert "ListOfferProposals names it" in (await _refused(strict, "bob", confirm))[1]
