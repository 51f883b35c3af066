"""An administrator gives the price of sold goods back: through the real host, store and audit."""

from dataclasses import replace

import grpc
import pytest
from sqlalchemy import delete, func, select

from actors.machine import values
from actors.machine.ids import VendId
from actors.machine.state import RefundStatus
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.money_acts import MoneyActs
from gateway.fleet.v1 import session_service_pb2
from storage.auditing import prove
from storage.auditing.starts import Start, write_starts
from storage.fleet.answers import Answers
from storage.fleet.closings import Closings
from storage.fleet.sold import Sold, SoldVends
from storage.tables import journal, starts
from tests.alipay_client.wire import PARTNER
from tests.support.edge import MachineCall
from tests.support.fleet_calls import registered
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site, found
from tests.support.site_machine import a_machine, approved

ANN = Act(actor="ann", person="ann", within_s=HANGS_AFTER_S)


def acts_of(site: Site) -> MoneyActs:
    """The acts on money, over the site's own host."""
    return MoneyActs(
        registry=site.registry,
        queries=site.queries,
        answers=Answers(site.database),
        closings=Closings(site.database),
        sold=SoldVends(site.database),
        store=site.store,
        commands=site.links,
        clock=site.clock,
        command_timeout_s=HANGS_AFTER_S,
    )


async def sold(site: Site, stream: MachineCall, qr_payload: str) -> str:
    """Sell one for 5.00 and return the vend, which is saved as sold."""
    vend_id = await approved(site, stream, qr_payload)
    await stream.say(2, vend_success={"vend_id": vend_id})

    async def saved() -> bool | None:
        view = await site.queries.vend(vend_id)
        return (view is not None and view.status == "SUCCEEDED") or None

    await found(saved)
    return vend_id


async def refused(site: Site, vend_id: str, act: Act = ANN) -> tuple[grpc.StatusCode, str]:
    """Return why the refund of a vend is refused."""
    with pytest.raises(CallRefused) as no:
        await acts_of(site).refund_vend(vend_id, "stale", act)
    return no.value.refusal.code, no.value.refusal.reason


async def test_the_price_of_a_sold_vend_goes_back_once(site: Site) -> None:
    """Alipay is asked for it, the second call is refused, and every invariant holds."""
    machine = await registered(site)
    async with a_machine(site) as stream:
        vend_id = await sold(site, stream, machine.qr_payload)
        vend, (refund_id,) = await acts_of(site).refund_vend(vend_id, "stale crisps", ANN)
        assert "SUCCEEDED" == vend.status

        async def back() -> bool | None:
            view = await site.queries.refund(refund_id)
            return (view is not None and view.status == RefundStatus.SUCCEEDED) or None

        await found(back)
        assert (grpc.StatusCode.FAILED_PRECONDITION, "VEND_REFUNDED") == await refused(
            site, vend_id
        )
    (balance,) = await site.queries.balances()
    assert (500, 0, 500) == (
        balance.money_in_minor,
        balance.money_sold_minor,
        balance.money_refunded_minor,
    )
    proof = await prove(site.database, now_ms=site.clock.now_ms(), own_ids={PARTNER})
    assert () == proof.sentences


async def test_what_was_not_sold_is_not_given_back(site: Site) -> None:
    """An approved vend is still the machine's to end."""
    machine = await registered(site)
    async with a_machine(site) as stream:
        vend_id = await approved(site, stream, machine.qr_payload)
        assert (grpc.StatusCode.FAILED_PRECONDITION, "VEND_NOT_SOLD") == await refused(
            site, vend_id
        )
    assert grpc.StatusCode.NOT_FOUND == (await refused(site, "VM-1-v9"))[0]


async def test_what_is_archived_is_not_given_back_here(site: Site) -> None:
    """Whoever asks a year later is told where the money must be given back."""
    machine = await registered(site)
    async with a_machine(site) as stream:
        vend_id = await sold(site, stream, machine.qr_payload)
        start = Start(
            machine_id="VM-1",
            version=1,
            digest="",
            at_ms=site.clock.now_ms(),
            from_day=0,
            balances={},
            link="{}",
        )
        await site.database.write(lambda connection: write_starts(connection, [start]))
        assert (grpc.StatusCode.FAILED_PRECONDITION, "VEND_ARCHIVED") == await refused(
            site, vend_id
        )
        # The site ends with an audit, and nothing was archived really.
        await site.database.write(lambda connection: connection.execute(delete(starts)))


async def test_a_rehearsal_gives_nothing_back(site: Site) -> None:
    """It is checked as the act is, and nothing is asked for."""
    machine = await registered(site)
    async with a_machine(site) as stream:
        vend_id = await sold(site, stream, machine.qr_payload)
        rehearsal = replace(ANN, validate_only=True)
        _, refund_ids = await acts_of(site).refund_vend(vend_id, "stale", rehearsal)
        assert ([], []) == (refund_ids, await site.queries.refunds(limit=10))


async def test_the_call_answers_the_same_under_its_id(site: Site) -> None:
    """The refunds' ids come back, and the repeated request asks for nothing more."""
    machine = await registered(site)
    async with a_machine(site) as stream:
        vend_id = await sold(site, stream, machine.qr_payload)
        request = session_service_pb2.RefundVendRequest(
            vend_id=vend_id, reason="stale", request_id="r-1"
        )
        metadata = (("x-actor", "ann"),)
        first = await site.sessions.RefundVend(request, metadata=metadata)
        again = await site.sessions.RefundVend(request, metadata=metadata)
    assert first == again
    (refund_id,) = first.refund_ids
    assert [refund_id] == [one.refund_id for one in await site.queries.refunds(limit=10)]


async def test_an_actor_that_says_no_is_not_asked_again(site: Site) -> None:
    """It believed what it was told, and it did not fit: one line in its journal, and no money."""

    class TooMuch(SoldVends):
        async def find(self, vend_id: VendId) -> Sold | None:
            found = await super().find(vend_id)
            assert found is not None
            parts = tuple(values.replace(part, amount_minor=9_999) for part in found.parts)
            return replace(found, parts=parts)

    machine = await registered(site)
    async with a_machine(site) as stream:
        vend_id = await sold(site, stream, machine.qr_payload)
        acts = replace(acts_of(site), sold=TooMuch(site.database))
        with pytest.raises(CallRefused, match="more than it sold") as no:
            await acts.refund_vend(vend_id, "stale", ANN)
    assert "VEND_NOT_REFUNDED" == no.value.refusal.reason
    asked = select(func.count()).select_from(journal).where(journal.c.kind == "VendRefundAsked")
    assert 1 == await site.database.read(lambda connection: connection.scalar(asked))
    assert [] == await site.queries.refunds(limit=10)
