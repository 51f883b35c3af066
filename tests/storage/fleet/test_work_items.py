"""What waits for a person is what SQL holds, in one list, oldest first."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.dialects.sqlite import dialect

from actors.machine import values
from actors.machine.events import (
    RefundAccepted,
    RefundRefused,
    RefundRetryAsked,
    RefundShortOfFunds,
    RefundSucceeded,
    RefundUnknown,
    RefundWrittenOff,
)
from actors.machine.ids import MachineId, RefundId
from actors.machine.policy import Policy
from storage.auditing import prove
from storage.database.engine import Database
from storage.fleet import work_items
from storage.fleet.positions import InvalidPosition
from storage.fleet.queries import Queries
from storage.fleet.views import GaugeView, WorkItemKind, WorkItemView
from storage.fleet.work_items import OVERDUE_AFTER_MS
from storage.machines.inbox import TOLD_AMOUNT_MINOR, TOLD_CURRENCY, Inbox
from storage.reconciliation.runs import DifferenceStatus, Reconciliation
from tests.storage.fleet.waiting import LATER_MS, in_review, items, late
from tests.storage.notifications import other, received
from tests.storage.owner import START_MS, Owner, refund_of
from tests.storage.reconciliation.differences import RUN, difference


async def _mixed(db: Database) -> Owner:
    """One of each kind and more, none of them in the order of the list, two of them of the same
    millisecond.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await late(owner, "t1", RefundUnknown(refund_id=refund_of("t1"), detail="time-out"))
    await late(
        owner,
        "t2",
        RefundRefused(refund_id=refund_of("t2"), detail="TRADE_NOT_EXIST", source="query"),
    )
    await late(
        owner,
        "t3",
        RefundShortOfFunds(refund_id=refund_of("t3"), detail="MERCHANT_BALANCE_NOT_ENOUGH"),
        machine_id="VM-2",
    )
    await late(owner, "t4", None)
    await in_review(db, "VM-1-v9", START_MS + 2)
    await Inbox(db).put(received("t5"))
    await Inbox(db).put(replace(received("t5", amount_minor=999), received_at_ms=START_MS))
    await Inbox(db).put(other("refused:foreign_currency:t6:n1", None))
    await Reconciliation(db).record(RUN, [difference("t7")], now_ms=START_MS + 3)
    return owner


@pytest.mark.slow_on_postgres
async def test_one_of_each_kind_is_shown_as_it_is(db: Database) -> None:
    """With its ids, its money, why it waits and since when."""
    owner = await Owner.of(db, "VM-1")
    await late(owner, "t1", RefundUnknown(refund_id=refund_of("t1"), detail="time-out"))
    await late(
        owner,
        "t2",
        RefundRefused(refund_id=refund_of("t2"), detail="TRADE_NOT_EXIST", source="query"),
    )
    await in_review(db, "VM-1-v9", START_MS + 3)
    await Inbox(db).put(received("t5"))
    conflict = await Inbox(db).put(
        replace(received("t5", amount_minor=999), received_at_ms=START_MS + 4)
    )
    inbox_item = f"inbox:{conflict.inbox_id}"

    def view(
        kind: WorkItemKind,
        item_id: str,
        since_at_ms: int,
        amount_minor: int,
        reason: str,
        **ids: str,
    ) -> WorkItemView:
        return WorkItemView(
            position=f"{since_at_ms}:{item_id}",
            item_id=item_id,
            kind=kind,
            machine_id="VM-1",
            currency="HKD",
            since_at_ms=since_at_ms,
            amount_minor=amount_minor,
            reason=reason,
            **({"trade_id": "", "refund_id": "", "vend_id": ""} | ids),
        )

    told = (
        "payment:t5 was told again with other content; the first telling counts, nothing was done "
        "on this one"
    )
    assert [
        view(
            WorkItemKind.REFUND_OVERDUE,
            "refund:t1R1_1000",
            START_MS + 1,
            1_000,
            "UNKNOWN: time-out",
            trade_id="t1",
            refund_id="t1R1_1000",
        ),
        view(
            WorkItemKind.REFUND_REFUSED,
            "refund:t2R1_1000",
            START_MS + 2,
            1_000,
            "TRADE_NOT_EXIST",
            trade_id="t2",
            refund_id="t2R1_1000",
        ),
        view(
            WorkItemKind.VEND_IN_REVIEW,
            "vend:VM-1-v9",
            START_MS + 3,
            500,
            "INDETERMINATE: the motor ran",
            vend_id="VM-1-v9",
        ),
        view(WorkItemKind.PAYMENT_CONFLICT, inbox_item, START_MS + 4, 999, told, trade_id="t5"),
    ] == await items(db)


@pytest.mark.slow_on_postgres
async def test_a_refused_notification_tells_why_and_how_much(db: Database) -> None:
    """In the money that Alipay named; an older row knows the machine's currency alone."""
    await Owner.of(db, "VM-1")
    told = {TOLD_AMOUNT_MINOR: "700", TOLD_CURRENCY: "USD", "total_fee": "7.00", "currency": "USD"}
    told |= {"gmt_payment": "\x1b[2J"}
    await Inbox(db).put(
        replace(other("refused:foreign_currency:t6:n1", None), trade_id="t6", fields=told)
    )
    await Inbox(db).put(other("refused:foreign_machine:t1:n2", None))
    said = (
        "Alipay signed it and it does not fit; it was put aside, and nothing was booked; it says "
    )
    none = "no trade_no, no out_trade_no, no trade_status, no seller_id"
    assert [
        (
            WorkItemKind.NOTIFICATION_REFUSED,
            "inbox:1",
            "VM-1",
            "t6",
            700,
            "USD",
            f"foreign_currency: {said}total_fee=7.00, currency=USD, {none}",
            START_MS,
        ),
        (
            WorkItemKind.NOTIFICATION_REFUSED,
            "inbox:2",
            "VM-1",
            "t1",
            0,
            "HKD",
            f"foreign_machine: {said}{none}",
            START_MS,
        ),
    ] == [
        (
            one.kind,
            one.item_id,
            one.machine_id,
            one.trade_id,
            one.amount_minor,
            one.currency,
            one.reason,
            one.since_at_ms,
        )
        for one in await items(db)
    ]


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    ("alipay_minor", "ours_minor", "amount_minor"),
    [
        (500, None, 500),
        (None, 300, 300),
        (500, 300, 200),
        (300, 500, 200),
        (500, 500, 500),
        (None, None, 0),
    ],
)
async def test_a_difference_tells_what_lies_between_both_sides(
    db: Database, alipay_minor: int | None, ours_minor: int | None, amount_minor: int
) -> None:
    """Or the whole, where only one side knows it or both agree on it; in its own currency, with its
    own advice.
    """
    differs = replace(
        difference("t1"),
        alipay_minor=alipay_minor,
        ours_minor=ours_minor,
        machine_id="",
        refund_id="t1R1_1000",
        currency="USD",
    )
    await Reconciliation(db).record(RUN, [differs], now_ms=START_MS)
    assert [
        WorkItemView(
            position=f"{START_MS}:difference:1.1",
            item_id="difference:1.1",
            kind=WorkItemKind.RECONCILIATION_DIFFERENCE,
            machine_id="",
            trade_id="t1",
            refund_id="t1R1_1000",
            vend_id="",
            amount_minor=amount_minor,
            currency="USD",
            reason="AMOUNT_DIFFERS: It differs.",
            since_at_ms=START_MS,
            advice="Look.",
        )
    ] == await items(db)


@pytest.mark.slow_on_postgres
async def test_a_difference_waits_while_it_is_open(db: Database) -> None:
    """What was passed on is its machine's, and what is resolved nobody's."""
    reconciliation = Reconciliation(db)
    await reconciliation.record(
        RUN,
        [difference("t1"), difference("t2", status=DifferenceStatus.PASSED_ON)],
        now_ms=START_MS,
    )
    assert ["t1"] == [item.trade_id for item in await items(db)]
    await reconciliation.record(RUN, [difference("t2")], now_ms=START_MS)
    assert ["t2"] == [item.trade_id for item in await items(db)]


async def rows_are_as_the_state(db: Database) -> bool:
    """Whether the audit finds the open rows, proposals too, to be what the machine's state
    holds.
    """
    checks = {check.name: check for check in (await prove(db, now_ms=LATER_MS)).checks}
    return (
        not checks["what_is_open_is_in_the_state"].findings and not checks["states_hold"].findings
    )


@pytest.mark.slow_on_postgres
async def test_a_proposed_write_off_names_who_proposed_it(db: Database) -> None:
    """In its own words; a new try takes it back."""
    owner = await Owner.of(db, "VM-1")
    owner.policy = Policy(write_off_second_person_above_minor=100)
    await late(
        owner,
        "t1",
        RefundRefused(refund_id=refund_of("t1"), detail="TRADE_NOT_EXIST", source="query"),
    )
    await owner.do(
        "VM-1",
        RefundWrittenOff(
            refund_id=refund_of("t1"), actor="ann", reason="paid in cash", person="ann"
        ),
    )
    (item,) = await items(db)
    assert ("TRADE_NOT_EXIST; ann proposed to write it off: paid in cash", "ann") == (
        item.reason,
        item.proposed_by,
    )
    refund = await Queries(db).refund("t1R1_1000")
    assert refund is not None
    assert ("ann", "paid in cash", owner.now_ms) == (
        refund.proposed_by,
        refund.proposed_reason,
        refund.proposed_at_ms,
    )
    assert await rows_are_as_the_state(db)
    await owner.do("VM-1", RefundRetryAsked(refund_id=refund_of("t1"), actor="bob"))
    await owner.do(
        "VM-1", RefundRefused(refund_id=refund_of("t1"), detail="TRADE_NOT_EXIST", source="query")
    )
    (item,) = await items(db)
    assert ("TRADE_NOT_EXIST", "") == (item.reason, item.proposed_by)
    assert await rows_are_as_the_state(db)


@pytest.mark.parametrize("kind", WorkItemKind)
@pytest.mark.parametrize("after", ["", "1767225600000:x"])
def test_each_kind_is_read_through_an_index(
    upgraded_file: Path, kind: WorkItemKind, after: str
) -> None:
    """Of no table every row is looked at, however long the list is."""
    query, given = work_items.page(
        machine_id="", kinds=[kind], after=after, limit=50, now_ms=LATER_MS
    )
    wanted = query.params(**given)
    sql = str(wanted.compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))
    with closing(sqlite3.connect(upgraded_file)) as connection:
        plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    tables = (
        "refunds",
        "vends",
        "inbox",
        "reconciliation_differences",
        "machines",
        "machine_alarms",
        "work_item_closings",
        "goods_balances",
        "goods_moves",
        "tag_runs",
    )
    read = [line for line in plan if line.split()[1] in tables]
    assert read
    assert [] == [line for line in read if " USING " not in line]
    if kind in {WorkItemKind.PAYMENT_CONFLICT, WorkItemKind.NOTIFICATION_REFUSED}:
        assert any("inbox_conflicts" in line or "inbox_refused" in line for line in read), plan
    if kind is WorkItemKind.LOADING_UNFINISHED:
        told = "\n".join(plan)
        assert "goods_balances_on_their_way" in told
        assert "goods_moves_by_loading" in told


async def test_pages_follow_each_other_without_gap(db: Database) -> None:
    """Oldest first over all kinds, whatever the size of the page; items of the same time are told
    apart.
    """
    await _mixed(db)
    whole = await items(db)
    assert 8 == len(whole)
    assert sorted(whole, key=lambda item: (item.since_at_ms, item.item_id)) == whole
    for limit in (1, 2, 5, 7):
        seen: list[WorkItemView] = []
        while page := await items(db, limit=limit, after=seen[-1].position if seen else ""):
            assert len(page) <= limit
            seen += page
        assert whole == seen


async def test_the_list_is_filtered(db: Database) -> None:
    """By machine and by kind, together too."""
    await _mixed(db)
    assert {"t3R1_1000"} == {item.refund_id for item in await items(db, machine_id="VM-2")}
    assert ["refund:t2R1_1000"] == [
        item.item_id for item in await items(db, kinds=["REFUND_REFUSED"])
    ]
    assert ["t1R1_1000", "t4R1_1000"] == [
        item.refund_id for item in await items(db, machine_id="VM-1", kinds=["REFUND_OVERDUE"])
    ]
    assert [] == await items(db, machine_id="VM-2", kinds=["PAYMENT_CONFLICT"])
    assert [] == await items(db, machine_id="VM-9")


@pytest.mark.slow_on_postgres
async def test_a_refund_is_overdue_after_a_day(db: Database) -> None:
    """Not a millisecond earlier; what Alipay accepted, did or refused is not overdue."""
    owner = await Owner.of(db, "VM-1")
    await late(owner, "t1", RefundUnknown(refund_id=refund_of("t1"), detail="time-out"))
    await late(owner, "t2", RefundAccepted(refund_id=refund_of("t2")))
    await late(owner, "t3", RefundSucceeded(refund_id=refund_of("t3")))
    day_is_over_ms = START_MS + 1 + OVERDUE_AFTER_MS
    assert [] == await items(db, now_ms=day_is_over_ms)
    assert ["t1R1_1000"] == [item.refund_id for item in await items(db, now_ms=day_is_over_ms + 1)]


@pytest.mark.slow_on_postgres
async def test_what_was_written_off_waits_no_more(db: Database) -> None:
    """The item is gone with what it was made of."""
    owner = await Owner.of(db, "VM-1")
    await late(
        owner,
        "t1",
        RefundRefused(refund_id=refund_of("t1"), detail="TRADE_NOT_EXIST", source="query"),
    )
    assert 1 == len(await items(db))
    await owner.do(
        "VM-1", RefundWrittenOff(refund_id=refund_of("t1"), actor="ann", reason="paid in cash")
    )
    assert [] == await items(db)


@pytest.mark.slow_on_postgres
async def test_a_conflict_about_a_refund_names_it(db: Database) -> None:
    """Its money is not told; it is about another trade than the first telling's."""
    await Owner.of(db, "VM-1")
    echo = other(
        "refund:t1R1_1000", RefundSucceeded(refund_id=RefundId("t1R1_1000"), source="notification")
    )
    await Inbox(db).put(echo)
    await Inbox(db).put(replace(echo, trade_id="t2"))
    await Inbox(db).put(replace(other("closed:t1", None), told_sha256="2" * 64))
    await Inbox(db).put(replace(other("closed:t1", None), told_sha256="3" * 64, trade_id="t3"))
    assert [("t1R1_1000", "t2", 0, "HKD"), ("", "t3", 0, "HKD")] == [
        (item.refund_id, item.trade_id, item.amount_minor, item.currency)
        for item in await items(db)
    ]


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("after", ["x", "x:1", ":", "9" * 19 + ":refund:t1R1_1000"])
async def test_a_position_that_is_none_of_ours_is_refused(db: Database, after: str) -> None:
    """It is the caller's mistake, not an empty page."""
    with pytest.raises(InvalidPosition):
        await items(db, after=after)


@pytest.mark.slow_on_postgres
async def test_the_gauges_count_items_by_kind(db: Database) -> None:
    """With the time of the oldest one; a kind that has none counts 0."""
    await _mixed(db)
    gauges = [
        gauge for gauge in await Queries(db).gauges(now_ms=LATER_MS) if gauge.name == "work_items"
    ]
    assert [
        GaugeView(name="work_items", status="REFUND_REFUSED", count=1, oldest_at_ms=START_MS + 2),
        GaugeView(name="work_items", status="REFUND_UNRESOLVED", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="REFUND_OVERDUE", count=3, oldest_at_ms=START_MS + 1),
        GaugeView(name="work_items", status="VEND_IN_REVIEW", count=1, oldest_at_ms=START_MS + 2),
        GaugeView(name="work_items", status="PAYMENT_CONFLICT", count=1, oldest_at_ms=START_MS),
        GaugeView(name="work_items", status="NOTIFICATION_REFUSED", count=1, oldest_at_ms=START_MS),
        GaugeView(
            name="work_items",
            status="RECONCILIATION_DIFFERENCE",
            count=1,
            oldest_at_ms=START_MS + 3,
        ),
        GaugeView(name="work_items", status="MACHINE_HALTED", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="MACHINE_ALARM", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="CLOCK_WRONG", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="LOADING_UNFINISHED", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="CODE_REFUSED", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="READOUT_DIFFERENCE", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="MACHINE_DOUBLED", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="TAG_RULE_FAILED", count=0, oldest_at_ms=None),
    ] == gauges


@pytest.mark.slow_on_postgres
async def test_what_alipay_accepted_is_shown_after_the_second_night(db: Database) -> None:
    """It does it in the batch of a night; whoever looks after two of them finds it."""
    owner = await Owner.of(db, "VM-1")
    await late(owner, "t1", RefundAccepted(refund_id=refund_of("t1")))
    assert [] == await items(db, now_ms=LATER_MS)
    (item,) = await items(db, now_ms=LATER_MS + OVERDUE_AFTER_MS)
    assert (WorkItemKind.REFUND_OVERDUE, "ACCEPTED") == (item.kind, item.reason)


@pytest.mark.slow_on_postgres
async def test_what_nobody_learnt_is_a_person_s(db: Database) -> None:
    """With what was said last; proposed to be written off, it names who did."""
    owner = await Owner.of(db, "VM-1")
    owner.policy = Policy(
        refund_unresolved_ms=1, refund_unresolved_tries=1, write_off_second_person_above_minor=0
    )
    await late(owner, "t1", None)
    owner.now_ms += 1
    await owner.do("VM-1", RefundUnknown(refund_id=refund_of("t1"), detail="time-out"))
    (item,) = await items(db)
    assert (WorkItemKind.REFUND_UNRESOLVED, "time-out", "") == (
        item.kind,
        item.reason,
        item.proposed_by,
    )
    wanted = RefundWrittenOff(refund_id=refund_of("t1"), actor="ann", reason="paid in cash")
    await owner.do("VM-1", wanted)
    (item,) = await items(db)
    assert "ann" == item.proposed_by
    await owner.do("VM-1", values.replace(wanted, actor="bob"))
    assert [] == await items(db)


@pytest.mark.slow_on_postgres
async def test_what_was_put_aside_ends_when_its_payment_comes_after_all(db: Database) -> None:
    """For the same machine: a repetition that fits, or the daily file."""
    await Owner.of(db, "VM-1", "VM-2")
    await Inbox(db).put(replace(other("refused:bad_amount:t6:n1", None), trade_id="t6"))
    await Inbox(db).put(replace(received("t6"), machine_id=MachineId("VM-2"), cause="payment:t7"))
    assert 1 == len(await items(db))
    await Inbox(db).put(received("t6"))
    assert [] == await items(db)
