"""What an audit must know of the time before it begins."""

from sqlalchemy import select

from storage.auditing.starts import (
    Start,
    first_day,
    remember_seals,
    start_of,
    sums_up_to,
    write_starts,
)
from storage.database.engine import Database
from storage.tables import balances, seals, starts
from tests.storage.owner import START_MS, Owner

START = Start(
    machine_id="VM-1",
    version=7,
    digest="aa",
    at_ms=START_MS,
    from_day=20_000,
    balances={"20001": {"SALES": (0, 500)}},
    link='{"online":false}',
)


async def test_a_start_is_read_as_it_was_written(db: Database) -> None:
    """A later one takes its place."""
    await db.write(lambda connection: write_starts(connection, [START]))
    await remember_seals(db, [START], now_ms=5)
    for table in (starts, seals):
        row = await db.read(lambda connection, t=table: connection.execute(select(t)).one())  # type: ignore[misc]
        assert START == start_of(row)
    later = Start(**{**START.values(), "version": 9, "balances": {}})
    await db.write(lambda connection: write_starts(connection, [later]))
    row = await db.read(lambda connection: connection.execute(select(starts)).one())
    assert later == start_of(row)


async def test_many_seals_are_remembered(db: Database) -> None:
    """More than are written at a time."""
    many = [
        Start(**{**START.values(), "machine_id": f"VM-{n}", "balances": {}}) for n in range(450)
    ]
    await remember_seals(db, many, now_ms=5)
    found = await db.read(lambda connection: connection.scalars(select(seals.c.sealed_at_ms)).all())
    assert [5] * 450 == list(found)


async def test_sums_are_those_of_the_balances(db: Database) -> None:
    """Up to the newest line a day's transfers add up to what its balances say; up to an earlier
    one, to what they said then.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    version = owner.states["VM-1"].version
    before = await db.read(lambda c: sums_up_to(c, "VM-1", version, 0, None))
    rows = await db.read(lambda connection: connection.execute(select(balances)).all())
    assert before == {
        str(row.day): {
            one.account: (one.debit_minor, one.credit_minor) for one in rows if one.day == row.day
        }
        for row in rows
    }
    owner.now_ms += 86_400_000
    await owner.buy("VM-1", 2)
    assert before == await db.read(lambda c: sums_up_to(c, "VM-1", version, 0, None))
    day = owner.now_ms // 86_400_000
    after = await db.read(lambda c: sums_up_to(c, "VM-1", owner.states["VM-1"].version, day, None))
    assert [str(day)] == list(after)
    assert before[str(day - 1)] == after[str(day)]
    start = Start(**{**START.values(), "version": version, "balances": before})
    assert before | after == await db.read(
        lambda c: sums_up_to(c, "VM-1", owner.states["VM-1"].version, 0, start)
    )


def test_clocks_may_differ_around_midnight() -> None:
    """The day before the newest line's may still grow."""
    assert 19_999 == first_day(20_000 * 86_400_000)
