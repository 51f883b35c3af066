"""What waits for a person and moves no money is ended by a row, its audit row, and nothing else."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select

from actors.machine import values
from actors.machine.code import CodeStatus
from actors.machine.events import (
    CodeFailed,
    CodeStatusChanged,
    RefundRefused,
    RefundUnknown,
)
from actors.machine.ids import MachineId
from actors.machine.incident import FaultReported
from actors.machine.policy import Policy
from actors.ports import MachineHalt
from storage.auditing import prove
from storage.database.engine import Database
from storage.fleet.closings import CLOSABLE, Closings, HasItsOwnAct, NotWaiting
from storage.fleet.queries import Queries
from storage.fleet.views import ClosingView, WorkItemKind
from storage.fleet.wrong_clocks import WrongClocks
from storage.machines.inbox import Inbox
from storage.office.readouts import Readouts
from storage.reconciliation.runs import Reconciliation
from storage.tables import audit, tag_runs, work_item_closings
from tests.storage.fleet.unfinished import cut_off_between_van_and_column
from tests.storage.fleet.waiting import LATER_MS, in_review, items, late
from tests.storage.notifications import other, received
from tests.storage.office.enrolled import doubled
from tests.storage.office.read_out import by, one_sale_too_many
from tests.storage.owner import START_MS, Owner, refund_of
from tests.storage.reconciliation.differences import NEWER, NOW_MS, RUN, difference, standing


async def _close(
    db: Database,
    item_id: str,
    *,
    actor: str = "ann",
    reason: str = "looked",
    now_ms: int = LATER_MS,
) -> ClosingView:
    return await Closings(db).close(item_id, actor=actor, reason=reason, now_ms=now_ms)


async def _rows(db: Database) -> list[tuple[Any, ...]]:
    """Closings and their audit rows, as people read them."""

    def work(connection: Any) -> list[tuple[Any, ...]]:
        acts = (
            select(*audit.c["actor", "action", "machine_id", "detail"])
            .where(audit.c.action == "CloseWorkItem")
            .order_by(audit.c.id)
        )
        return [
            *map(tuple, connection.execute(select(work_item_closings))),
            *map(tuple, connection.execute(acts)),
        ]

    return await db.read(work)


async def _one_of_each(db: Database) -> dict[WorkItemKind, str]:
    """An alarm, a conflict, a refused notification, a difference, a wrong clock and a machine that
    counted otherwise, by kind.
    """
    owner = await Owner.of(db, "VM-1")
    frame = owner.frame("VM-1", FaultReported(code="E1"))
    await owner.do("VM-1", frame)
    await owner.do("VM-1", values.replace(frame, fact=FaultReported(code="E2")))
    await Inbox(db).put(received("t5"))
    await Inbox(db).put(received("t5", amount_minor=999))
    await Inbox(db).put(other("refused:foreign_currency:t6:n1", None))
    await Reconciliation(db).record(RUN, [difference("t7")], now_ms=NOW_MS)
    await WrongClocks(db).told("a/1", ahead_ms=90_000, at_ms=NOW_MS)
    await Readouts(db).keep([one_sale_too_many()], by())
    await doubled(db)
    return {item.kind: item.item_id for item in await items(db)}


@pytest.mark.slow_on_postgres
async def test_each_kind_that_needs_no_act_is_closed(db: Database) -> None:
    """It vanishes from the list and from the gauges; its row and its audit row say who, why and
    what it was.
    """
    waiting = await _one_of_each(db)
    assert CLOSABLE == waiting.keys()
    for kind, item_id in waiting.items():
        closing = await _close(db, item_id, reason=f"the {kind} was looked at")
        assert closing == ClosingView(
            item_id=item_id,
            kind=kind,
            machine_id="" if kind is WorkItemKind.CLOCK_WRONG else "VM-1",
            actor="ann",
            reason=f"the {kind} was looked at",
            closed_at_ms=LATER_MS,
        )
    assert [] == await items(db)
    gauges = await Queries(db).gauges(now_ms=LATER_MS)
    assert {0} == {
        gauge.count for gauge in gauges if gauge.name in {"work_items", "differences_open"}
    }
    rows = await _rows(db)
    assert 2 * len(CLOSABLE) == len(rows)
    said = "RECONCILIATION_DIFFERENCE: AMOUNT_DIFFERS: It differs."
    item_id = waiting[WorkItemKind.RECONCILIATION_DIFFERENCE]
    assert (
        "ann",
        "CloseWorkItem",
        "VM-1",
        f"{item_id}: the RECONCILIATION_DIFFERENCE was looked at ({said})",
    ) in rows
    assert (await prove(db, now_ms=LATER_MS)).clean


@pytest.mark.slow_on_postgres
async def test_the_first_closing_counts(db: Database) -> None:
    """Whoever closes it again, and why, hears of the first one; nothing is written."""
    waiting = await _one_of_each(db)
    item_id = waiting[WorkItemKind.PAYMENT_CONFLICT]
    first = await _close(db, item_id)
    before = await _rows(db)
    assert replace(first, again=True) == await _close(
        db, item_id, actor="bob", reason="another", now_ms=LATER_MS + 1
    )
    assert before == await _rows(db)


async def test_people_who_close_at_once_agree(db: Database) -> None:
    """One of them has done it, and there is one row."""
    waiting = await _one_of_each(db)
    item_id = waiting[WorkItemKind.NOTIFICATION_REFUSED]
    closings = await asyncio.gather(
        *(_close(db, item_id, actor=f"p{number}") for number in range(6))
    )
    assert 1 == len({closing.actor for closing in closings})
    assert 1 == [closing.again for closing in closings].count(False)
    assert 2 == len(await _rows(db))


async def test_what_has_an_act_of_its_own_is_not_closed(db: Database) -> None:
    """Its money would stay where it is: refused, unresolved, overdue, in review, at a machine that
    is halted; so would a code that Alipay refused.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await late(owner, "t1", RefundUnknown(refund_id=refund_of("t1"), detail="time-out"))
    await late(
        owner,
        "t2",
        RefundRefused(refund_id=refund_of("t2"), detail="TRADE_NOT_EXIST", source="query"),
    )
    owner.policy = Policy(refund_unresolved_ms=1, refund_unresolved_tries=1)
    await late(owner, "t3", None)
    owner.now_ms += 1
    await owner.do("VM-1", RefundUnknown(refund_id=refund_of("t3"), detail="time-out"))
    await in_review(db, "VM-1-v9", START_MS)
    halt = MachineHalt(
        machine_id=MachineId("VM-1"), halted_at_ms=START_MS, error="Unsound", fact="TopUpPaid"
    )
    await owner.store.halt(owner.ownership, halt)
    await cut_off_between_van_and_column(db)
    await owner.do("VM-2", CodeStatusChanged(status=CodeStatus.STOPPED))
    await owner.do("VM-2", CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    failed = {
        "tag": "NEW",
        "version": 1,
        "d": 20260101,
        "position": 7,
        "at_ms": START_MS,
        "members": 0,
        "joined": 0,
        "departed": 0,
        "error": "too many",
    }
    await db.write(lambda connection: connection.execute(insert(tag_runs), failed))
    waiting = {item.kind: item.item_id for item in await items(db)}
    assert set(WorkItemKind) - CLOSABLE == waiting.keys()
    for kind, item_id in waiting.items():
        with pytest.raises(HasItsOwnAct) as refused:
            await _close(db, item_id)
        assert kind is refused.value.item.kind
    assert [] == await _rows(db)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    "item_id",
    [
        "inbox:1",
        "inbox:99",
        "difference:1.2",
        "difference:1",
        "refund:t1R1_1000",
        "vend:x",
        "",
        "x' OR 1=1",
        "inbox:",
    ],
)
async def test_what_does_not_wait_is_not_closed(db: Database, item_id: str) -> None:
    """A notification that was taken, a difference as it is not, a refund that nobody knows: nothing
    is written.
    """
    await _one_of_each(db)
    with pytest.raises(NotWaiting):
        await _close(db, item_id)
    assert [] == await _rows(db)


@pytest.mark.slow_on_postgres
async def test_the_audit_row_and_the_closing_are_one(db: Database) -> None:
    """Where there is a closing already, whatever wrote it, nobody else's name is written beside
    it.
    """
    waiting = await _one_of_each(db)
    item_id = waiting[WorkItemKind.PAYMENT_CONFLICT]
    row = {
        "item_id": item_id,
        "kind": "PAYMENT_CONFLICT",
        "machine_id": "VM-1",
        "actor": "eve",
        "closed_at_ms": 1,
        "reason": "r",
    }
    await db.write(lambda connection: connection.execute(insert(work_item_closings).values(row)))
    assert ("eve", True) == ((closing := await _close(db, item_id)).actor, closing.again)
    assert 1 == len(await _rows(db))


# --- differences that come back ---


async def _difference_items(db: Database) -> list[tuple[str, int]]:
    return [
        (item.item_id, item.amount_minor)
        for item in await items(db, kinds=["RECONCILIATION_DIFFERENCE"])
    ]


async def test_a_closed_difference_is_said_to_be_closed(db: Database) -> None:
    """By the same file and by a newer one; by whom and why."""
    reconciliation = Reconciliation(db)
    await reconciliation.record(RUN, [difference("t1"), difference("t2")], now_ms=NOW_MS)
    await _close(db, "difference:1.1", reason="the shop was paid by hand")
    reworded = replace(
        difference("t1"), said="It differs still.", cause="Nobody knows.", machine_id=""
    )
    for run, first in ((RUN, difference("t1")), (NEWER, difference("t1")), (NEWER, reworded)):
        view = await reconciliation.record(run, [first, difference("t2")], now_ms=NOW_MS + 1)
        assert [("t2", "OPEN", None), ("t1", "CLOSED", None)] == standing(view.differences)
        closed = view.differences[1]
        assert ("ann", "the shop was paid by hand", LATER_MS) == (
            closed.closed_by,
            closed.closed_reason,
            closed.closed_at_ms,
        )
        assert [("difference:2.1", 500)] == await _difference_items(db)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    "change",
    [
        {"alipay_minor": 700},
        {"ours_minor": 100},
        {"currency": "USD"},
        {"trade_id": "t8"},
        {"refund_id": "t1R1_1000"},
    ],
    ids=str,
)
async def test_a_closed_difference_with_other_money_comes_up_again(
    db: Database, change: dict[str, Any]
) -> None:
    """It is another item, which nobody has looked at; closing it by its old name does not close
    it.
    """
    reconciliation = Reconciliation(db)
    await reconciliation.record(RUN, [difference("t1")], now_ms=NOW_MS)
    await _close(db, "difference:1.1")
    view = await reconciliation.record(
        NEWER, [replace(difference("t1"), **change)], now_ms=NOW_MS + 1
    )
    assert [("t1", "OPEN", None)] == standing(view.differences)
    assert "" == view.differences[0].closed_by
    assert (await _close(db, "difference:1.1")).again
    ((item_id, _),) = await _difference_items(db)
    assert "difference:1.2" == item_id
    assert not (await _close(db, item_id, reason="looked once more")).again
    assert [] == await _difference_items(db)
    again = await reconciliation.record(
        NEWER, [replace(difference("t1"), **change)], now_ms=NOW_MS + 2
    )
    assert "looked once more" == again.differences[0].closed_reason


async def test_an_old_list_closes_nothing_new(db: Database) -> None:
    """Who read the list before the newer file came has not seen what it says, and is told so."""
    reconciliation = Reconciliation(db)
    await reconciliation.record(RUN, [difference("t1")], now_ms=NOW_MS)
    await reconciliation.record(
        NEWER, [replace(difference("t1"), ours_minor=100)], now_ms=NOW_MS + 1
    )
    with pytest.raises(NotWaiting):
        await _close(db, "difference:1.1")


async def test_what_comes_back_unchanged_stays_closed(db: Database) -> None:
    """It was gone in one file and is back in the next: the same money, about which somebody has
    decided.
    """
    reconciliation = Reconciliation(db)
    await reconciliation.record(RUN, [difference("t1")], now_ms=NOW_MS)
    await _close(db, "difference:1.1")
    gone = await reconciliation.record(NEWER, [], now_ms=NOW_MS + 1)
    back = await reconciliation.record(NEWER, [difference("t1")], now_ms=NOW_MS + 1)
    assert ([("t1", "RESOLVED", NOW_MS + 1)], [("t1", "CLOSED", None)]) == (
        standing(gone.differences),
        standing(back.differences),
    )
