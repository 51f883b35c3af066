"""Balances tell the truth about the ledger, also when it is crooked."""

from sqlalchemy import Connection, update

from actors.machine.events import VendFailed
from actors.machine.ids import VendId
from actors.machine.state import FailureCause
from storage.database.engine import Database
from storage.fleet.balances import read_balances
from storage.tables import transfers
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


async def test_a_ledger_that_somebody_changed_is_not_balanced(db: Database) -> None:
    """Each transfer must stand between the accounts of its kind."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")

    def tamper(connection: Connection) -> None:
        unlock(connection)
        settled = update(transfers).where(transfers.c.kind == "SETTLE")
        connection.execute(settled.values(credit_account="RECEIVABLE"))

    await db.write(tamper)
    (balance,) = await db.read(lambda connection: read_balances(connection, ""))
    assert not balance.ledger_balanced
