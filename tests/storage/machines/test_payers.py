"""A buyer is one random number, whichever gateways hear of them, until the mapping is deleted."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, make_url, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from actors.machine.events import TopUpPaid
from actors.ports import StoreError
from storage import codec
from storage.database.engine import Database, StorageConfig
from storage.machines.inbox import Inbox, Received, Stored
from storage.machines.payers import (
    DAY_MS,
    TRIES,
    Buyer,
    Payers,
    forget,
    is_known,
    known_payer_id,
    put_in,
)
from storage.tables import inbox, payers
from tests.storage.notifications import received
from tests.storage.owner import START_MS
from tests.support.patience import HANGS_AFTER_S, LOOK_EVERY_S

ALICE = Buyer(buyer_hash="a" * 64, new_payer_id="number-1")
ALICE_AGAIN = Buyer(buyer_hash="a" * 64, new_payer_id="number-2")
BOB = Buyer(buyer_hash="b" * 64, new_payer_id="number-3")


def paid_by(buyer: Buyer | None, trade_id: str = "t1", at_ms: int = START_MS) -> Received:
    """A payment of a buyer, as the ingress hands it over."""
    return replace(received(trade_id, payer_id=""), buyer=buyer, received_at_ms=at_ms)


def number(stored: Stored) -> str:
    """Return by what number the owner is told of the payer."""
    assert isinstance(stored.event, TopUpPaid)
    return stored.event.payer_id


async def mapped(db: Database) -> dict[str, tuple[str, int, int]]:
    """Return the whole table."""
    rows = await db.read(lambda connection: connection.execute(select(payers)).all())
    return {row.buyer_hash[0]: (row.payer_id, row.first_seen_ms, row.last_seen_ms) for row in rows}


async def test_a_buyer_keeps_the_first_number(db: Database) -> None:
    """It is saved with the event and told with it, at each later payment too; others get theirs,
    and nobody gets none.
    """
    put = Inbox(db).put
    told = [
        number(await put(paid_by(buyer, trade_id)))
        for buyer, trade_id in ((ALICE, "t1"), (BOB, "t2"), (ALICE_AGAIN, "t3"), (None, "t4"))
    ]
    assert ["number-1", "number-3", "number-1", ""] == told
    chosen = select(inbox.c.event).order_by(inbox.c.id)
    events = await db.read(lambda connection: connection.scalars(chosen).all())
    assert told == [codec.decode_event(event).payer_id for event in events]  # type: ignore[union-attr]
    assert {"a", "b"} == set(await mapped(db))


async def test_a_buyer_keeps_the_number_under_another_salt(db: Database) -> None:
    """Found under the old hash, known under the new one from then on, with the first day that they
    had; and found again by a gateway that still hashes with the old salt first.
    """
    put = Inbox(db).put
    old, new = "a" * 64, "n" * 64
    told = [
        number(await put(paid_by(replace(ALICE_AGAIN, **how), trade_id, at_ms)))
        for trade_id, at_ms, how in (
            ("t1", START_MS, {"new_payer_id": "number-1"}),
            ("t2", START_MS + 1, {"buyer_hash": new, "other_hashes": (old,)}),
            ("t3", START_MS + 2, {"buyer_hash": new, "other_hashes": (old,)}),
            ("t4", START_MS + 3, {"buyer_hash": old, "other_hashes": (new,)}),
            ("t5", START_MS + 4, {"buyer_hash": new, "other_hashes": (old,)}),
            ("t6", START_MS + 5, {"buyer_hash": new}),
        )
    ]
    assert ["number-1"] * 6 == told
    assert {"n": ("number-1", START_MS, START_MS + 4)} == await mapped(db)
    stranger = replace(BOB, other_hashes=("c" * 64,))
    assert "number-3" == number(await put(paid_by(stranger, "t7")))


async def test_when_a_payer_was_seen_is_written_once_a_day(db: Database) -> None:
    """So that a payment costs no further row; a clock that went back changes nothing."""
    put = Inbox(db).put
    for trade_id, at_ms in (
        ("t1", START_MS),
        ("t2", START_MS + DAY_MS - 1),
        ("t3", START_MS - DAY_MS),
    ):
        await put(paid_by(ALICE, trade_id, at_ms))
    assert {"a": ("number-1", START_MS, START_MS)} == await mapped(db)
    await put(paid_by(ALICE, "t4", START_MS + DAY_MS))
    assert {"a": ("number-1", START_MS, START_MS + DAY_MS)} == await mapped(db)


async def test_what_was_told_before_makes_nobody_known(db: Database) -> None:
    """A repetition, and a contradiction, of a payment whose payer was erased meanwhile."""
    put = Inbox(db).put
    await put(paid_by(ALICE))
    await db.write(lambda connection: forget(connection, "number-1"))
    verdicts = [
        (await put(paid_by(ALICE_AGAIN))).verdict,
        (await put(replace(paid_by(ALICE_AGAIN), machine_id="VM-2"))).verdict,  # type: ignore[arg-type]
    ]
    assert ["DUPLICATE", "CONFLICT"] == verdicts
    assert {} == await mapped(db)


async def test_gateways_that_hear_of_a_new_buyer_at_once_agree(db: Database, url: str) -> None:
    """Each with a database connection and numbers of its own, and eight buyers in the same
    moment.
    """
    other = await Database.open(StorageConfig(url=url))
    puts = [
        Inbox(gateway).put(
            paid_by(
                Buyer(buyer_hash=f"{buyer}" * 64, new_payer_id=f"{name}{buyer}"), f"{name}{buyer}"
            )
        )
        for buyer in range(8)
        for name, gateway in (("x", db), ("y", other))
    ]
    numbers = [number(stored) for stored in await asyncio.gather(*puts)]
    await other.close()
    assert numbers[::2] == numbers[1::2]
    assert 8 == len(set(numbers))


async def test_a_buyer_who_is_being_put_in_is_waited_for(db: Database, url: str) -> None:
    """On PostgreSQL another gateway's transaction is seen after its COMMIT: the second one waits
    for it and takes its number. SQLite has one writer at a time.
    """
    if db.dialect.name != "postgresql":
        pytest.skip("of PostgreSQL")
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    async with engine.connect() as first:
        row = {"payer_id": "number-1", "first_seen_ms": 1, "last_seen_ms": START_MS}
        await first.execute(insert(payers).values(buyer_hash="a" * 64, **row))
        second = asyncio.create_task(Inbox(db).put(paid_by(ALICE_AGAIN)))
        async with asyncio.timeout(HANGS_AFTER_S):
            while not await db.read(lambda connection: connection.scalar(waiting)):
                await asyncio.sleep(LOOK_EVERY_S)
        assert not second.done()
        await first.commit()
        assert "number-1" == number(await second)
    await engine.dispose()


async def test_a_buyer_who_is_put_in_and_erased_all_the_time_is_not_made_up(db: Database) -> None:
    """Nobody answers with a number that is not saved: the notification comes again."""

    class Forgetful:
        """Says that the row is there when it is put in, and not when it is looked for."""

        def __init__(self, connection: Connection) -> None:
            self.dialect, self.asked = connection.dialect, 0

        def execute(self, *_: object) -> "Forgetful":
            self.asked += 1
            return self

        def one_or_none(self) -> None:
            return None

        def scalar(self, *_: object) -> None:
            return None

    def never(connection: Connection) -> int:
        forgetful = Forgetful(connection)
        with pytest.raises(StoreError, match="several times"):
            put_in(forgetful, ALICE, now_ms=START_MS)  # type: ignore[arg-type]
        return forgetful.asked

    assert TRIES == await db.write(never)


async def test_a_deleted_mapping_is_a_person_forgotten(db: Database) -> None:
    """They come back under another number; nobody is forgotten twice."""
    put = Inbox(db).put
    await put(paid_by(ALICE))
    known = [await db.read(lambda connection: is_known(connection, "number-1"))]
    gone = [await db.write(lambda connection: forget(connection, "number-1")) for _ in range(2)]
    known.append(await db.read(lambda connection: is_known(connection, "number-1")))
    assert ([True, False], [True, False]) == (gone, known)
    assert "number-2" == number(await put(paid_by(ALICE_AGAIN, "t2")))


async def test_the_payer_of_nobody_is_not_forgotten(db: Database) -> None:
    """An empty number is no number."""
    await Inbox(db).put(paid_by(ALICE))
    assert not await db.write(lambda connection: forget(connection, ""))
    assert {"a"} == set(await mapped(db))


async def test_unused_mappings_go_a_few_at_a_time_and_the_oldest_first(db: Database) -> None:
    """Whoever paid at that time or later stays."""
    for day in range(5):
        buyer = Buyer(buyer_hash=f"{day}" * 64, new_payer_id=f"number-{day}")
        await Inbox(db).put(paid_by(buyer, f"t{day}", START_MS + day * DAY_MS))
    before_ms = START_MS + 3 * DAY_MS
    sweep = Payers(db).forget_unused
    assert 2 == await sweep(before_ms=before_ms, limit=2)
    assert {"2", "3", "4"} == set(await mapped(db))
    assert 1 == await sweep(before_ms=before_ms, limit=2)
    assert 0 == await sweep(before_ms=before_ms, limit=2)
    assert {"3", "4"} == set(await mapped(db))


async def test_a_number_that_is_swept_while_it_is_looked_up_is_not_used(db: Database) -> None:
    """On PostgreSQL a sweep of another gateway may delete an old mapping between the look and the
    note that its buyer was seen: they are put in again, and no payment gets a number of nobody.
    """
    await Inbox(db).put(paid_by(ALICE))

    def swept_meanwhile(connection: Connection) -> str | None:
        def sweep(_: object, cursor: Any, statement: str, *_rest: object) -> None:
            if statement.startswith("UPDATE payers"):
                cursor.execute("DELETE FROM payers")

        event.listen(connection, "before_cursor_execute", sweep)
        return known_payer_id(connection, ALICE_AGAIN, now_ms=START_MS + 400 * DAY_MS)

    assert await db.write(swept_meanwhile) is None
    assert {} == await mapped(db)
