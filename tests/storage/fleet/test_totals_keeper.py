"""Totals are made once and kept near the end of the journal; whoever dies or comes second on the
way leaves them right.
"""

import asyncio
import itertools
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Update, delete, func, select, text, update
from structlog.testing import capture_logs

from actors.ports import StoreError
from storage.database.engine import Database, StorageConfig
from storage.database.reader import T, Work
from storage.fleet.balances import read_balances
from storage.fleet.fleet_balances import FleetBalances
from storage.fleet.fleet_totals import TotalsStanding, read_standing
from storage.fleet.registry import Registry
from storage.fleet.totals_keeper import AWAY_EVERY_S, EVERY_S, LOOKS, TotalsKeeper
from storage.machines.rows import DAY_MS
from storage.tables import balances, fleet_totals, journal
from tests.storage.owner import START_MS, Owner, new_machine, paid
from tests.storage.slow_commits import SlowCommit, on_postgres


@dataclass
class Pauses:
    """Takes no time. What is to happen in the next pauses happens there."""

    then: list[Callable[[], Awaitable[object]]] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)

    async def __call__(self, span_s: float) -> None:
        self.taken.append(span_s)
        if self.then:
            await self.then.pop(0)()


class TakesOver(Database):
    """From some moment on it is another one, its standby's."""

    standby: Database | None = None

    async def read(self, work: Work[T]) -> T:
        return await (super().read(work) if self.standby is None else self.standby.read(work))

    async def write(self, work: Work[T], *, proves: bool = True) -> T:
        if self.standby is None:
            return await super().write(work, proves=proves)
        return await self.standby.write(work, proves=proves)


class Away(Database):
    """Does not save, for as long as it is ``away``."""

    away = False

    async def write(self, work: Work[T], *, proves: bool = True) -> T:
        if self.away:
            raise StoreError("away")
        return await super().write(work, proves=proves)


async def _standing(db: Database) -> TotalsStanding:
    return await db.read(read_standing)


async def _position(db: Database) -> int:
    saved = (await _standing(db)).saved
    assert saved is not None
    return saved.position


async def _newest(db: Database) -> int:
    return await db.read(lambda connection: connection.scalar(select(func.max(journal.c.id))) or 0)


async def _compared(keeper: TotalsKeeper) -> None:
    """Have totals made, if there are none, and compared."""
    for _ in range(2):
        await keeper.once()


async def _is_right(db: Database) -> None:
    """Expect that the fleet's money is what all days of all machines say."""

    def both(connection: Connection) -> object:
        return read_balances(connection, "")

    assert await db.read(both) == await FleetBalances(db).read()


async def test_they_are_made_while_machines_sell(db: Database) -> None:
    """Of some machines at a time: what is sold between two reads is counted once, of a machine that
    is added up later and of one that was added up before, and another is registered meanwhile.
    """
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-3", "VM-4", "VM-5")
    for machine_id in ("VM-1", "VM-3", "VM-5"):
        await owner.buy(machine_id)
    before = await _newest(db)

    async def register() -> None:
        await Registry(db).register(new_machine("VM-0"), actor="test", now_ms=START_MS)

    pauses = Pauses(
        [
            lambda: owner.buy("VM-5", 2),
            register,
            lambda: owner.buy("VM-1", 2),
        ]
    )
    seconds = itertools.count().__next__
    await TotalsKeeper(db=db, machines_at_once=2, sleep=pauses, monotonic_s=seconds).once()
    assert [1, 1, 1] == pauses.taken, "as long as two machines took, two, and the rest"
    assert before == await _position(db) < await _newest(db)
    await _is_right(db)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("count", [1, 2, 3])
async def test_no_machine_is_left_out(db: Database, count: int) -> None:
    """Whether or not the last read has as many as fit into one."""
    names = [f"VM-{number}" for number in range(count)]
    owner = await Owner.of(db, *names)
    for name in names:
        await owner.do(name, paid(f"{name}-t1"))
    await TotalsKeeper(db=db, machines_at_once=2, sleep=Pauses()).once()
    assert await _newest(db) == await _position(db)
    await _is_right(db)


async def test_an_empty_database_has_totals(db: Database) -> None:
    """Of nothing, at the beginning."""
    await TotalsKeeper(db=db).once()
    assert 0 == await _position(db)
    assert [] == await FleetBalances(db).read()


@pytest.mark.slow_on_postgres
async def test_they_are_saved_again_when_they_are_far_behind(db: Database) -> None:
    """In pieces, each of which stays; a line less, and nothing is written."""
    owner = await Owner.of(db, "VM-1")
    pauses, many = Pauses(), 10
    keeper = TotalsKeeper(db=db, lines_behind=many, lines_at_once=4, sleep=pauses)
    await _compared(keeper)
    first = await _position(db)
    pauses.taken.clear()
    for trade in range(many - 1):
        await owner.do("VM-1", paid(f"t{trade}"))
    await keeper.once()
    assert (first, []) == (await _position(db), pauses.taken)
    await owner.do("VM-1", paid("last"))
    positions = []

    async def note() -> None:
        positions.append(await _position(db))

    pauses.then = [note, note, note]
    await keeper.once()
    assert [first, first + 4, first + 8] == positions
    assert await _newest(db) == await _position(db)
    await _is_right(db)


async def test_whoever_dies_before_saving_leaves_them_as_they_were(url: str) -> None:
    """The next one adds the same lines, once."""
    db = await Away.open(StorageConfig(url=url))
    owner = await Owner.of(db, "VM-1")
    keeper = TotalsKeeper(db=db, lines_behind=1, sleep=Pauses())
    for trade in range(3):
        await owner.buy("VM-1", trade + 1)
        before = await _standing(db)
        db.away = True
        with pytest.raises(StoreError):
            await keeper.once()
        db.away = False
        assert before == await _standing(db)
        await _is_right(db)
        await keeper.once()
        assert await _newest(db) == await _position(db)
        await _is_right(db)
    await db.close()


@pytest.mark.parametrize("there_are_some", [False, True])
async def test_of_two_who_save_one_counts(db: Database, *, there_are_some: bool) -> None:
    """The other one is a whole round behind: it saves nothing."""
    owner, pauses = await Owner.of(db, "VM-1"), Pauses()
    await owner.buy("VM-1")
    quick, slow = (TotalsKeeper(db=db, lines_behind=1, sleep=one) for one in (Pauses(), pauses))
    if there_are_some:
        await quick.once()
        await slow.once()
    await owner.buy("VM-1", 2)

    async def overtake() -> None:
        await owner.buy("VM-1", 3)
        await quick.once()

    pauses.then = [overtake]
    with capture_logs() as logs:
        await slow.once()
    assert [] == [line for line in logs if line["log_level"] == "error"]
    assert await _newest(db) == await _position(db)
    await _is_right(db)


async def test_a_process_compares_them_once(db: Database) -> None:
    """Behind whatever line they hold. Totals that are not what all balances say are replaced, which
    is said and counted; so are those of books in which a day is crooked, or is no more.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    await TotalsKeeper(db=db).once()
    right = await _standing(db)

    async def said_by(keeper: TotalsKeeper) -> list[str]:
        with capture_logs() as logs:
            await keeper.once()
        return [line["event"] for line in logs if line["log_level"] == "error"]

    later = TotalsKeeper(db=db)
    await owner.buy("VM-1", 2)
    assert [] == await said_by(later)
    assert right == await _standing(db)

    async def write(statement: Update) -> None:
        await db.write(lambda connection: connection.execute(statement))

    ours = update(balances).where(balances.c.account == "SALES")
    wrong: list[Update] = [
        update(fleet_totals).values(totals='{"sums":{}}'),
        ours.values(credit_minor=balances.c.credit_minor + 7),
        ours.values(credit_minor=balances.c.credit_minor - 7),
    ]
    counted: list[str] = []
    later.wrong = lambda: counted.append("by one that has compared them before")
    for statement, is_balanced in zip(wrong, (True, False, True), strict=True):
        await write(statement)
        assert [] == await said_by(later)
        assert ["the fleet's totals were not what all balances say: run 'vendgate audit'"] == (
            await said_by(TotalsKeeper(db=db, wrong=lambda: counted.append("")))
        )
        await _is_right(db)
        (told,) = await FleetBalances(db).read()
        assert is_balanced == told.ledger_balanced
    assert [""] * len(wrong) == counted


async def test_totals_that_were_made_of_two_databases_are_made_again(
    tmp_path: Path, upgraded_file: Path
) -> None:
    """A standby takes over without the last lines while they are made, and gives their positions to
    others: what was made of both is compared as well.
    """
    async with AsyncExitStack() as stack:
        file = shutil.copy(upgraded_file, tmp_path / "first.db")
        db = await TakesOver.open(StorageConfig(url=f"sqlite:///{file}"))
        stack.push_async_callback(db.close)
        owner = await Owner.of(db, "VM-1", "VM-2")
        with closing(sqlite3.connect(file)) as source:
            source.execute("VACUUM INTO ?", (str(tmp_path / "second.db"),))
        standby = await Database.open(StorageConfig(url=f"sqlite:///{tmp_path}/second.db"))
        stack.push_async_callback(standby.close)
        await owner.do("VM-1", paid("lost"))
        there = await Owner.claim(standby, "VM-2", holder="h2")
        for trade in range(9):
            await there.do("VM-2", paid(f"t{trade}"))

        async def take_over() -> None:
            db.standby = standby

        keeper = TotalsKeeper(db=db, machines_at_once=1, sleep=Pauses([take_over]))
        with capture_logs():
            await _compared(keeper)
        await _is_right(db)


async def test_a_row_that_was_deleted_is_made_again(db: Database) -> None:
    """Also if that happens to one who is about to save."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    pauses = Pauses()
    keeper = TotalsKeeper(db=db, lines_behind=1, sleep=pauses)
    await _compared(keeper)
    await owner.buy("VM-1", 2)
    pauses.then = [lambda: db.write(lambda connection: connection.execute(delete(fleet_totals)))]
    await keeper.once()
    assert (await _standing(db)).key is None
    await _is_right(db)
    await keeper.once()
    await _is_right(db)
    assert await _newest(db) == await _position(db)


async def test_they_are_brought_near_before_they_are_compared(db: Database) -> None:
    """A program of before, which keeps no totals, may have run for weeks: to compare them as they
    are would be one read of all that was sold meanwhile.
    """
    owner = await Owner.of(db, "VM-1")
    await TotalsKeeper(db=db, sleep=Pauses()).once()
    for trade in range(5):
        await owner.do("VM-1", paid(f"t{trade}"))
    seen: list[int] = []

    async def note() -> None:
        seen.append(await _position(db))

    pauses = Pauses([note, note, note])
    later = TotalsKeeper(db=db, lines_behind=4, lines_at_once=2, sleep=pauses)
    first = await _position(db)
    await later.once()
    assert [first, first + 2, first + 4] == seen
    assert await _newest(db) == await _position(db)
    await _is_right(db)


@pytest.mark.parametrize("position", [10**9, "'x'"])
async def test_a_position_that_the_journal_does_not_have_holds_nothing(
    tmp_path: Path, upgraded_file: Path, position: object
) -> None:
    """Somebody wrote it by hand: what is sold would be told never again. They are made again, also
    by one that has compared them before.
    """
    async with AsyncExitStack() as stack:
        file = shutil.copy(upgraded_file, tmp_path / "vendgate.db")
        db = await Database.open(StorageConfig(url=f"sqlite:///{file}"))
        stack.push_async_callback(db.close)
        owner = await Owner.of(db, "VM-1")
        await owner.buy("VM-1")
        keeper = TotalsKeeper(db=db, sleep=Pauses())
        await keeper.once()
        by_hand = text(f"UPDATE fleet_totals SET position = {position}")
        await db.write(lambda connection: connection.execute(by_hand))
        await owner.buy("VM-1", 2)
        await _is_right(db)
        await keeper.once()
        assert await _newest(db) == await _position(db)
        await _is_right(db)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_comes_between(db: Database, seed: int) -> None:
    """Sales of any day, readers, and two who keep the totals, in any order, also between two steps
    of one of them: what is told is what all days say, each time.
    """
    rng = random.Random(seed)
    names = ["VM-1", "VM-2", "VM-3"]
    owner, trades, deep = await Owner.of(db, *names), 0, 0

    async def sell() -> None:
        nonlocal trades
        trades += 1
        owner.now_ms = max(START_MS, owner.now_ms + rng.choice([0, 0, DAY_MS, -DAY_MS]))
        await owner.do(rng.choice(names), paid(f"t{trades}", trades, at_ms=owner.now_ms))

    async def between(_: float) -> None:
        nonlocal deep
        if deep < 3:
            deep += 1
            await step()
            deep -= 1

    async def forget() -> None:
        await db.write(lambda connection: connection.execute(delete(fleet_totals)))

    keepers = [
        TotalsKeeper(db=db, lines_behind=1, lines_at_once=2, machines_at_once=1, sleep=between)
        for _ in range(2)
    ]

    async def step() -> None:
        dice = rng.random()
        if dice < 0.5:
            await sell()
        elif dice < 0.6:
            await _is_right(db)
        elif dice < 0.63:
            await forget()
        else:
            await rng.choice(keepers).once()

    for _ in range(9):
        await step()
        await _is_right(db)
    assert trades


@on_postgres
async def test_nothing_is_passed_that_is_being_written(on_server: str) -> None:
    """Neither made nor brought further: a line that has its position is not there yet. When it is
    there, both are done.
    """
    config = StorageConfig(url=on_server)
    async with AsyncExitStack() as stack:
        slow_db, db = await SlowCommit.open(config), await Database.open(config)
        for one in (slow_db, db):
            stack.push_async_callback(one.close)
        slow = await Owner.of(slow_db, "VM-1", holder="h0", host="host-0")
        quick = await Owner.of(db, "VM-2", holder="h1", host="host-1")
        pauses = Pauses()
        keeper = TotalsKeeper(db=db, lines_behind=1, sleep=pauses)
        for trade in range(2):
            before = await _standing(db)
            slow_db.held, slow_db.written, slow_db.go_on = True, asyncio.Event(), asyncio.Event()
            late = asyncio.create_task(slow.do("VM-1", paid(f"late-{trade}")))
            await slow_db.written.wait()
            await quick.buy("VM-2", trade + 1)
            pauses.taken.clear()
            await keeper.once()
            assert LOOKS == len(pauses.taken)
            assert before == await _standing(db)
            await _is_right(db)
            slow_db.held = False
            slow_db.go_on.set()
            await late
            await _is_right(db)
            await _compared(keeper)
            assert await _newest(db) == await _position(db)
            await _is_right(db)


async def test_it_waits_for_a_database_that_is_away(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and goes on."""
    rounds = 0

    async def once(_: Any) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise StoreError("The database is away.")

    async def ends() -> None:
        raise asyncio.CancelledError

    async def nothing() -> None:
        """Let it go on."""

    monkeypatch.setattr(TotalsKeeper, "once", once)
    pauses = Pauses([nothing, nothing, ends])
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await TotalsKeeper(db=db, sleep=pauses).run()
    assert [AWAY_EVERY_S, EVERY_S, EVERY_S] == pauses.taken
    assert ["The database is away."] == [line["error"] for line in logs]
