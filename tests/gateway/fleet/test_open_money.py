"""Open money to its end, over a real server, real SQL, a real host and the pretend Alipay: refunds,
write-offs, vends in review.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import select

from actors.link import AdminEvent, CommandDone, Reload
from actors.machine.ids import MachineId
from actors.machine.policy import Policy
from gateway.fleet.acts import Act, FleetActs
from gateway.fleet.errors import CallRefused
from gateway.fleet.v1 import (
    session_service_pb2,
    trade_pb2,
    trade_service_pb2,
    work_item_pb2,
    work_item_service_pb2,
)
from gateway.process.clock import SystemClock
from storage.fleet.answers import Answers
from storage.fleet.closings import Closings
from storage.fleet.erasures import Erasures
from storage.fleet.sold import SoldVends
from storage.tables import audit, transfers
from tests.alipay_client.wire import Pair
from tests.support.fleet_calls import refunded, refusal, registered, word
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import POLICY, Site, SiteClock, a_site, found
from tests.support.site_machine import a_machine, approved

ANN = (("x-actor", "ann"),)
REFUND = "alipay.acquire.overseas.spot.refund"
NEW_YEAR_MS = 1_767_196_800_000
"""Midnight in Hangzhou, the first of January 2026."""
OpenSite = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def open_site(tmp_path: Path, upgraded_file: Path, pair: Pair) -> OpenSite:
    """Give the way to open a site with a policy or a clock of the test's own."""
    return partial(a_site, tmp_path, upgraded_file, pair)


async def _refund(site: Site, status: str) -> trade_pb2.Refund:
    """Return the refund once it has this status."""

    async def look() -> trade_pb2.Refund | None:
        refunds = await site.trades.ListRefunds(
            trade_service_pb2.ListRefundsRequest(
                statuses=[trade_pb2.RefundStatus.Value(f"REFUND_STATUS_{status}")]
            )
        )
        return next(iter(refunds.refunds), None)

    return await found(look)


async def _balance(site: Site) -> trade_pb2.Balance:
    """Return all money, which adds up."""
    (balance,) = (await site.trades.GetBalances(trade_service_pb2.GetBalancesRequest())).balances
    spoken_for = (
        balance.money_sold_minor
        + balance.money_refunded_minor
        + balance.money_held_minor
        + balance.refunds_open_minor
        + balance.refunds_written_off_minor
    )
    assert balance.money_in_minor == spoken_for - balance.goods_written_off_minor
    assert balance.ledger_balanced
    return balance  # type: ignore[no-any-return]


async def _items(site: Site, **asked: Any) -> list[work_item_pb2.WorkItem]:
    return list(
        (
            await site.work_items.ListWorkItems(work_item_service_pb2.ListWorkItemsRequest(**asked))
        ).work_items
    )


async def _vend_is(site: Site, vend_id: str, status: str) -> None:
    async def look() -> bool | None:
        vend = await site.queries.vend(vend_id)
        return (vend is not None and vend.status == status) or None

    await found(look)


def _refunds_asked(site: Site) -> list[dict[str, str]]:
    return [call for call in site.asked if call["service"] == REFUND]


async def _acts(site: Site) -> list[tuple[str, str, str]]:
    rows = await site.database.read(
        lambda connection: list(
            connection.execute(
                select(audit).where(audit.c.outcome != "REFUSED").order_by(audit.c.id)
            )
        )
    )
    return [(row.action, row.actor, row.detail) for row in rows]


def _write_off(
    site: Site,
    refund_id: str,
    *,
    reason: str = "paid in cash",
    who: tuple[tuple[str, str], ...] = ANN,
) -> Awaitable[Any]:
    call: Awaitable[Any] = site.trades.WriteOffRefund(
        trade_service_pb2.WriteOffRefundRequest(refund_id=refund_id, reason=reason), metadata=who
    )
    return call


def _settle(
    site: Site,
    vend_id: str,
    *,
    delivered: bool,
    reason: str = "seen on the camera",
    who: tuple[tuple[str, str], ...] = ANN,
) -> Awaitable[Any]:
    outcome = (
        session_service_pb2.VEND_OUTCOME_DELIVERED
        if delivered
        else session_service_pb2.VEND_OUTCOME_NOT_DELIVERED
    )
    call: Awaitable[Any] = site.sessions.SettleVend(
        session_service_pb2.SettleVendRequest(vend_id=vend_id, outcome=outcome, reason=reason),
        metadata=who,
    )
    return call


# --- short of funds ---


async def test_a_refund_short_of_funds_is_left_to_alipay_and_closed_by_its_word(
    open_site: OpenSite,
) -> None:
    """Twice at once, then asynchronously, always under the same id; the notification closes it, and
    closes it once.
    """
    # the third try is the asynchronous one: nobody asks after it for an hour, so that only a
    # notification can close it
    policy = Policy(
        unavailable_grace_ms=1, short_of_funds_retry_ms=20, refund_retry_ms=(10, 10, 3_600_000)
    )
    async with open_site(policy=policy) as site:
        site.alipay.switch({"short_of_funds": True, "async_refund_ms": 0})
        machine = await registered(site)
        trade = site.alipay.pay(machine.qr_payload, "5.00")
        await site.alipay.settle()
        waiting = await _refund(site, "ACCEPTED")
        assert 3 == waiting.attempt_count
        assert (500, 0) == (
            (balance := await _balance(site)).refunds_open_minor,
            balance.money_refunded_minor,
        )
        asked = _refunds_asked(site)
        assert [(waiting.refund_id, "Y"), (waiting.refund_id, "Y"), (waiting.refund_id, "N")] == [
            (call["partner_refund_id"], call["is_sync"]) for call in asked
        ]
        assert [False, False, True] == ["notify_url" in call for call in asked]

        site.alipay.switch({"short_of_funds": False})
        await site.alipay.settle()
        done = await _refund(site, "SUCCEEDED")
        assert (waiting.refund_id, 3) == (done.refund_id, done.attempt_count)
        assert site.alipay.courier.redeliver(trade.trade_no)
        await site.alipay.settle()
        assert 1.0 == site.counted("duplicate", "refunded")
        assert (0, 500) == (
            (balance := await _balance(site)).refunds_open_minor,
            balance.money_refunded_minor,
        )
        (kept,) = (await site.alipay.book())["trades"]
        assert [(waiting.refund_id, "SUCCEEDED")] == [
            (one["refund_id"], one["state"]) for one in kept["refunds"]
        ]
        assert 3 == len(_refunds_asked(site))


# --- refused, and written off ---


async def test_a_refused_refund_is_a_work_item_until_it_is_written_off(site: Site) -> None:
    """With a name and a reason: audited, told in the ledger, and of no account any more."""
    refund_id = await refunded(site)
    (item,) = await _items(site)
    assert (f"refund:{refund_id}", "REFUND_REFUSED", "VM-1", refund_id, "", 500, "HKD") == (
        item.item_id,
        word(item, "kind"),
        item.machine_id,
        item.refund_id,
        item.vend_id,
        item.amount.minor,
        item.amount.currency,
    )
    assert "TRADE_HAS_CLOSE" in item.reason
    assert "WriteOffRefund" in item.next_step
    assert (
        'vendgate_work_items{status="REFUND_REFUSED"} 1.0' in (await site.http.get("/metrics")).text
    )

    written_off = (await _write_off(site, refund_id)).refund
    assert ("WRITTEN_OFF", 500, True) == (
        word(written_off, "status"),
        written_off.amount.minor,
        written_off.HasField("ended_at"),
    )
    assert [] == await _items(site)
    assert (
        'vendgate_work_items{status="REFUND_REFUSED"} 0.0' in (await site.http.get("/metrics")).text
    )
    said = f"refund {refund_id}, REFUSED -> WRITTEN_OFF: paid in cash"
    assert ("WriteOffRefund", "ann", said) == (await _acts(site))[-1]
    trade = (
        await site.trades.GetTrade(trade_service_pb2.GetTradeRequest(trade_id=item.trade_id))
    ).trade
    assert (500, 0, 0, 500, "CLOSED") == (
        trade.paid.minor,
        trade.refunded.minor,
        trade.held.minor,
        trade.written_off.minor,
        word(trade, "status"),
    )
    balance = await _balance(site)
    assert (500, 0, 500) == (
        balance.money_in_minor,
        balance.refunds_open_minor,
        balance.refunds_written_off_minor,
    )


async def test_what_was_written_off_is_over(site: Site) -> None:
    """It is neither tried nor written off again, and is not open; its status can be asked for."""
    refund_id = await refunded(site)
    await _write_off(site, refund_id)
    over: tuple[grpc.StatusCode, str, list[str]] = (
        grpc.StatusCode.FAILED_PRECONDITION,
        "REFUND_WRITTEN_OFF",
        [],
    )
    assert over == await refusal(
        site.trades.RetryRefund(trade_service_pb2.RetryRefundRequest(refund_id=refund_id))
    )
    assert over == await refusal(_write_off(site, refund_id))
    assert [] == list(
        (await site.trades.ListRefunds(trade_service_pb2.ListRefundsRequest(open=True))).refunds
    )
    assert refund_id == (await _refund(site, "WRITTEN_OFF")).refund_id
    assert 1 == len(_refunds_asked(site))
    assert 500 == (await _balance(site)).refunds_written_off_minor


async def test_giving_money_up_needs_a_name(site: Site, subtests: pytest.Subtests) -> None:
    """Who sends none is told how to, and nothing is done."""
    refund_id = await refunded(site)
    nameless = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["x-actor"])
    for who in [(), (("x-actor", "unknown"),), (("x-actor", "  "),)]:
        with subtests.test(who=who):
            assert nameless == await refusal(_write_off(site, refund_id, who=who))
            assert nameless == await refusal(_settle(site, "VM-1-v1", delivered=True, who=who))
            with pytest.raises(grpc.aio.AioRpcError, match="-H 'x-actor: name'"):
                await _write_off(site, refund_id, who=who)
            assert "REFUSED" == (await found(lambda: site.queries.refund(refund_id))).status
            assert "WriteOffRefund" not in [action for action, _, _ in await _acts(site)]


async def test_giving_money_up_needs_a_reason(site: Site, subtests: pytest.Subtests) -> None:
    """One that can be read in the journal."""
    for reason in ["", " ", "x" * 501, "two\nlines"]:
        with subtests.test(reason=reason):
            wanted = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["reason"])
            assert wanted == await refusal(_write_off(site, "t1R1", reason=reason))
            assert wanted == await refusal(_settle(site, "VM-1-v1", delivered=False, reason=reason))


async def test_only_what_is_there_can_be_given_up(site: Site) -> None:
    """An id that nobody knows is not found."""
    assert (grpc.StatusCode.NOT_FOUND, "REFUND_NOT_FOUND", []) == await refusal(
        _write_off(site, "t1R1")
    )
    assert (grpc.StatusCode.NOT_FOUND, "VEND_NOT_FOUND", []) == await refusal(
        _settle(site, "VM-1-v1", delivered=True)
    )


async def test_a_refund_that_may_still_succeed_is_not_written_off(open_site: OpenSite) -> None:
    """While Alipay's answer is unknown the money may be back already; after it succeeded, nothing
    is left to write off.
    """
    async with open_site(
        policy=Policy(unavailable_grace_ms=1, refund_retry_ms=(3_600_000,))
    ) as site:
        machine = await registered(site)
        site.alipay.plan("no_answer_done")
        site.alipay.pay(machine.qr_payload, "5.00")
        await site.alipay.settle()
        refund_id = (await _refund(site, "UNKNOWN")).refund_id
        assert (grpc.StatusCode.FAILED_PRECONDITION, "REFUND_NOT_REFUSED", []) == await refusal(
            _write_off(site, refund_id)
        )
        await site.trades.RetryRefund(trade_service_pb2.RetryRefundRequest(refund_id=refund_id))
        await _refund(site, "SUCCEEDED")
        assert (grpc.StatusCode.FAILED_PRECONDITION, "REFUND_SUCCEEDED", []) == await refusal(
            _write_off(site, refund_id)
        )
        assert (500, 0) == (
            (balance := await _balance(site)).money_refunded_minor,
            balance.refunds_written_off_minor,
        )


async def test_a_person_has_alipay_asked(open_site: OpenSite) -> None:
    """Nothing is sent; what Alipay answers is what the refund is then."""
    async with open_site(
        policy=Policy(unavailable_grace_ms=1, refund_retry_ms=(3_600_000,))
    ) as site:
        machine = await registered(site)
        site.alipay.plan("no_answer_done")
        site.alipay.pay(machine.qr_payload, "5.00")
        await site.alipay.settle()
        refund_id = (await _refund(site, "UNKNOWN")).refund_id
        await site.trades.QueryRefund(
            trade_service_pb2.QueryRefundRequest(refund_id=refund_id, reason="customer called")
        )
        await _refund(site, "SUCCEEDED")
        assert ["alipay.acquire.refund.query"] == [
            call["service"] for call in site.asked if "out_return_no" in call
        ]
        assert 1 == len(_refunds_asked(site))
        assert ("QueryRefund", f"refund {refund_id}, UNKNOWN: customer called") == (
            (action := (await _acts(site))[-1])[0],
            action[2],
        )
        again = site.trades.QueryRefund(trade_service_pb2.QueryRefundRequest(refund_id=refund_id))
        assert (grpc.StatusCode.FAILED_PRECONDITION, "REFUND_SUCCEEDED", []) == await refusal(again)


async def test_a_refused_refund_that_is_asked_about_stays_a_person_s(site: Site) -> None:
    """Alipay never heard of it, which is noted; it is neither sent nor given up."""
    refund_id = await refunded(site)
    sent = len(_refunds_asked(site))
    await site.trades.QueryRefund(trade_service_pb2.QueryRefundRequest(refund_id=refund_id))

    async def asked() -> bool | None:
        questions = [call for call in site.asked if "out_return_no" in call]
        return len(questions) == 2 or None  # the first one came before it was a person's

    await found(asked)
    assert "REFUSED" == (await found(lambda: site.queries.refund(refund_id))).status
    assert sent == len(_refunds_asked(site))


class _Deaf:
    """Actors that decide on nothing, as if something had come in between."""

    async def command(
        self, machine_id: MachineId, event: AdminEvent | Reload, *, timeout_s: float
    ) -> CommandDone:
        """Say why."""
        return CommandDone(command_id="c1", notes=("refund t1R1 is DUE, not REFUSED",))


async def test_the_actor_has_the_last_word(site: Site) -> None:
    """What came in between is told in the actor's own words."""
    refund_id = await refunded(site)
    acts = FleetActs(
        registry=site.registry,
        queries=site.queries,
        answers=Answers(site.database),
        closings=Closings(site.database),
        erasures=Erasures(site.database),
        sold=SoldVends(site.database),
        store=site.store,
        commands=_Deaf(),
        clock=SystemClock(),
    )
    with pytest.raises(CallRefused, match="is DUE, not REFUSED") as refused:
        await acts.write_off_refund(
            refund_id, "paid in cash", Act(actor="ann", within_s=HANGS_AFTER_S)
        )
    assert (grpc.StatusCode.FAILED_PRECONDITION, "REFUND_NOT_WRITTEN_OFF") == (
        refused.value.refusal.code,
        refused.value.refusal.reason,
    )


# --- vends in doubt and in review ---


@pytest.mark.parametrize("delivered", [True, False])
async def test_a_vend_in_review_is_settled_by_a_person(
    open_site: OpenSite, *, delivered: bool
) -> None:
    """Its money waits, reserved, and becomes a sale or goes back; the name and the reason are
    kept.
    """
    policy = Policy(
        approval_valid_ms=50,
        vend_result_ms=50,
        doubt_window_ms=50,
        report_wait_ms=50,
        doubt_review_above_minor=100,
    )
    async with open_site(policy=policy) as site:
        code = (await registered(site)).qr_payload
        async with a_machine(site) as machine:
            vend_id = await approved(site, machine, code)
            await _vend_is(site, vend_id, "IN_REVIEW")
        (item,) = await _items(site, kinds=["WORK_ITEM_KIND_VEND_IN_REVIEW"])
        assert (f"vend:{vend_id}", "VM-1", vend_id, 500, "UNSETTLED") == (
            item.item_id,
            item.machine_id,
            item.vend_id,
            item.amount.minor,
            item.reason,
        )
        assert "SettleVend" in item.next_step
        assert 500 == (await _balance(site)).money_held_minor

        vend = (await _settle(site, vend_id, delivered=delivered)).vend
        assert ("SUCCEEDED" if delivered else "VOIDED", True) == (
            word(vend, "status"),
            vend.HasField("ended_at"),
        )
        assert [] == await _items(site)
        told = "delivered" if delivered else "not delivered"
        ends = "SUCCEEDED" if delivered else "VOIDED"
        said = f"vend {vend_id} {told}, IN_REVIEW -> {ends}: seen on the camera"
        assert ("SettleVend", "ann", said) == (await _acts(site))[-1]
        if not delivered:
            assert ("VEND_FAILED", 500) == (
                word(refund := await _refund(site, "SUCCEEDED"), "cause"),
                refund.amount.minor,
            )
        balance = await _balance(site)
        assert ((500, 0) if delivered else (0, 500)) == (
            balance.money_sold_minor,
            balance.money_refunded_minor,
        )
        assert (grpc.StatusCode.FAILED_PRECONDITION, "VEND_NOT_IN_DOUBT", []) == await refusal(
            _settle(site, vend_id, delivered=not delivered)
        )


@pytest.mark.parametrize("delivered", [True, False])
async def test_a_vend_in_doubt_need_not_wait_for_its_deadline(
    open_site: OpenSite, *, delivered: bool
) -> None:
    """Who stands in front of the machine may settle it at once; what was not sold is the customer's
    to spend again.
    """
    async with open_site(policy=replace(POLICY, approval_valid_ms=50, vend_result_ms=50)) as site:
        code = (await registered(site)).qr_payload
        async with a_machine(site) as machine:
            vend_id = await approved(site, machine, code)
            await _vend_is(site, vend_id, "IN_DOUBT")
            assert [] == await _items(site)
            await _settle(site, vend_id, delivered=delivered)
            balance = await _balance(site)
            assert ((500, 0) if delivered else (0, 500)) == (
                balance.money_sold_minor,
                balance.money_held_minor,
            )


async def test_a_vend_under_way_is_the_machine_s_to_report(site: Site) -> None:
    """A person does not settle what is not in doubt."""
    code = (await registered(site)).qr_payload
    async with a_machine(site) as machine:
        vend_id = await approved(site, machine, code)
        assert (grpc.StatusCode.FAILED_PRECONDITION, "VEND_NOT_IN_DOUBT", []) == await refusal(
            _settle(site, vend_id, delivered=True)
        )


# --- the list ---


async def test_work_items_are_listed_while_the_host_is_away(site: Site) -> None:
    """By kind and page, with their age by the site's clock; a token is worth nothing for another
    filter.
    """
    refund_id = await refunded(site)
    machine = await site.registry.get(MachineId("VM-1"))
    assert machine is not None
    site.clock.ahead_ms += 60_000
    await site.post(
        machine.notify_token, site.signed(gmt_payment="2026-01-15 11:59:58", total_fee="9.00")
    )
    await site.host.stop()
    site.clock.ahead_ms += 3_600_000
    refused, conflict = await _items(site)
    assert (refund_id, "PAYMENT_CONFLICT", 900) == (
        refused.refund_id,
        word(conflict, "kind"),
        conflict.amount.minor,
    )
    assert "GetTrade" in conflict.next_step
    assert 3_600 <= conflict.age_seconds < 3_660 <= refused.age_seconds < 3_720
    first = await site.work_items.ListWorkItems(
        work_item_service_pb2.ListWorkItemsRequest(page_size=1)
    )
    assert [refused.item_id] == [item.item_id for item in first.work_items]
    token = first.next_page_token
    assert [conflict.item_id] == [
        item.item_id for item in await _items(site, page_size=1, page_token=token)
    ]
    foreign = work_item_service_pb2.ListWorkItemsRequest(
        kinds=[work_item_pb2.WORK_ITEM_KIND_REFUND_REFUSED], page_token=token
    )
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["page_token"]) == await refusal(
        site.work_items.ListWorkItems(foreign)
    )
    with pytest.raises(grpc.aio.AioRpcError, match="there is no machine 'VM-2'"):
        await _items(site, machine_id="VM-2")


async def test_a_refund_that_nobody_answers_is_overdue_after_a_day(open_site: OpenSite) -> None:
    """It goes on by itself; after a day a person shall look as well."""
    async with open_site(
        policy=Policy(unavailable_grace_ms=1, refund_retry_ms=(172_800_000,))
    ) as site:
        machine = await registered(site)
        site.alipay.plan("no_answer_undone")
        site.alipay.pay(machine.qr_payload, "5.00")
        await site.alipay.settle()
        refund_id = (await _refund(site, "UNKNOWN")).refund_id
        assert [] == await _items(site)
        site.clock.ahead_ms += 86_400_000
        (item,) = await _items(site)
        assert ("REFUND_OVERDUE", refund_id) == (word(item, "kind"), item.refund_id)
        assert item.reason.startswith("UNKNOWN: ")
        assert item.age_seconds >= 86_400
        assert "RetryRefund" in item.next_step


# --- calendars and currencies ---


async def test_a_refund_crosses_midnight_in_hangzhou(open_site: OpenSite) -> None:
    """Paid in the last second of the year there, told and refunded in the next one: in time, once,
    in full.
    """
    clock = SiteClock(ahead_ms=NEW_YEAR_MS - 1_000 - SystemClock().now_ms())
    async with open_site(clock=clock, policy=replace(POLICY, unavailable_grace_ms=1)) as site:
        machine = await registered(site)
        clock.ahead_ms = NEW_YEAR_MS - 1_000 - SystemClock().now_ms()
        trade = site.alipay.pay(machine.qr_payload, "12.30")
        clock.ahead_ms += 2_000
        await site.alipay.settle()
        done = await _refund(site, "SUCCEEDED")
        assert ("20251231", "UNAVAILABLE", 1_230) == (
            trade.trade_no[:8],
            word(done, "cause"),
            done.amount.minor,
        )
        assert trade.paid_at_ms < NEW_YEAR_MS <= done.ended_at.ToMilliseconds()
        (asked,) = _refunds_asked(site)
        assert ("12.30", "HKD", f"{trade.trade_no}R1_1230") == (
            asked["refund_amount"],
            asked["currency"],
            asked["partner_refund_id"],
        )
        assert (1_230, 1_230) == (
            (balance := await _balance(site)).money_in_minor,
            balance.money_refunded_minor,
        )


async def test_yen_have_no_decimals(open_site: OpenSite) -> None:
    """500 yen are paid, booked and refunded as 500, and Alipay's book says the same."""
    async with open_site(policy=replace(POLICY, unavailable_grace_ms=1)) as site:
        machine = await registered(site, currency="JPY", country_code="JP")
        site.alipay.pay(machine.qr_payload, "500")
        await site.alipay.settle()
        done = await _refund(site, "SUCCEEDED")
        assert (500, "JPY") == (done.amount.minor, done.amount.currency)
        (asked,) = _refunds_asked(site)
        assert ("500", "JPY") == (asked["refund_amount"], asked["currency"])
        assert {"JPY": (500, 500)} == {
            currency: (total["paid_minor"], total["refunded_minor"])
            for currency, total in (await site.alipay.book())["totals"].items()
        }
        balance = await _balance(site)
        assert ("JPY", 500, 500) == (
            balance.currency,
            balance.money_in_minor,
            balance.money_refunded_minor,
        )


async def test_the_ledger_tells_a_write_off_line_by_line(site: Site) -> None:
    """What was due back under the refund is due no more, and stands as given up."""
    refund_id = await refunded(site)
    await _write_off(site, refund_id)
    c = transfers.c
    told = select(
        c.cause,
        c.debit_account,
        c.debit_reference,
        c.credit_account,
        c.credit_reference,
        c.amount_minor,
    ).where(c.kind == "REFUND_GIVEN_UP")
    (transfer,) = await site.database.read(lambda connection: connection.execute(told).all())
    assert (refund_id, "REFUND_DUE", refund_id, "REFUNDS_WRITTEN_OFF", "", 500) == tuple(transfer)
