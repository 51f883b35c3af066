"""Who is erased while they stand before a machine."""

from dataclasses import replace

import pytest

from actors.machine.state import RefundCause
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from storage.fleet.answers import Answers, Asked, Claim
from storage.fleet.views import RefundView
from tests.support.fleet_calls import registered
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site, found
from tests.support.site_machine import a_machine, heard

ANN = Act(actor="ann", person="ann", within_s=HANGS_AFTER_S)


async def test_a_call_whose_claim_is_anothers_by_now_is_told_so(site: Site) -> None:
    """It was slower than its lease, and another call goes on with it."""
    machine = await registered(site)
    trade_id = await pays(site, machine.qr_payload)
    asked = Asked(caller="ann", request_id="r-1", rpc="ErasePayer", content_sha256="0")
    begin = Answers(site.database).begin
    claim = await begin(asked, now_ms=1, lease_ms=60_000)
    assert isinstance(claim, Claim)
    await begin(asked, now_ms=60_001, lease_ms=60_000)
    with pytest.raises(CallRefused) as refused:
        await site.gateway.fleet.acts.erase_payer(trade_id, "they asked", replace(ANN, claim=claim))
    assert "REQUEST_IN_PROGRESS" == refused.value.refusal.reason


async def pays(site: Site, qr_payload: str, buyer: str = "alice") -> str:
    """A customer pays 5.00; return the trade."""
    trade = site.alipay.pay(qr_payload, "5.00", buyer)
    await site.alipay.settle()
    return trade.trade_no


async def test_a_customer_who_is_erased_pays_again_as_a_second_one(site: Site) -> None:
    """Their new money goes back at once and in full; what they paid before they still spend, and
    nobody is told that they are two.
    """
    machine = await registered(site)
    async with a_machine(site) as stream:
        first = await pays(site, machine.qr_payload)
        session_id = (await heard(stream, "begin_session")).begin_session.session_id
        assert (await site.gateway.fleet.acts.erase_payer(first, "they asked", ANN)).erased
        second = await pays(site, machine.qr_payload)

        async def back() -> RefundView | None:
            refunds = await site.queries.refunds(limit=10)
            return next((one for one in refunds if one.status == "SUCCEEDED"), None)

        refund = await found(back)
        assert (second, 500, RefundCause.SECOND_CUSTOMER) == (
            refund.trade_id,
            refund.amount_minor,
            refund.cause,
        )
        session = await site.queries.session(session_id)
        assert session is not None
        assert ("OPEN", 500, 0) == (session.status, session.paid_minor, session.refunded_minor)
