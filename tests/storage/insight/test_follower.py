"""Each line of the journal counts once, wherever a follower stops, and whoever goes on."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, func, select

from actors.ports import StoreError
from storage.database.engine import Database
from storage.database.reader import T, Work
from storage.insight.clearing import SUMS
from storage.insight.follower import LOOK_EVERY_S, NAME, Follower, lag_of
from storage.insight.lease import FOLLOWING, FollowerLost, read_standing
from storage.tables import balances, funnel_days, machine_hours, sale_facts, sales_days
from tests.storage.insight.shop import HOUR_MS, StillClock, follower, positions, rows, sold
from tests.support.keeping import Keeping


async def of_all(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """All that a follower made."""
    return {table.name: await rows(db, table) for table in (sale_facts, *SUMS)}


async def test_what_is_told_is_what_the_ledger_says(db: Database) -> None:
    """And how far that is."""
    await sold(db, "VM-1", "VM-2")
    lag = await lag_of(db)
    assert (0, FOLLOWING, "") == (lag.position, lag.stage, lag.holder)
    assert lag.lines
    assert lag.waits_since_ms is not None
    ours = follower(db)
    position = await ours.catch_up()
    wanted = select(func.sum(balances.c.credit_minor)).where(balances.c.account == "SALES")
    assert 2_000 == await db.read(lambda connection: connection.scalar(wanted))
    assert [500] * 4 == [row[13] for row in await rows(db, sale_facts)]
    assert [("VM-1", 2, 1_000), ("VM-2", 2, 1_000)] == [
        (row[0], row[4], row[5]) for row in await rows(db, sales_days)
    ]
    lag = await lag_of(db)
    assert (position, 0, None, "f1") == (lag.position, lag.lines, lag.waits_since_ms, lag.holder)
    stages = {row[3]: row[4] for row in await rows(db, funnel_days) if row[0] == "VM-1"}
    assert {"PAID": 2, "APPROVED": 2, "DELIVERED": 2} == stages


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("lines_at_once", [1, 3, 1_000])
async def test_all_is_made_the_same_however_it_is_cut(db: Database, lines_at_once: int) -> None:
    """In small batches, by several followers in turn, or while machines sell."""
    owner = await sold(db, "VM-1")
    first = follower(db, "f1", lines_at_once=lines_at_once)
    await first.once()
    await first.give_up()
    await owner.buy("VM-1", 3)
    second = follower(db, "f2", lines_at_once=lines_at_once)
    await second.catch_up()
    assert 3 == len(await positions(db))
    made = await of_all(db)
    await second.rebuild()
    await second.catch_up()
    assert made == await of_all(db)


def die_at(
    monkeypatch: pytest.MonkeyPatch, db: Database, number: int, *, saved: bool = False
) -> None:
    """Let the database say of the write with this number, from 1, that it failed: nothing of it is
    saved, or all of it if ``saved``.
    """
    write, left = db.write, [number]

    async def dying(work: Work[T], *, proves: bool = True) -> T:
        left[0] -= 1
        if left[0]:
            return await write(work, proves=proves)
        if saved:
            await write(work, proves=proves)
            raise StoreError("the answer was lost")

        def broken(connection: Connection) -> T:
            work(connection)
            raise StoreError("it died")

        return await write(broken, proves=proves)

    monkeypatch.setattr(db, "write", dying)


@pytest.mark.parametrize("saved", [False, True])
async def test_a_death_at_any_transaction_loses_and_doubles_nothing(
    db: Database, saved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was saved or not; the next one goes on. So while all is made again."""
    await sold(db, "VM-1", times=1)
    await follower(db, "f0").catch_up()
    made = await of_all(db)
    number, died = 0, True
    while died:
        number += 1
        dying = follower(db, f"d{number}", lines_at_once=9)
        with monkeypatch.context() as patched:
            die_at(patched, db, number, saved=saved)
            try:
                await dying.rebuild()
                await dying.catch_up()
                died = False
            except StoreError:
                pass
        heir = follower(db, f"h{number}")
        monkeypatch.setattr(heir._watch, "may_claim", lambda *_: True)
        await heir.catch_up()
        assert made == await of_all(db), number
    assert number > 4


@pytest.mark.slow_on_postgres
async def test_who_follows_keeps_it_and_who_was_superseded_stops(db: Database) -> None:
    """Another one looks on while the first one beats; a person's order ends the first one."""
    owner = await sold(db, "VM-1")
    first, second = follower(db, "f1"), follower(db, "f2")
    await first.catch_up()
    assert not await second.once()
    assert second.held is None
    with pytest.raises(FollowerLost):
        await second.catch_up()
    await second.rebuild()
    await owner.buy("VM-1", 3)
    with pytest.raises(FollowerLost):
        await first.once()
    await second.catch_up()
    assert 3 == len(await positions(db))


async def test_it_runs_until_it_is_told_to_end(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the database says meanwhile; then another goes on at once."""
    await sold(db, "VM-1")
    slept: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 3:
            enough.set()
            await asyncio.sleep(3_600)

    die_at(monkeypatch, db, 2)
    running = Follower(db=db, clock=StillClock(), holder="f1", sleep=sleep)
    task = asyncio.create_task(running.run())
    await enough.wait()
    assert 2 == len(await positions(db))
    assert "f1" == (await lag_of(db)).holder
    task.cancel()
    await asyncio.wait({task})
    assert "" == (await lag_of(db)).holder


@pytest.mark.slow_on_postgres
async def test_it_leaves_as_much_time_as_it_takes(db: Database) -> None:
    """Also when there is much to make up for: machines sell meanwhile."""
    await sold(db, "VM-1")
    now = [0.0]
    slept: list[float] = []

    def tells() -> float:
        now[0] += 1.0
        return now[0]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds == LOOK_EVERY_S:
            raise asyncio.CancelledError

    running = Follower(
        db=db, clock=StillClock(), holder="f1", lines_at_once=1, monotonic_s=tells, sleep=sleep
    )
    with pytest.raises(asyncio.CancelledError):
        await running.run()
    assert len(slept) > 2
    assert all(took >= 1.0 for took in slept[:-1])


@pytest.mark.slow_on_postgres
async def test_it_beats_while_it_leaves_time_to_others(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What took longer than a lease is followed by as long a rest, in which nobody takes it for
    dead, and so begins the same again.
    """
    await sold(db, "VM-1", times=1)
    now = [0.0]
    beats: list[int] = []
    running = Follower(db=db, clock=StillClock(), holder="f1", monotonic_s=lambda: now[0])
    once = running.once

    async def takes_long() -> bool:
        more = await once()
        now[0] += 7.0
        return more

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        standing = await db.read(lambda connection: read_standing(connection, NAME))
        beats.append(standing.beat)
        if len(beats) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr(Follower, "once", lambda _: takes_long())
    running.sleep = sleep
    with pytest.raises(asyncio.CancelledError):
        await running.run()
    assert [beats[0] + number for number in range(4)] == beats
    assert 14.0 == now[0]


@pytest.mark.slow_on_postgres
async def test_it_beats_while_nothing_happens(db: Database) -> None:
    """Three times in a lease and no more, so that nobody takes it for dead."""
    await sold(db, "VM-1")
    now = [0.0]
    tells: Callable[[], float] = lambda: now[0]  # noqa: E731
    ours = Follower(db=db, clock=StillClock(), holder="f1", monotonic_s=tells)
    await ours.catch_up()
    assert ours.held is not None
    beat = ours.held.beat
    for at in (1.0, 1.9, 2.0, 2.1, 3.9, 4.0):
        now[0] = at
        await ours.once()
    assert beat + 2 == ours.held.beat


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    ("error", "waits"),
    [(RuntimeError("a line that cannot be told"), 10.0), (StoreError("the disk is full"), 5.0)],
)
async def test_what_cannot_be_told_is_tried_seldom(
    db: Database, monkeypatch: pytest.MonkeyPatch, error: Exception, waits: float
) -> None:
    """And nothing of it is passed over."""
    await sold(db, "VM-1", times=1)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 4:
            raise asyncio.CancelledError

    def broken(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("storage.insight.follower.read_batch", broken)
        running = Follower(db=db, clock=StillClock(), holder="f1", sleep=sleep)
        with pytest.raises(asyncio.CancelledError):
            await running.run()
    assert [waits, 0.5, waits, 0.5] == slept
    assert 0 == (await lag_of(db)).position


@pytest.mark.slow_on_postgres
async def test_a_clock_that_is_a_year_ahead_ends_no_days(db: Database) -> None:
    """A line of one host whose clock is wrong: other machines are not counted on beyond now, and
    what goes by days (tags, what is kept) does not go by it.
    """
    owner = await sold(db, "VM-1", "VM-2")
    now_ms = owner.now_ms + 2 * HOUR_MS
    owner.now_ms += 365 * 24 * HOUR_MS
    await owner.buy("VM-1", 9)
    ours = follower(db, now_ms=now_ms)
    await ours.catch_up()
    assert now_ms == (await lag_of(db)).complete_until_ms
    hours = [row for row in await rows(db, machine_hours) if row[0] == "VM-2"]
    assert 0 < len(hours) <= 3


@pytest.mark.slow_on_postgres
async def test_our_own_clock_that_is_a_year_ahead_ends_no_days(db: Database) -> None:
    """Nor does it if the host has the same one, on one computer: what is kept for days would go."""
    owner = await sold(db, "VM-1")
    now_ms = owner.now_ms + 2 * HOUR_MS
    owner.now_ms += 365 * 24 * HOUR_MS
    await owner.buy("VM-1", 9)
    ours = follower(db)
    ours.keeping = Keeping(now_ms)
    await ours.catch_up()
    assert now_ms == (await lag_of(db)).complete_until_ms


async def test_at_the_end_of_a_journal_that_rests_nothing_but_the_end_is_asked_for(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who follows looks twice a second; what is sold then is told all the same."""
    owner = await sold(db, "VM-1")
    ours = follower(db)
    await ours.catch_up()
    while await ours.once():
        pass
    read, reads = db.read, 0

    async def counting(work: Work[T]) -> T:
        nonlocal reads
        reads += 1
        return await read(work)

    with monkeypatch.context() as patched:
        patched.setattr(db, "read", counting)
        assert not await ours.once()
    assert 1 == reads
    told = len(await rows(db, sale_facts))
    await owner.buy("VM-1", 3)
    await ours.catch_up()
    assert told + 1 == len(await rows(db, sale_facts))
