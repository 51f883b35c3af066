"""OfferService: an offer from its making to the customer who pays less, over real servers."""

from typing import Any

import grpc
import pytest
from sqlalchemy import select

from gateway.fleet.v1 import session_service_pb2, trade_service_pb2
from gateway.office.v1 import offer_pb2 as told
from gateway.office.v1 import offer_service_pb2 as wire
from gateway.v1 import machine_pb2
from storage.office.audit_data import AuditData
from storage.tables import offer_uses
from tests.gateway.office.giving import content, hkd, offers_of
from tests.support.fleet_calls import registered
from tests.support.site import Site, found
from tests.support.site_machine import a_machine, heard


async def test_a_known_payer_pays_less_until_the_budget_is_used(site: Site) -> None:
    """The machine is told what is paid and what was taken off; the next choice finds the budget
    used up when it is saved, and costs what is shown. Lists, audit data and books tell it, and
    after an erasure nobody is named.
    """
    offers = offers_of(site)
    request = wire.CreateOfferRequest(code="tea", content=content(site, uses_per_payer=5))
    made = (await offers.CreateOffer(request)).offer
    assert (told.OFFER_STATE_RUNNING, hkd(0), "1") == (made.state, made.spent, made.etag)
    qr_payload = (await registered(site)).qr_payload
    async with a_machine(site) as machine:
        site.alipay.pay(qr_payload, "10.00")
        await site.alipay.settle()
        await heard(machine, "begin_session")
        vend = await chooses(machine, 1)
        assert (450, 50) == (vend.amount_minor, vend.discount_minor)
        await machine.say(2, vend_success={"vend_id": vend.vend_id})
        await heard(machine, "funds_update")
        other = await chooses(machine, 3)
        assert (500, 0) == (other.amount_minor, other.discount_minor)
        await machine.say(4, vend_success={"vend_id": other.vend_id})
        await heard(machine, "funds_update")

    asked = session_service_pb2.GetVendRequest(vend_id=vend.vend_id)
    shown = (await site.sessions.GetVend(asked)).vend
    assert (hkd(450), hkd(500), hkd(50), "tea") == (
        shown.price,
        shown.list_price,
        shown.discount,
        shown.offer,
    )
    answer = await offers.GetOffer(wire.GetOfferRequest(code="tea"))
    used = answer.offer
    assert answer.HasField("completeness")
    assert (hkd(50), 1, told.OFFER_STATE_RUNNING) == (used.spent, used.uses, used.state)
    assert [used] == list((await offers.ListOffers(wire.ListOffersRequest())).offers)
    total = (await AuditData(site.database).read("VM-1")).total
    assert (1_000, 50, 1) == (total.paid.minor, total.discounts.minor, total.discounts.number)

    assert "" != await payer_of(site)
    trade_id = await found(lambda: a_trade(site))
    erase = trade_service_pb2.ErasePayerRequest(trade_id=trade_id, reason="they asked")
    assert (await site.trades.ErasePayer(erase, metadata=(("x-actor", "ann"),))).erased
    assert "" == await payer_of(site)


async def chooses(machine: Any, number: int) -> machine_pb2.VendApproved:
    """Choose what is shown for 5.00."""
    wish = machine_pb2.VendRequest(
        request_id=f"r{number}", column="A1", price_minor=500, planogram_version=1
    )
    await machine.say(number, vend_request=wish)
    return (await heard(machine, "vend_approved")).vend_approved


async def payer_of(site: Site) -> str:
    """Whose the one use is."""
    payers = select(offer_uses.c.payer_id)
    found_ones = await site.database.read(lambda connection: connection.scalars(payers).all())
    (payer_id,) = found_ones
    return str(payer_id)


async def a_trade(site: Site) -> str:
    """The payment's number."""
    answer = await site.trades.ListTrades(trade_service_pb2.ListTradesRequest())
    return str(answer.trades[0].trade_id)


async def test_an_offer_is_changed_and_ended(site: Site) -> None:
    """Under the etag that was seen, until it is over."""
    offers = offers_of(site)
    await offers.CreateOffer(wire.CreateOfferRequest(code="tea", content=content(site)))
    wanted = wire.UpdateOfferRequest(code="tea", budget=hkd(70), name="Tea", etag="1")
    changed = (await offers.UpdateOffer(wanted)).offer
    assert ("Tea", hkd(70), "2") == (changed.content.name, changed.content.budget, changed.etag)
    wanted.budget.minor = 71
    with pytest.raises(grpc.aio.AioRpcError) as stale:
        await offers.UpdateOffer(wanted)
    assert grpc.StatusCode.ABORTED is stale.value.code()
    end = wire.EndOfferRequest(code="tea", reason="sold out")
    ended = (await offers.EndOffer(end)).offer
    assert told.OFFER_STATE_ENDED == ended.state
    assert ended.HasField("ended_at")
    wanted.etag = ""
    with pytest.raises(grpc.aio.AioRpcError, match="is over and is not changed any more"):
        await offers.UpdateOffer(wanted)
    with pytest.raises(grpc.aio.AioRpcError, match="offer 'nobodys'"):
        await offers.GetOffer(wire.GetOfferRequest(code="nobodys"))
