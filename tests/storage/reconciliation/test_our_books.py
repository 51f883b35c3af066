"""Our side of a day, as its owner's decisions have left it."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from actors.machine.events import RefundSucceeded
from actors.machine.ids import Currency, MachineId, TradeId, store_id_of
from actors.machine.state import RefundStatus
from storage.database.engine import Database
from storage.fleet.registry import Registry
from storage.machines.inbox import Inbox, Received
from storage.machines.rows import DAY_MS
from storage.reconciliation.our_books import NamedMachine, OurBooks, OurTrade, Told, read_our_books
from storage.tables import installation, journal
from tests.storage.owner import START_MS, Owner, new_machine, paid, refund_of

HOUR_MS = 3_600_000


def received(trade_id: str, *, cause: str = "", paid_at_ms: int = START_MS) -> Received:
    """A payment's notification."""
    return Received(
        cause=cause or f"payment:{trade_id}",
        kind="PAID",
        machine_id=MachineId("VM-1"),
        trade_id=trade_id,
        event=None if cause else paid(trade_id, at_ms=paid_at_ms),
        fields={},
        told_sha256="1" * 64,
        received_at_ms=START_MS,
    )


async def pay(
    owner: Owner, db: Database, trade_id: str, *, paid_at_ms: int, heard_at_ms: int
) -> None:
    """Let a notification arrive and be decided upon."""
    notification = received(trade_id, paid_at_ms=paid_at_ms)
    stored = await Inbox(db).put(notification)
    assert notification.event is not None
    owner.now_ms = heard_at_ms
    await owner.do("VM-1", notification.event, inbox_id=stored.inbox_id)


async def read(
    db: Database,
    *,
    from_ms: int = START_MS,
    trades: set[str] | None = None,
    refunds: set[str] | None = None,
    names: set[str] | None = None,
) -> OurBooks:
    """Read the day that begins at ``from_ms``."""
    return await read_our_books(
        db,
        from_ms=from_ms,
        to_ms=from_ms + DAY_MS,
        trade_ids=trades or set(),
        refund_ids=refunds or set(),
        names=names or set(),
    )


@pytest.mark.slow_on_postgres
async def test_a_payment_belongs_to_the_day_on_which_it_was_paid(db: Database) -> None:
    """Not to the one on which we heard of it."""
    owner = await Owner.of(db, "VM-1")
    midnight_ms = START_MS + DAY_MS
    await pay(owner, db, "t1", paid_at_ms=START_MS + 1, heard_at_ms=START_MS + 2)
    await pay(owner, db, "t2", paid_at_ms=midnight_ms - 1, heard_at_ms=midnight_ms + 25 * HOUR_MS)
    await pay(owner, db, "t3", paid_at_ms=midnight_ms, heard_at_ms=midnight_ms + 25 * HOUR_MS)
    today, tomorrow = await read(db), await read(db, from_ms=midnight_ms)
    assert (frozenset({"t1", "t2"}), frozenset({"t3"})) == (today.paid_today, tomorrow.paid_today)
    assert today.trades["t1"] == OurTrade(
        trade_id=TradeId("t1"),
        machine_id=MachineId("VM-1"),
        currency=Currency("HKD"),
        paid_minor=1_000,
    )


async def test_restored_books_know_what_they_forgot(db: Database) -> None:
    """From what may have been told after the copy up to the first line of the journal behind it;
    without an end as long as nothing was decided since.
    """
    owner = await Owner.of(db, "VM-1")
    await pay(owner, db, "t1", paid_at_ms=START_MS, heard_at_ms=START_MS + 1)
    assert (await read(db)).forgotten is None
    last_line = select(func.max(journal.c.id)).scalar_subquery()
    copied = update(installation).values(copied_at_ms=START_MS + 2, copied_line=last_line)
    await db.write(lambda connection: connection.execute(copied))
    begun = (await read(db)).forgotten
    assert begun is not None
    assert START_MS + 2 - 26 * HOUR_MS == begun[0]
    assert begun[1] > START_MS + 365 * DAY_MS
    await pay(owner, db, "t2", paid_at_ms=START_MS, heard_at_ms=START_MS + 5 * HOUR_MS)
    assert (begun[0], START_MS + 6 * HOUR_MS) == (await read(db)).forgotten


@pytest.mark.slow_on_postgres
async def test_what_the_file_names_is_found_on_any_day(db: Database) -> None:
    """Also more than one statement may name."""
    owner = await Owner.of(db, "VM-1")
    await pay(owner, db, "t1", paid_at_ms=START_MS, heard_at_ms=START_MS + 1)
    found = await read(
        db, from_ms=START_MS + 9 * DAY_MS, trades={"t1", *(f"x{number}" for number in range(1_200))}
    )
    assert ({"t1"}, frozenset()) == (set(found.trades), found.paid_today)


async def test_a_refund_is_judged_on_the_day_that_holds_all_of_it(db: Database) -> None:
    """One that was asked for on one day and confirmed on another may stand in the file of
    either.
    """
    owner = await Owner.of(db, "VM-1")
    await pay(
        owner, db, "t1", paid_at_ms=START_MS - HOUR_MS, heard_at_ms=START_MS + 1
    )  # late: goes back at once
    assert refund_of("t1") in (await read(db, refunds={refund_of("t1")})).refunds
    assert frozenset() == (await read(db)).returned_today
    owner.now_ms = START_MS + HOUR_MS
    await owner.do("VM-1", RefundSucceeded(refund_id=refund_of("t1")))
    today = await read(db)
    assert (frozenset({"t1R1_1000"}), RefundStatus.SUCCEEDED) == (
        today.returned_today,
        today.refunds[refund_of("t1")].status,
    )
    await pay(owner, db, "t2", paid_at_ms=START_MS - HOUR_MS, heard_at_ms=START_MS + DAY_MS - 1)
    owner.now_ms = START_MS + DAY_MS
    await owner.do("VM-1", RefundSucceeded(refund_id=refund_of("t2")))
    tomorrow = await read(db, from_ms=START_MS + DAY_MS)
    assert (frozenset({"t1R1_1000"}), frozenset[str]()) == (
        (await read(db)).returned_today,
        tomorrow.returned_today,
    )


async def test_what_was_told_is_known(db: Database) -> None:
    """Taken or not, put aside or not."""
    owner = await Owner.of(db, "VM-1")
    await pay(owner, db, "t1", paid_at_ms=START_MS, heard_at_ms=START_MS)
    for one in (received("t2"), received("t2", cause="refused:long_id:t2:n1"), received("t3")):
        await Inbox(db).put(one)
    told = (await read(db, trades={"t1", "t2"})).told
    assert told == {
        "t1": (Told(cause="payment:t1", machine_id=MachineId("VM-1"), waits=False),),
        "t2": (
            Told(cause="payment:t2", machine_id=MachineId("VM-1"), waits=True),
            Told(cause="refused:long_id:t2:n1", machine_id=MachineId("VM-1"), waits=False),
        ),
    }


async def test_machines_are_found_by_id_and_by_store(db: Database) -> None:
    """By the store's name and by its id at Alipay; all of them: whoever asks must see that a name
    is not one machine's alone.
    """
    for number, name in enumerate(("Lobby", "Hall", "Lobby"), start=1):
        await Registry(db).register(
            replace(new_machine(f"VM-{number}"), store_name=name), actor="test", now_ms=START_MS
        )

    def named(number: int, name: str) -> NamedMachine:
        machine_id = MachineId(f"VM-{number}")
        return NamedMachine(
            machine_id=machine_id,
            store_name=name,
            currency=Currency("HKD"),
            store_id=store_id_of(machine_id),
        )

    assert (named(1, "Lobby"), named(3, "Lobby")) == (await read(db, names={"Lobby"})).machines
    assert (named(1, "Lobby"), named(2, "Hall")) == (
        await read(db, names={"Hall", "VM-1", "hall", "VM-9"})
    ).machines
    store = named(3, "Lobby").store_id
    assert (named(3, "Lobby"),) == (await read(db, names={store})).machines
