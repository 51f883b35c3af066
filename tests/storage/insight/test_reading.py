"""A batch holds all that facts are made of, and nothing is missing between two of them."""

from functools import partial

import pytest
from sqlalchemy import insert, select, update

from storage.database.engine import Database
from storage.insight.reading import Batch, read_batch
from storage.tables import journal, starts
from tests.storage.insight.shop import sold


async def batches(db: Database, most: int, horizon: int = 10_000) -> list[Batch]:
    """All batches from the beginning."""
    found: list[Batch] = []
    while True:
        after = found[-1].upto if found else 0
        work = partial(read_batch, after=after, horizon=horizon, most=most)
        batch = await db.read(work)
        if batch is None:
            return found
        found.append(batch)


async def test_every_line_is_in_one_batch(db: Database) -> None:
    """However many there are in each; each comes with the vends and payments that it names."""
    await sold(db, "VM-1", "VM-2")
    every = select(journal.c.id, journal.c.kind, journal.c.at_ms).order_by(journal.c.id)
    there = await db.read(lambda connection: connection.execute(every).all())
    (whole,) = await batches(db, 1_000)
    chose = [row.id for row in there if row.kind == "VendRequested"]
    assert chose == [line.position for line in whole.lines]
    assert (there[-1].id, there[-1].at_ms) == (whole.upto, whole.newest_ms)
    for most in (1, 3, 7):
        some = await batches(db, most)
        assert [line for one in some for line in one.lines] == list(whole.lines)
        assert [moved for one in some for moved in one.moved] == list(whole.moved)
        assert all(len(one.lines) <= most for one in some)
        assert whole.vends == {name: vend for one in some for name, vend in one.vends.items()}
    assert 4 == len(whole.vends)
    assert {"payer-alice"} == {one.payer_id for one in whole.payments.values()}
    assert {"AUTHORIZATION_FIRST"} == set(whole.modes.values())
    kinds = [one.kind for one in whole.moved]
    assert (4, 4, 4) == tuple(kinds.count(kind) for kind in ("TOP_UP", "RESERVE", "SETTLE"))


@pytest.mark.slow_on_postgres
async def test_nobody_reads_beyond_the_horizon(db: Database) -> None:
    """Behind it lines may be missing."""
    await sold(db, "VM-1")
    (some,) = await batches(db, 1_000, horizon=5)
    assert 5 == some.upto
    assert [] == await batches(db, 1_000, horizon=0)


async def test_what_the_archive_has_is_not_read(db: Database) -> None:
    """Of that machine, up to where its books begin; the position goes on all the same."""
    await sold(db, "VM-1", "VM-2")
    (whole,) = await batches(db, 1_000)
    start = {
        "machine_id": "VM-1",
        "version": 8,
        "digest": "",
        "at_ms": 1,
        "from_day": 0,
        "balances": "{}",
        "link": "{}",
    }
    await db.write(lambda connection: connection.execute(insert(starts), start))
    (rest,) = await batches(db, 1_000)
    assert whole.upto == rest.upto
    gone = [line for line in whole.lines if line.machine_id == "VM-1" and line.version <= 8]
    assert 1 == len(gone)
    assert [line for line in whole.lines if line not in gone] == list(rest.lines)
    assert {one.version for one in rest.moved if one.machine_id == "VM-1"} == {
        one.version for one in whole.moved if one.machine_id == "VM-1" and one.version > 8
    }
    everything = update(starts).values(version=10_000)
    await db.write(lambda connection: connection.execute(everything))
    some = await batches(db, 4)
    assert whole.upto == some[-1].upto
    assert {"VM-2"} == {line.machine_id for one in some for line in one.lines}
    assert {"VM-2"} == {moved.machine_id for one in some for moved in one.moved}
