"""What is over of a machine's books, and what keeps more of it here."""

import pytest
from sqlalchemy import select

from actors.machine.events import SessionCompleted, VendRefundAsked
from actors.machine.ids import SessionId, VendId
from storage.archiving.exporting import within
from storage.archiving.plan import Prefix, causes_that_go_on, prefixes
from storage.auditing.starts import Start
from storage.database.engine import Database
from storage.fleet.sold import SoldVends
from storage.machines.rows import DAY_MS
from storage.tables import journal
from tests.storage.owner import START_MS, Owner

LATER_MS = START_MS + DAY_MS


async def planned(db: Database, end_ms: int) -> Prefix:
    """What is over of VM-1 before a moment."""

    def work(connection: object) -> Prefix:
        books = within(connection, now_ms=end_ms, partition_count=db.partition_count)  # type: ignore[arg-type]
        (one,) = prefixes(books.connection, books.starts, ["VM-1"], end_ms=end_ms)
        return one

    return await db.read(work)


async def test_a_prefix_ends_with_the_month(db: Database) -> None:
    """With the last line before its end; its digest is that line's."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    last = owner.states["VM-1"].version
    owner.now_ms = LATER_MS
    await owner.buy("VM-1", 2)
    found = await planned(db, LATER_MS)
    assert (0, last, START_MS, "") == (found.after, found.upto, found.at_ms, found.held)
    digest = await db.read(
        lambda connection: connection.scalar(
            select(journal.c.digest).where(journal.c.version == last)
        )
    )
    assert digest == found.digest
    assert owner.states["VM-1"].version == (await planned(db, LATER_MS + 1)).upto
    assert 0 == (await planned(db, START_MS)).upto


@pytest.mark.slow_on_postgres
async def test_what_is_open_keeps_its_lines(db: Database) -> None:
    """From its first line on, until it is over."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    over = owner.states["VM-1"].version
    paid, *rest = owner.purchase("VM-1", 2)
    await owner.do("VM-1", paid)
    found = await planned(db, LATER_MS)
    assert (over, "session VM-1-s2 is open") == (found.upto, found.held)
    for event in rest[:-1]:
        await owner.do("VM-1", event)
    found = await planned(db, LATER_MS)
    assert (over, "refund VM-1-t2R1_500 is open") == (found.upto, found.held)
    await owner.do("VM-1", rest[-1])
    found = await planned(db, LATER_MS)
    assert (owner.states["VM-1"].version, "") == (found.upto, found.held)


@pytest.mark.slow_on_postgres
async def test_what_goes_on_behind_a_start_is_named_with_all_its_transfers(db: Database) -> None:
    """An old purchase that is paid back later needs its own transfers, and those of its session."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    await owner.buy("VM-1", 2)
    start = Start(
        machine_id="VM-1",
        version=owner.states["VM-1"].version,
        digest="",
        at_ms=owner.now_ms,
        from_day=0,
        balances={},
        link="{}",
    )
    assert set() == await db.read(lambda connection: causes_that_go_on(connection, start))
    sold = await SoldVends(db).find(VendId("VM-1-v1"))
    assert sold is not None
    await owner.do(
        "VM-1",
        VendRefundAsked(
            vend_id=VendId("VM-1-v1"),
            version=sold.version,
            parts=sold.parts,
            actor="eve",
            reason="stale",
        ),
    )
    assert {
        "VM-1-t1",
        "VM-1-v1",
        "VM-1-v1/VM-1-t1",
        "VM-1-t1R1_500",
        "VM-1-t1R2_500",
    } == await db.read(lambda connection: causes_that_go_on(connection, start))


@pytest.mark.slow_on_postgres
async def test_a_session_that_ends_behind_a_start_goes_on_there(db: Database) -> None:
    """Even if no money moves any more."""
    owner = await Owner.of(db, "VM-1")
    paid, wanted, *_ = owner.purchase("VM-1", 1)
    await owner.do("VM-1", paid)
    await owner.do("VM-1", wanted)
    start = Start(
        machine_id="VM-1",
        version=owner.states["VM-1"].version,
        digest="",
        at_ms=owner.now_ms,
        from_day=0,
        balances={},
        link="{}",
    )
    await owner.do("VM-1", owner.frame("VM-1", SessionCompleted(session_id=SessionId("VM-1-s1"))))
    named = await db.read(lambda connection: causes_that_go_on(connection, start))
    assert {"VM-1-t1", "VM-1-v1/VM-1-t1"} <= named
