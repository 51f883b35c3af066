"""B10: a key is used once. The same again changes nothing; the same key with other content is
refused or kept aside, without effect.

In scope: transfers of the ledger, notifications, frames, requests for goods. Repeats at the doors
are in ``tests/gateway``.
"""

import itertools
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from actors.machine import ledger, values
from actors.machine.effects import RejectCode, RejectFrame
from actors.machine.events import (
    Event,
    RefundSucceeded,
    TradeFinished,
    VendRequested,
)
from actors.machine.ids import MachineId, RefundId, RequestId, TradeId, VendId
from actors.machine.incident import FaultReported
from actors.machine.ledger import Transfer, TransferKind
from actors.machine.state import Alarm, AlarmKind, Reservation
from actors.ports import Conflict, InboxItem
from storage.database.engine import Database
from storage.machines.inbox import Inbox, Received
from storage.tables import inbox, journal, transfers, vends
from tests.storage.owner import START_MS, Owner, paid

TRADE, REFUND, VEND = TradeId("t1"), RefundId("t1R1"), VendId("VM-1-v1")

TRANSFERS: dict[TransferKind, Callable[[int], Transfer]] = {
    TransferKind.TOP_UP: lambda amount: ledger.top_up(TRADE, amount),
    TransferKind.RESERVE: lambda amount: ledger.reserve(
        VEND, [Reservation(trade_id=TRADE, amount_minor=amount)]
    )[0],
    TransferKind.RETURN: lambda amount: ledger.give_back(
        VEND, [Reservation(trade_id=TRADE, amount_minor=amount)]
    )[0],
    TransferKind.SETTLE: lambda amount: ledger.settle(
        VEND, [Reservation(trade_id=TRADE, amount_minor=amount)]
    )[0],
    TransferKind.GOODWILL: lambda amount: ledger.goodwill(VEND, TRADE, amount),
    TransferKind.REFUND_ASKED: lambda amount: ledger.refund_asked(REFUND, TRADE, amount),
    TransferKind.REFUND_CONFIRMED: lambda amount: ledger.refund_confirmed(REFUND, TRADE, amount),
    TransferKind.REFUND_GIVEN_UP: lambda amount: ledger.refund_given_up(REFUND, TRADE, amount),
    TransferKind.WRITE_OFF: lambda amount: ledger.write_off(VEND, amount),
}


async def entered(db: Database) -> list[tuple[str, str, int]]:
    """Return every line of the ledger."""
    chosen = select(*transfers.c["kind", "cause", "amount_minor"]).order_by(
        *transfers.c["machine_id", "version", "line"]
    )
    return [
        (row.kind, row.cause, row.amount_minor)
        for row in await db.read(lambda connection: connection.execute(chosen).all())
    ]


async def post(owner: Owner, machine_id: str, transfer: Transfer) -> None:
    """Save a decision that makes this transfer and nothing else, past the core's own checks."""
    change = owner.decide(machine_id, owner.frame(machine_id, FaultReported(code="EB")))
    await owner.commit(
        [values.replace(change, decision=values.replace(change.decision, transfers=(transfer,)))]
    )


def test_every_kind_of_transfer_is_tried() -> None:
    """A new kind must be put to the test too."""
    assert set(TransferKind) == set(TRANSFERS)
    assert all(kind is make(500).kind for kind, make in TRANSFERS.items())


@pytest.mark.parametrize("kind", TransferKind)
async def test_a_cause_is_entered_once_for_each_kind(
    db: Database, kind: TransferKind, subtests: pytest.Subtests
) -> None:
    """The database refuses a second transfer of one kind and cause, of whatever amount and
    whosever, and saves nothing of its decision.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await post(owner, "VM-1", TRANSFERS[kind](500))
    before = await entered(db)
    lines = await db.read(
        lambda connection: connection.scalar(select(func.count()).select_from(journal))
    )

    for poster, amount_minor in itertools.product(("VM-1", "VM-2"), (500, 700)):
        with subtests.test(poster=poster, amount_minor=amount_minor):
            with pytest.raises(Conflict) as caught:
                await post(owner, poster, TRANSFERS[kind](amount_minor))

            assert MachineId(poster) == caught.value.machine_id
            assert before == await entered(db)
            assert lines == await db.read(
                lambda connection: connection.scalar(select(func.count()).select_from(journal))
            )


def notification(
    cause: str,
    event: Event | None,
    *,
    machine_id: str = "VM-1",
    trade_id: str = "t1",
    body: str = "1",
) -> Received:
    """What Alipay said."""
    return Received(
        cause=cause,
        kind="ANY",
        machine_id=MachineId(machine_id),
        trade_id=trade_id,
        event=event,
        fields={"trade_no": trade_id},
        told_sha256=body * 64,
        received_at_ms=START_MS,
    )


async def waiting(owner: Owner) -> list[InboxItem]:
    """Return what the sweep would bring."""
    page = await owner.store.untaken(owner.ownership, after=None, limit=10)
    return [item for item in page.items if isinstance(item, InboxItem)]


async def test_a_payment_that_was_credited_is_never_credited_again(db: Database) -> None:
    """Told the same again, before and after it was taken, it is one row and one credit, even for an
    actor that has forgotten it.
    """
    owner, put = await Owner.of(db, "VM-1"), Inbox(db).put
    first = await put(notification("payment:t1", paid("t1")))
    assert ("DUPLICATE", first.inbox_id) == (
        (again := await put(notification("payment:t1", paid("t1")))).verdict,
        again.inbox_id,
    )
    (item,) = await waiting(owner)
    await owner.do("VM-1", item.event, inbox_id=item.inbox_id)
    before = await entered(db)
    assert ("DUPLICATE", first.inbox_id) == (
        (late := await put(notification("payment:t1", paid("t1")))).verdict,
        late.inbox_id,
    )
    assert [] == await waiting(owner)
    await owner.do("VM-1", item.event, inbox_id=item.inbox_id)
    assert before == await entered(db)
    owner.states["VM-1"] = values.replace(
        owner.states["VM-1"], trades=(), session=None, closed_trades=()
    )
    with pytest.raises(Conflict):
        await owner.do("VM-1", item.event, inbox_id=item.inbox_id)
    assert before == await entered(db)


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize(
    ("first", "other"),
    [
        (
            notification("payment:t1", paid("t1")),
            notification("payment:t1", paid("t1", 999), body="2"),
        ),
        (
            notification("payment:t1", paid("t1")),
            notification("payment:t1", paid("t1"), machine_id="VM-2", body="2"),
        ),
        (
            notification("payment:t1", paid("t1")),
            notification("payment:t1", TradeFinished(trade_id=TRADE, status="X"), body="2"),
        ),
        (
            notification("refund:t1R1", RefundSucceeded(refund_id=REFUND, source="notification")),
            notification(
                "refund:t1R1",
                RefundSucceeded(refund_id=REFUND, source="notification"),
                trade_id="t2",
                body="2",
            ),
        ),
        (
            notification("finished:t1", TradeFinished(trade_id=TRADE, status="TRADE_FINISHED")),
            notification(
                "finished:t1",
                TradeFinished(trade_id=TRADE, status="TRADE_FINISHED"),
                machine_id="VM-2",
                body="2",
            ),
        ),
        (notification("other:n1", None), notification("other:n1", None, trade_id="t2", body="2")),
    ],
    ids=["amount", "machine", "fact", "trade of a refund", "machine of an end", "record only"],
)
async def test_one_cause_with_other_content_is_a_row_for_a_person(
    db: Database, first: Received, other: Received, *, taken: bool
) -> None:
    """It is kept under a cause of its own, once, is taken from the start, and nobody decides upon
    it.
    """
    owner, put = await Owner.of(db, "VM-1", "VM-2"), Inbox(db).put
    await put(first)
    if taken:
        for item in await waiting(owner):
            await owner.do("VM-1", item.event, inbox_id=item.inbox_id)
    before, sweep = await entered(db), await waiting(owner)

    told = [await put(other) for _ in range(2)]

    assert {"CONFLICT"} == {one.verdict for one in told}
    assert 1 == len({one.inbox_id for one in told})
    assert (sweep, before) == (await waiting(owner), await entered(db))
    rows = await db.read(
        lambda connection: connection.execute(select(inbox).order_by(inbox.c.id)).all()
    )
    assert [first.cause, f"conflict:{first.cause}:{'2' * 64}"] == [row.cause for row in rows]
    assert START_MS == rows[1].taken_at_ms
    assert rows[1].taken_version is None


async def test_a_frame_number_with_another_content_moves_nothing(db: Database) -> None:
    """A machine that says something else under a number that was applied is refused, and a person
    is told; no money and no goods move.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1"))
    frame = owner.frame(
        "VM-1",
        VendRequested(
            request_id=RequestId("r1"), column="A1", price_minor=500, planogram_version=1
        ),
    )
    await owner.do("VM-1", frame)
    before = await entered(db)
    other = values.replace(
        frame,
        fact=VendRequested(
            request_id=RequestId("r2"), column="A2", price_minor=300, planogram_version=1
        ),
    )

    change = await owner.do("VM-1", other)

    assert () == change.decision.transfers
    assert [AlarmKind.NUMBER_REUSED] == [
        record.kind for record in change.decision.records if isinstance(record, Alarm)
    ]
    assert [RejectCode.SEQ_REUSED] == [
        effect.code for effect in change.decision.effects if isinstance(effect, RejectFrame)
    ]
    assert (1, 1) == (len(change.decision.records), len(change.decision.effects))
    assert before == await entered(db)
    noted = await db.read(
        lambda connection: connection.scalars(
            select(journal.c.notes).order_by(journal.c.id.desc())
        ).first()
    )
    assert "NUMBER_REUSED: frame 1 of boot" in str(noted)


async def test_a_request_with_another_wish_is_the_request_that_it_was(db: Database) -> None:
    """The vend that was made under the request stays as it is; its machine is told of that one
    again.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1"))
    wish = VendRequested(
        request_id=RequestId("r1"), column="A1", price_minor=500, planogram_version=1
    )
    await owner.do("VM-1", owner.frame("VM-1", wish))
    change = await owner.do(
        "VM-1", owner.frame("VM-1", values.replace(wish, column="A2", price_minor=300))
    )

    assert ((), ()) == (change.decision.transfers, change.decision.records)
    assert ["ApproveVend"] == [type(effect).__name__ for effect in change.decision.effects]
    assert "A1" == getattr(change.decision.effects[0], "column", "")
    rows = await db.read(
        lambda connection: connection.execute(select(*vends.c["vend_id", "column"])).all()
    )
    assert [("VM-1-v1", "A1")] == [tuple(row) for row in rows]
    held = select(func.sum(transfers.c.amount_minor)).where(
        transfers.c.credit_account == "RESERVED"
    )
    assert 500 == await db.read(lambda connection: connection.scalar(held))
