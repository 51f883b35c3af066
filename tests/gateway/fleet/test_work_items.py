"""Every item that an administrator sees ends by a call: closed, or written off by two people. Over
a real server, real SQL, a real host.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import select

from gateway.fleet.acts import FleetActs
from gateway.fleet.answering import Parts
from gateway.fleet.services import add_services
from gateway.fleet.v1 import (
    fleet_service_pb2_grpc,
    machine_pb2,
    trade_pb2,
    trade_service_pb2,
    trade_service_pb2_grpc,
    work_item_pb2,
    work_item_service_pb2,
)
from gateway.rpc.roles import Role, RolesOf
from gateway.rpc.tls import Tls
from gateway.serving.listeners import build_admin_server
from storage.fleet.answers import Answers
from storage.fleet.closings import Closings
from storage.fleet.erasures import Erasures
from storage.fleet.sold import SoldVends
from storage.reconciliation.runs import Reconciliation
from storage.tables import audit, journal
from tests.alipay_client.wire import Pair
from tests.storage.reconciliation.differences import RUN, difference
from tests.support.certificates import Authority
from tests.support.doors import a_door
from tests.support.fleet_calls import refunded, refusal, registered, with_policy, word
from tests.support.site import POLICY, Site, a_site, found

Who = tuple[tuple[str, str], ...]
ANN, BOB = (("x-actor", "ann"),), (("x-actor", "bob"),)
TRADE = "2026011522001400000000000001"
SECOND: tuple[grpc.StatusCode, str, list[str]] = (
    grpc.StatusCode.FAILED_PRECONDITION,
    "SECOND_PERSON_NEEDED",
    [],
)
CLOSABLE = ["PAYMENT_CONFLICT", "NOTIFICATION_REFUSED", "RECONCILIATION_DIFFERENCE"]


@pytest.fixture
async def strict(tmp_path: Path, upgraded_file: Path, pair: Pair) -> AsyncIterator[Site]:
    """Give a site where more than 4.00 is written off by two people."""
    async with a_site(
        tmp_path,
        upgraded_file,
        pair,
        policy=replace(POLICY, write_off_second_person_above_minor=400),
    ) as opened:
        yield opened


async def _items(site: Site, **asked: Any) -> list[work_item_pb2.WorkItem]:
    return list(
        (
            await site.work_items.ListWorkItems(work_item_service_pb2.ListWorkItemsRequest(**asked))
        ).work_items
    )


def _close(
    site: Site, item_id: str, *, reason: str = "mended in the portal", who: Who = ANN
) -> Awaitable[Any]:
    call: Awaitable[Any] = site.work_items.CloseWorkItem(
        work_item_service_pb2.CloseWorkItemRequest(item_id=item_id, reason=reason), metadata=who
    )
    return call


def _write_off(trades: Any, refund_id: str, *, who: Who = ANN) -> Awaitable[Any]:
    call: Awaitable[Any] = trades.WriteOffRefund(
        trade_service_pb2.WriteOffRefundRequest(refund_id=refund_id, reason="paid in cash"),
        metadata=who,
    )
    return call


async def _refund(site: Site, refund_id: str) -> trade_pb2.Refund:
    refund: trade_pb2.Refund = (
        await site.trades.GetRefund(trade_service_pb2.GetRefundRequest(refund_id=refund_id))
    ).refund
    return refund


async def _acts(site: Site, action: str) -> list[tuple[str, str, str]]:
    wanted = select(audit).where(audit.c.action == action, audit.c.outcome != "REFUSED")
    wanted = wanted.order_by(audit.c.id)
    rows = await site.database.read(lambda connection: list(connection.execute(wanted)))
    return [(row.actor, row.machine_id, row.detail) for row in rows]


async def _one_of_each(site: Site) -> dict[str, work_item_pb2.WorkItem]:
    """A payment told with two amounts, one in a foreign currency, and a line of the daily file that
    differs.
    """
    machine = await site.register()
    for fields in (
        {},
        {"total_fee": "9.00"},
        {"trade_no": f"{TRADE[:-1]}2", "total_fee": "7.00", "currency": "USD"},
    ):
        await site.post(machine.notify_token, site.signed(**fields))
    await found(lambda: site.queries.trade(TRADE))
    await Reconciliation(site.database).record(RUN, [difference("t7")], now_ms=site.clock.now_ms())
    return {
        word(item, "kind"): item for item in await _items(site) if word(item, "kind") in CLOSABLE
    }


# --- closing ---


async def test_each_kind_is_told_and_closed(site: Site) -> None:
    """With its money, why it waits and the call that ends it; no host is needed, and afterwards
    none of them waits.
    """
    waiting = await _one_of_each(site)
    await site.host.stop()
    assert [
        ("PAYMENT_CONFLICT", 900, "HKD"),
        ("NOTIFICATION_REFUSED", 700, "USD"),
        ("RECONCILIATION_DIFFERENCE", 500, "HKD"),
    ] == [(kind, waiting[kind].amount.minor, waiting[kind].amount.currency) for kind in CLOSABLE]
    assert waiting["NOTIFICATION_REFUSED"].reason.startswith("foreign_currency: Alipay signed it")
    assert ("AMOUNT_DIFFERS: It differs.", "t7") == (
        (told := waiting["RECONCILIATION_DIFFERENCE"]).reason,
        told.trade_id,
    )
    assert "Look. Then CloseWorkItem with what was found out" == told.next_step
    assert all("CloseWorkItem" in item.next_step for item in waiting.values())
    for kind, item in waiting.items():
        answer = await _close(site, item.item_id)
        closing = answer.closing
        assert (
            item.item_id,
            kind,
            item.machine_id,
            "ann",
            "mended in the portal",
            True,
            False,
        ) == (
            closing.item_id,
            word(closing, "kind"),
            closing.machine_id,
            closing.actor,
            closing.reason,
            closing.HasField("closed_at"),
            answer.already_closed,
        )
        assert (
            "ann",
            item.machine_id,
            f"{item.item_id}: mended in the portal ({kind}: {item.reason})",
        ) == (await _acts(site, "CloseWorkItem"))[-1]
    assert [] == [one for item in await _items(site) if (one := word(item, "kind")) in CLOSABLE]
    metrics = (await site.http.get("/metrics")).text
    assert all(f'vendgate_work_items{{status="{kind}"}} 0.0' in metrics for kind in CLOSABLE)


async def test_closing_again_is_the_same_answer(site: Site) -> None:
    """The first closing counts, whoever comes later, and the answer says so."""
    item_id = (await _one_of_each(site))["PAYMENT_CONFLICT"].item_id
    first = await _close(site, item_id)
    again = await _close(site, item_id, who=BOB, reason="another reason")
    assert (first.closing, True) == (again.closing, again.already_closed)
    assert 1 == len(await _acts(site, "CloseWorkItem"))


async def test_closing_needs_a_name(site: Site, subtests: pytest.Subtests) -> None:
    """Who sends none is told how to."""
    item_id = (await _one_of_each(site))["PAYMENT_CONFLICT"].item_id
    for who in [(), (("x-actor", "unknown"),), (("x-actor", "  "),)]:
        with subtests.test(who=who):
            assert (
                grpc.StatusCode.INVALID_ARGUMENT,
                "INVALID_REQUEST",
                ["x-actor"],
            ) == await refusal(_close(site, item_id, who=who))
            assert item_id in {item.item_id for item in await _items(site)}


async def test_closing_needs_a_reason_and_an_item(site: Site, subtests: pytest.Subtests) -> None:
    """Both, and all that is wrong is said at once."""
    for reason in ["", " ", "x" * 501, "two\nlines"]:
        with subtests.test(reason=reason):
            wanted = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["item_id", "reason"])
            assert wanted == await refusal(_close(site, "", reason=reason))


async def test_what_does_not_wait_is_not_found(site: Site) -> None:
    """The answer says where to look."""
    assert (grpc.StatusCode.NOT_FOUND, "WORK_ITEM_NOT_FOUND", []) == await refusal(
        _close(site, "inbox:99")
    )
    with pytest.raises(grpc.aio.AioRpcError, match="ListWorkItems shows what waits"):
        await _close(site, "refund:t1R1")


async def test_money_of_ours_is_not_closed_away(site: Site) -> None:
    """A refused refund has acts of its own, and the answer names them; nothing is audited as
    closed.
    """
    refund_id = await refunded(site)
    wanted: tuple[grpc.StatusCode, str, list[str]] = (
        grpc.StatusCode.FAILED_PRECONDITION,
        "WORK_ITEM_HAS_ITS_OWN_ACT",
        [],
    )
    assert wanted == await refusal(_close(site, f"refund:{refund_id}"))
    with pytest.raises(grpc.aio.AioRpcError, match="it ends by RetryRefund or WriteOffRefund"):
        await _close(site, f"refund:{refund_id}")
    assert ([], 1) == (await _acts(site, "CloseWorkItem"), len(await _items(site)))


# --- two people ---


async def test_a_large_write_off_takes_two_people(strict: Site) -> None:
    """The first is told that another one is needed; the list says who it was; the second one ends
    it.
    """
    refund_id = await refunded(strict)
    for _ in range(2):
        assert SECOND == await refusal(_write_off(strict.trades, refund_id))
    with pytest.raises(
        grpc.aio.AioRpcError,
        match="ann is the first, which is saved; now another person must call WriteOffRefund",
    ):
        await _write_off(strict.trades, refund_id, who=(("x-actor", "ANN"),))
    (item,) = await _items(strict)
    assert item.reason.endswith("; ann proposed to write it off: paid in cash")
    assert item.next_step.startswith("WriteOffRefund by another person than ann confirms it")
    proposed = await _refund(strict, refund_id)
    assert ("REFUSED", "ann", "paid in cash", True) == (
        word(proposed, "status"),
        proposed.write_off_proposed_by,
        proposed.write_off_proposed_reason,
        proposed.HasField("write_off_proposed_at"),
    )

    written_off = (await _write_off(strict.trades, refund_id, who=BOB)).refund
    assert ("WRITTEN_OFF", "ann") == (
        word(written_off, "status"),
        written_off.write_off_proposed_by,
    )
    assert [] == await _items(strict)
    assert ["ann", "ann", "ANN", "bob"] == [
        actor for actor, _, _ in await _acts(strict, "WriteOffRefund")
    ]
    notes = await strict.database.read(
        lambda connection: list(
            connection.scalars(select(journal.c.notes).where(journal.c.kind == "RefundWrittenOff"))
        )
    )
    assert "ann proposed to write off" in notes[0]
    assert "bob wrote off" in notes[-1]


async def test_a_new_try_drops_the_proposal(strict: Site) -> None:
    """Whoever comes next is the first one again."""
    refund_id = await refunded(strict)
    await refusal(_write_off(strict.trades, refund_id))
    await strict.trades.RetryRefund(
        trade_service_pb2.RetryRefundRequest(refund_id=refund_id), metadata=BOB
    )

    async def refused_again() -> trade_pb2.Refund | None:
        refund = await _refund(strict, refund_id)
        return refund if word(refund, "status") == "REFUSED" and refund.attempt_count > 1 else None

    assert "" == (await found(refused_again)).write_off_proposed_by
    assert SECOND == await refusal(_write_off(strict.trades, refund_id, who=BOB))
    assert "bob" == (await _refund(strict, refund_id)).write_off_proposed_by


async def test_a_machine_s_own_limit_counts(strict: Site) -> None:
    """Where two people let it allow more than the fleet's, one person suffices."""
    refund_id = await refunded(strict)
    more = with_policy("VM-1", machine_pb2.Policy(write_off_second_person_above_minor=500))
    authority = Authority("administrators")
    async with _fleet(strict, authority, "ann") as ann:
        assert SECOND == await refusal(ann.UpdateMachine(more))
        assert SECOND == await refusal(ann.UpdateMachine(more, metadata=BOB))
    assert SECOND == await refusal(_write_off(strict.trades, refund_id))
    async with _fleet(strict, authority, "bob") as bob:
        await bob.UpdateMachine(more)
    assert "WRITTEN_OFF" == word((await _write_off(strict.trades, refund_id)).refund, "status")


async def test_two_names_over_one_certificate_are_one_person(strict: Site) -> None:
    """Only what is proven makes another one; the list tells the claim and the proof."""
    refund_id = await refunded(strict)
    authority = Authority("administrators")
    async with _proven(strict, authority, "ann") as ann:
        assert SECOND == await refusal(_write_off(ann, refund_id))
        assert SECOND == await refusal(_write_off(ann, refund_id, who=BOB))
        assert (
            "ann (certificate spiffe://vendgate.test/admin/ann)"
            == (await _refund(strict, refund_id)).write_off_proposed_by
        )
    async with _proven(strict, authority, "bob") as bob:
        assert "WRITTEN_OFF" == word((await _write_off(bob, refund_id)).refund, "status")


@asynccontextmanager
async def _proven(site: Site, authority: Authority, name: str) -> AsyncIterator[Any]:
    """Call what is about payments with a certificate of this name."""
    async with _certified(site, authority, name) as channel:
        yield trade_service_pb2_grpc.TradeServiceStub(channel)


@asynccontextmanager
async def _fleet(site: Site, authority: Authority, name: str) -> AsyncIterator[Any]:
    """Call what is about machines with a certificate of this name."""
    async with _certified(site, authority, name) as channel:
        yield fleet_service_pb2_grpc.FleetServiceStub(channel)


@asynccontextmanager
async def _certified(site: Site, authority: Authority, name: str) -> AsyncIterator[Any]:
    """Call the site's own acts through an administrators' listener with TLS, with a certificate of
    this name.
    """
    server, client = authority.server(), authority.client(f"spiffe://vendgate.test/admin/{name}")
    acts = FleetActs(
        registry=site.registry,
        queries=site.queries,
        answers=Answers(site.database),
        closings=Closings(site.database),
        erasures=Erasures(site.database),
        sold=SoldVends(site.database),
        store=site.store,
        commands=site.links,
        clock=site.clock,
    )
    parts = Parts(
        acts=acts,
        queries=site.queries,
        metrics=site.metrics,
        stopping=site.stopping,
        hosts=site.gateway.fleet.hosts,
    )
    tls = Tls(
        certificate=server.certificate,
        private_key=server.private_key,
        client_ca=authority.certificate,
    )
    async with AsyncExitStack() as stack:
        owners = RolesOf(names={f"spiffe://vendgate.test/admin/{name}": frozenset({Role.OWNER})})
        listener = build_admin_server(
            lambda to: add_services(parts, to),
            door=a_door(site, owners),
            address="127.0.0.1:0",
            tls=tls,
        )
        await listener.start()
        stack.push_async_callback(listener.stop, grace_s=0)
        credentials = grpc.ssl_channel_credentials(
            authority.certificate, client.private_key, client.certificate
        )
        channel = await stack.enter_async_context(
            grpc.aio.secure_channel(f"localhost:{listener.port}", credentials)
        )
        yield channel


async def test_the_fleet_s_limit_is_off_by_default(site: Site) -> None:
    """One person writes off a refund of any size, as before."""
    await registered(site, "VM-2")
    refund_id = await refunded(site)
    assert "WRITTEN_OFF" == word((await _write_off(site.trades, refund_id)).refund, "status")
