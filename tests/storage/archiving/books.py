"""Books of two months, with something open in the first, and what is expected of an archive."""

from pathlib import Path

from sqlalchemy import Connection, func, select

from actors.machine.events import TopUpPaid
from storage.archiving.archive import Order, run
from storage.archiving.proving import with_archive
from storage.auditing import WHOLE, Audit, Scope
from storage.database.engine import Database
from storage.fleet.registry import Registry
from storage.machines.rows import DAY_MS
from storage.tables import archives, inbox, journal, transfers
from tests.storage.auditing.books import pays
from tests.storage.owner import START_MS, Owner, new_machine
from tests.support.proven import proved

FEBRUARY_MS = START_MS + 31 * DAY_MS
NOW_MS = START_MS + 63 * DAY_MS
"""The 5th of March 2026: January and February are over."""
FIFTH = "VM-5"
SIXTH = "VM-6"
SINCE = Scope(whole=False)


def order(folder: Path, before: str = "2026-03") -> Order:
    """The order to archive the months before this one."""
    return Order(folder=folder, before=before, now_ms=NOW_MS, acts_end_s=0)


async def archived(db: Database, folder: Path, before: str = "2026-03") -> list[str]:
    """Archive, and return the months that were."""
    return await run(db, order(folder, before), lambda _: None)


async def buys(db: Database, owner: Owner, machine_id: str, *numbers: int) -> None:
    """Whole purchases, told by Alipay."""
    for number in numbers:
        first, *rest = owner.purchase(machine_id, number)
        assert isinstance(first, TopUpPaid)
        await pays(db, owner, machine_id, first.trade_id)
        for event in rest:
            await owner.do(machine_id, event)
        owner.refill(machine_id)


async def goes_on(db: Database) -> Owner:
    """A fifth machine sells in January and in February; of a purchase at the very end of January
    the refund comes in February.
    """
    await Registry(db).register(new_machine(FIFTH), actor="test", now_ms=START_MS)
    owner = await Owner.claim(db, FIFTH, holder="h7")
    owner.now_ms = START_MS + DAY_MS
    await owner.start(FIFTH)
    await buys(db, owner, FIFTH, 1)
    owner.now_ms = FEBRUARY_MS - 1_000
    first, *rest, refunded = owner.purchase(FIFTH, 2)
    assert isinstance(first, TopUpPaid)
    await pays(db, owner, FIFTH, first.trade_id)
    for event in rest:
        await owner.do(FIFTH, event)
    owner.now_ms = FEBRUARY_MS + 1_000
    await owner.do(FIFTH, refunded)
    owner.now_ms = FEBRUARY_MS + DAY_MS
    await buys(db, owner, FIFTH, 3, 4, 5)
    return owner


async def audited(db: Database, scope: Scope = WHOLE) -> Audit:
    """Audit the database."""
    return await proved(db, now_ms=NOW_MS, scope=scope)


async def is_sound(db: Database, folder: Path) -> None:
    """Expect that every audit is clean: of what is new, of what is here, and of all there was."""
    for scope in (SINCE, WHOLE, with_archive(folder)):
        audit = await audited(db, scope)
        assert () == audit.sentences, audit.sentences


async def counted(db: Database) -> dict[str, int]:
    """Return how many rows there are."""

    def work(connection: Connection) -> dict[str, int]:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (journal, transfers, inbox)
        }

    return await db.read(work)


async def months(db: Database) -> list[tuple[str, str]]:
    """Return each month that was archived, with its state."""
    wanted = select(archives.c.month, archives.c.state).order_by(archives.c.month)
    rows = await db.read(lambda connection: connection.execute(wanted).all())
    return [(row.month, row.state) for row in rows]
