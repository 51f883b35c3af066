"""A machine that is halted, as an operator meets it: over a real server, real SQL, a real host and
a real stream.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from typing import Any

import grpc
import grpc.aio
import pytest
from sqlalchemy import select

from gateway.fleet.v1 import (
    fleet_service_pb2,
    machine_pb2,
    session_service_pb2,
    trade_service_pb2,
    work_item_pb2,
    work_item_service_pb2,
)
from storage.tables import audit
from tests.support.fleet_calls import refusal, registered, word
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site, found
from tests.support.site_machine import a_machine, approved

ANN = (("x-actor", "ann"),)
REFUSE = (
    "CREATE TRIGGER refuse BEFORE INSERT ON journal WHEN NEW.machine_id = 'VM-1'"
    " BEGIN SELECT RAISE(ABORT, 'a row that no program understands'); END"
)
ALLOW = "DROP TRIGGER refuse"


def _sql(site: Site, statement: str) -> None:
    """What a defect, or its repair, does to the database."""
    with closing(sqlite3.connect(site.path, isolation_level=None, timeout=5)) as other:
        other.execute(statement)


def _reload(
    site: Site,
    machine_id: str = "VM-1",
    *,
    reason: str = "the row is mended",
    who: tuple[tuple[str, str], ...] = ANN,
) -> Awaitable[Any]:
    call: Awaitable[Any] = site.fleet.ReloadMachine(
        fleet_service_pb2.ReloadMachineRequest(machine_id=machine_id, reason=reason), metadata=who
    )
    return call


async def _machine(site: Site) -> machine_pb2.Machine:
    response: fleet_service_pb2.GetMachineResponse = await site.fleet.GetMachine(
        fleet_service_pb2.GetMachineRequest(machine_id="VM-1")
    )
    return response.machine


async def _items(site: Site) -> list[work_item_pb2.WorkItem]:
    request = work_item_service_pb2.ListWorkItemsRequest(
        kinds=[work_item_pb2.WORK_ITEM_KIND_MACHINE_HALTED]
    )
    return list((await site.work_items.ListWorkItems(request)).work_items)


async def _halted(site: Site) -> machine_pb2.Machine:
    """Let the database refuse what a payment leads to, and return the machine once its halt is
    seen.
    """
    machine = await registered(site)
    _sql(site, REFUSE)
    site.alipay.pay(machine.qr_payload, "5.00")
    await site.alipay.settle()

    async def look() -> machine_pb2.Machine | None:
        seen = await _machine(site)
        return seen if seen.HasField("halted") else None

    return await found(look)


async def test_a_halt_is_seen_and_ended(site: Site) -> None:
    """In the machine, the work list and the metrics; a reload takes up the payment that waited, and
    all of it is gone.
    """
    machine = await _halted(site)
    assert ("TopUpPaid", True) == (machine.halted.fact, machine.halted.HasField("since"))
    assert "a row that no program understands" in machine.halted.error
    (listed,) = (await site.fleet.ListMachines(fleet_service_pb2.ListMachinesRequest())).machines
    assert machine.halted == listed.halted
    (item,) = await _items(site)
    assert ("machine:VM-1", "VM-1", f"TopUpPaid: {machine.halted.error}") == (
        item.item_id,
        item.machine_id,
        item.reason,
    )
    assert "ReloadMachine" in item.next_step
    assert (
        'vendgate_work_items{status="MACHINE_HALTED"} 1.0' in (await site.http.get("/metrics")).text
    )

    _sql(site, ALLOW)
    after = (await _reload(site)).machine
    assert not after.HasField("halted")
    assert [] == await _items(site)
    assert (
        'vendgate_work_items{status="MACHINE_HALTED"} 0.0' in (await site.http.get("/metrics")).text
    )
    (trade,) = (await site.trades.ListTrades(trade_service_pb2.ListTradesRequest())).trades
    assert 500 == trade.paid.minor


async def test_a_machine_that_halts_again_is_refused_with_the_error(site: Site) -> None:
    """Nothing is lost by trying; each try is in the audit log with its name and reason."""
    await _halted(site)
    assert (grpc.StatusCode.FAILED_PRECONDITION, "MACHINE_HALTED_AGAIN", []) == await refusal(
        _reload(site, reason="restarted SQL")
    )
    with pytest.raises(
        grpc.aio.AioRpcError, match=r"halted again: Conflict: .*a row that no program understands"
    ):
        await _reload(site)
    assert 1 == len(await _items(site))
    _sql(site, ALLOW)
    await _reload(site)
    wanted = select(audit).where(audit.c.action == "ReloadMachine", audit.c.outcome == "ORDERED")
    wanted = wanted.order_by(audit.c.id)
    rows = await site.database.read(lambda connection: connection.execute(wanted).all())
    assert [
        ("ann", "VM-1", "restarted SQL"),
        ("ann", "VM-1", "the row is mended"),
        ("ann", "VM-1", "the row is mended"),
    ] == [(row.actor, row.machine_id, row.detail) for row in rows]


async def test_a_state_that_cannot_be_read_is_shown_as_halted(site: Site) -> None:
    """The list goes on working; once the state makes sense again, so does the machine."""
    await registered(site)
    _sql(site, "UPDATE machine_states SET format = format + 98")
    assert (grpc.StatusCode.FAILED_PRECONDITION, "MACHINE_HALTED_AGAIN", []) == await refusal(
        _reload(site)
    )

    async def look() -> bool | None:
        return (await _machine(site)).HasField("halted") or None

    await found(look)
    halted = (await _machine(site)).halted
    assert "" == halted.fact
    assert "run a newer version" in halted.error
    _sql(site, "UPDATE machine_states SET format = format - 98")
    machine = (await _reload(site)).machine
    assert not machine.HasField("halted")
    assert "CODE_STATUS_ACTIVE" == machine_pb2.CodeStatus.Name(machine.code_status)


async def test_other_calls_say_what_to_do(site: Site) -> None:
    """An act on a halted machine is refused, and the refusal names the way out."""
    await _halted(site)
    call = fleet_service_pb2.SetStockRequest(machine_id="VM-1", column="A1", stock=1)
    with pytest.raises(grpc.aio.AioRpcError, match="ReloadMachine"):
        await site.fleet.SetStock(call)
    assert (grpc.StatusCode.FAILED_PRECONDITION, "HALTED", []) == await refusal(
        site.fleet.SetStock(call)
    )
    _sql(site, ALLOW)
    await _reload(site)


async def test_a_reload_in_the_middle_of_a_vend_is_not_noticed(site: Site) -> None:
    """The machine keeps its stream, and its result is taken as if nothing had been."""
    machine = await registered(site)
    async with a_machine(site) as stream:
        vend_id = await approved(site, stream, machine.qr_payload)
        after = (await _reload(site, reason="a drill")).machine
        assert (True, "PHASE_VEND_APPROVED") == (after.online, machine_pb2.Phase.Name(after.phase))
        await stream.say(2, vend_success={"vend_id": vend_id})
        async with asyncio.timeout(HANGS_AFTER_S):
            while (await stream.hear()).ack < 2:
                pass
        vend = (
            await site.sessions.GetVend(session_service_pb2.GetVendRequest(vend_id=vend_id))
        ).vend
        assert "SUCCEEDED" == word(vend, "status")


async def test_a_halt_ends_the_stream_and_a_reload_lets_it_come_back(site: Site) -> None:
    """The machine is refused while it is halted, and welcome afterwards."""
    machine = await registered(site)
    async with a_machine(site) as stream:
        _sql(site, REFUSE)
        site.alipay.pay(machine.qr_payload, "5.00")
        await site.alipay.settle()
        code, _ = await stream.end()
        assert grpc.StatusCode.FAILED_PRECONDITION == code
    _sql(site, ALLOW)
    await _reload(site)
    async with a_machine(site):
        after = await _machine(site)
        assert (True, 500, False) == (after.online, after.funds.minor, after.HasField("halted"))


async def test_a_reload_needs_a_name_a_reason_and_a_machine(site: Site) -> None:
    """Each is asked for by its field; a machine that nobody registered is not found."""
    await registered(site)
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["x-actor"]) == await refusal(
        _reload(site, who=())
    )
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["reason"]) == await refusal(
        _reload(site, reason=" ")
    )
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["machine_id"]) == await refusal(
        _reload(site, "a b")
    )
    assert (grpc.StatusCode.NOT_FOUND, "MACHINE_NOT_FOUND", []) == await refusal(
        _reload(site, "VM-404")
    )


async def test_goods_of_a_machine_whose_state_cannot_be_read_stay(site: Site) -> None:
    """Nobody knows what its host has heard of: nothing is done, and the caller hears why."""
    await registered(site)
    tea = machine_pb2.Column(column="A1", product="tea", price_minor=500, capacity=9)
    swap = fleet_service_pb2.SetPlanogramRequest(
        machine_id="VM-1", columns=[tea], goods_may_be_removed=True
    )
    _sql(site, "CREATE TABLE kept AS SELECT body FROM machine_states")
    _sql(site, "UPDATE machine_states SET body = '?'")
    code, reason, _ = await refusal(site.fleet.SetPlanogram(swap))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "HALTED") == (code, reason)
    _sql(site, "UPDATE machine_states SET body = (SELECT body FROM kept)")
    _sql(site, "DROP TABLE kept")
    (gone,) = (await site.fleet.SetPlanogram(swap)).removed
    assert ("cola", 4) == (gone.product, gone.quantity)
