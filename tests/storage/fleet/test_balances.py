"""Balances tell what was moved, day by day, also when somebody changed them."""

import pytest
from sqlalchemy import Connection, select, update

from actors.machine.events import VendFailed
from actors.machine.ids import VendId
from actors.machine.state import FailureCause
from actors.ports import Conflict
from storage.database.engine import Database
from storage.fleet.balances import read_balances
from storage.tables import balances
from tests.storage.owner import START_MS, Owner, paid


@pytest.mark.slow_on_postgres
async def test_a_failed_vend_leaves_the_money_where_it_was(db: Database) -> None:
    """Reserved money counts as held, and so does what was given back to the customer's funds."""
    owner = await Owner.of(db, "VM-1")
    pay, choose, *_ = owner.purchase("VM-1", 1)
    await owner.do("VM-1", pay)
    await owner.do("VM-1", choose)
    (reserved,) = await db.read(lambda connection: read_balances(connection, ""))
    await owner.do(
        "VM-1",
        owner.frame("VM-1", VendFailed(vend_id=VendId("VM-1-v1"), cause=FailureCause.JAMMED)),
    )
    (returned,) = await db.read(lambda connection: read_balances(connection, ""))
    assert (1_000, 1_000) == (reserved.money_in_minor, reserved.money_held_minor)
    assert reserved.money_in_minor == returned.money_held_minor + returned.refunds_open_minor
    assert returned.ledger_balanced


async def test_a_day_that_somebody_changed_is_not_balanced(db: Database) -> None:
    """What was debited must have been credited, on each day of each machine: two errors do not hide
    each other.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.buy("VM-1")
    await owner.buy("VM-2")
    (sound,) = await db.read(lambda connection: read_balances(connection, ""))
    assert sound.ledger_balanced

    def tamper(connection: Connection) -> None:
        for machine_id, amount_minor in (("VM-1", 1), ("VM-2", -1)):
            change = update(balances).where(
                balances.c.machine_id == machine_id, balances.c.account == "SALES"
            )
            connection.execute(change.values(credit_minor=balances.c.credit_minor + amount_minor))

    await db.write(tamper)
    (crooked,) = await db.read(lambda connection: read_balances(connection, ""))
    assert (sound.money_sold_minor, False) == (crooked.money_sold_minor, crooked.ledger_balanced)


async def test_each_day_has_its_own_balance(db: Database) -> None:
    """A day is UTC's; within it, and within one batch, amounts add up; of what was refused nothing
    stays.
    """
    owner = await Owner.of(db, "VM-1")
    day_ms, before = 86_400_000, START_MS - 1
    owner.now_ms = before
    await owner.do("VM-1", paid("t1", 300, at_ms=before))
    owner.now_ms = START_MS
    last = [owner.decide("VM-1", paid(name, 200, at_ms=START_MS)) for name in ("t2", "t3")]
    await owner.commit(last)
    with pytest.raises(Conflict):
        await owner.commit(last)
    wanted = select(balances).where(balances.c.account == "RECEIVABLE").order_by(balances.c.day)
    rows = await db.read(lambda connection: connection.execute(wanted).all())
    assert [
        ("VM-1", before // day_ms, "RECEIVABLE", 300, 0, "HKD"),
        ("VM-1", START_MS // day_ms, "RECEIVABLE", 400, 0, "HKD"),
    ] == [tuple(row) for row in rows]
