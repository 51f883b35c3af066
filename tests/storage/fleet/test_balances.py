"""Balances tell the truth about the ledger, also when it is crooked."""

import pytest
from sqlalchemy import Connection, update

from actors.machine.events import VendFailed
from actors.machine.ids import VendId
from actors.machine.state import FailureCause
from storage.database.engine import Database
from storage.fleet.balances import read_balances
from storage.tables import ledger_entries
from tests.storage.owner import Owner
from tests.storage.unlocked import unlock


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


@pytest.mark.parametrize(
    "changes", [1, 2], ids=["one line", "two lines whose errors hide each other"]
)
async def test_a_ledger_that_somebody_changed_is_not_balanced(db: Database, changes: int) -> None:
    """Each transfer must sum to zero, not only all of them."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")

    def tamper(connection: Connection) -> None:
        unlock(connection)
        for line, amount_minor in ((1, 1), (3, -1))[:changes]:
            change = update(ledger_entries).where(ledger_entries.c.id == line)
            connection.execute(
                change.values(amount_minor=ledger_entries.c.amount_minor + amount_minor)
            )

    await db.write(tamper)
    (balance,) = await db.read(lambda connection: read_balances(connection, ""))
    assert not balance.ledger_balanced
