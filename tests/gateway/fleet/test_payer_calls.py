"""ErasePayer over a real server: asked as every change is, written down, answered again."""

from typing import Any

import grpc
from sqlalchemy import select

from gateway.fleet.v1 import trade_service_pb2 as wire
from storage.tables import audit, payers
from tests.support.fleet_calls import refusal
from tests.support.site import Site, found

Refusal = tuple[grpc.StatusCode, str, list[str]]
ANN = (("x-actor", "ann"),)
TRADE = "2026011522001400000000000001"


async def paid(site: Site) -> None:
    """A customer whom Alipay names has paid, and their machine has decided on it."""
    machine = await site.register()
    assert (200, "success") == await site.post(machine.notify_token, site.signed())
    await found(lambda: site.queries.trade(TRADE))


async def known(site: Site) -> int:
    """How many payers lead to a buyer."""
    return len(
        await site.database.read(lambda connection: connection.execute(select(payers)).all())
    )


async def erase(site: Site, trade_id: str = TRADE, **more: Any) -> bool:
    """Ask for it, and return whether somebody was erased."""
    request = wire.ErasePayerRequest(trade_id=trade_id, reason="they asked", **more)
    answer: wire.ErasePayerResponse = await site.trades.ErasePayer(request, metadata=ANN)
    return answer.erased


async def test_a_payer_is_erased_once(site: Site) -> None:
    """It can be looked at first; under its id the first answer comes again."""
    await paid(site)
    assert await erase(site, validate_only=True)
    assert 1 == await known(site)
    assert [True, True, False] == [
        await erase(site, request_id="r-1"),
        await erase(site, request_id="r-1"),
        await erase(site, request_id="r-2"),
    ]
    assert 0 == await known(site)


async def test_the_audit_log_says_who_and_which_trade(site: Site) -> None:
    """And, of what was refused, why."""
    await paid(site)
    not_there: Refusal = (grpc.StatusCode.NOT_FOUND, "TRADE_NOT_FOUND", [])
    assert not_there == await refusal(erase(site, "2026"))
    await erase(site)
    chosen = (
        select(*audit.c["actor", "claimed", "machine_id", "outcome", "detail"])
        .where(audit.c.action == "ErasePayer")
        .order_by(audit.c.id)
    )
    refused, done = await site.database.read(lambda connection: connection.execute(chosen).all())
    assert ("ann", "ann", "", "REFUSED") == tuple(refused)[:4]
    assert "TRADE_NOT_FOUND" in refused.detail
    assert ("ann", "ann", "VM-1", "DONE", f"payer of trade {TRADE}: they asked") == tuple(done)


async def test_nobody_without_a_name_erases(site: Site) -> None:
    """It is for ever."""
    await paid(site)
    request = wire.ErasePayerRequest(trade_id=TRADE, reason="they asked")
    nameless: Refusal = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["x-actor"])
    assert nameless == await refusal(site.trades.ErasePayer(request))
    assert 1 == await known(site)
