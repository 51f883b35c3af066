"""Recalls: who looks which columns they lock, how often, and what ends them."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from storage.database.engine import Database
from storage.fleet.answers import Answers, Asked, Claim
from storage.machines.rows import DAY_MS
from storage.office.deeds import NotPossible, NotThere
from storage.office.locks import Locks
from storage.office.recalls import (
    EXPIRED_AT_ONCE,
    LOOK_EVERY_MS,
    NewRecall,
    RecallCause,
    Recalls,
    expired,
    next_look_ms,
    recalls_page,
    today_first,
)
from storage.office.stays import begins_ms
from storage.office.supply import HOUR_MS
from storage.tables import goods_lots
from tests.storage.office import locking as of
from tests.storage.office.places import NOON_MS, by, details
from tests.storage.office.plans import goes_along, plan_of

HELD_MS = 30_000


async def lots(db: Database, *lots_: tuple[str, str]) -> None:
    """Have lots of cola with their last days."""
    rows = [
        {
            "product": "cola",
            "lot": lot,
            "expires_on": day,
            "unit_cost_minor": None,
            "currency": "",
            "received_at_ms": 1,
        }
        for lot, day in lots_
    ]
    await db.write(lambda connection: connection.execute(insert(goods_lots), rows))


@pytest.mark.slow_on_postgres
async def test_a_new_recall_does_not_wait_for_what_has_expired(db: Database) -> None:
    """Lots that expired are looked for each day, all that ever did. Looked at once, a recall waits
    its turn like any other.
    """
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await lots(db, ("L2", "2020-01-01"), ("L3", "2020-01-01"))
    recalls, now_ms = Recalls(db), NOON_MS + DAY_MS
    assert 2 == len(await recalls.expire(replace(by(), now_ms=NOON_MS)))
    await recalls.begin("r-1", of.LOT, replace(by(), now_ms=NOON_MS + 1))
    taken = await recalls.take("gw-1", now_ms=now_ms, held_ms=HELD_MS)
    assert taken is not None
    assert "r-1" == taken.recall_id
    await recalls.looked(taken, "gw-1", now_ms=now_ms)
    taken = await recalls.take("gw-1", now_ms=now_ms + LOOK_EVERY_MS, held_ms=HELD_MS)
    assert taken is not None
    assert RecallCause.EXPIRED is taken.cause


@pytest.mark.slow_on_postgres
async def test_what_nobody_knows_is_not_recalled(db: Database) -> None:
    """A mistyped lot would lock nothing, and nobody would notice."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    for wanted in (("cola", "L9"), ("cake", ""), ("cake", "L1")):
        with pytest.raises(NotThere):
            await of.recalled(db, NewRecall(product=wanted[0], lot=wanted[1], reason="x"))


@pytest.mark.slow_on_postgres
async def test_a_recall_is_open_once_until_it_is_released(db: Database) -> None:
    """Then the same may be recalled again; each of these is in the audit log."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    there = await of.recalled(db)
    assert (None, "ann", "glass") == (there.released_at_ms, there.actor, there.reason)
    with pytest.raises(NotPossible) as refused:
        await of.recalled(db, recall_id="r-2")
    assert "RECALL_OPEN" == refused.value.reason
    released = await Recalls(db).release("r-1", by("bob"), reason="tested")
    assert ("bob", NOON_MS) == (released.released_by, released.released_at_ms)
    with pytest.raises(NotPossible) as refused:
        await Recalls(db).release("r-1", by(), reason="tested")
    assert "RECALL_RELEASED" == refused.value.reason
    with pytest.raises(NotThere):
        await Recalls(db).release("r-9", by(), reason="tested")
    await of.recalled(db, recall_id="r-2")
    assert [
        "recall r-1 of lot L1 of cola; glass",
        "recall r-1 of lot L1 of cola released; tested",
        "recall r-2 of lot L1 of cola; glass",
    ] == [one for one in await details(db) if "recall" in one]


async def test_a_name_that_an_older_request_made_is_said_to_be_used(db: Database) -> None:
    """Its answer is forgotten, and the same name is made once."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    recalls = Recalls(db)
    await recalls.begin("r-1", of.LOT, by())
    await recalls.release("r-1", by(), reason="tested")
    asked = Asked(caller="ann", request_id="r", rpc="RecallLot", content_sha256="0")
    claim = await Answers(db).begin(asked, now_ms=1, lease_ms=60_000)
    assert isinstance(claim, Claim)
    again = replace(by(), claim=claim)
    with pytest.raises(NotPossible) as refused:
        await recalls.begin("r-1", of.LOT, again)
    assert ("REQUEST_ID_USED", {"request": "r"}) == (refused.value.reason, refused.value.about)
    await recalls.begin("r-2", of.LOT, by())


@pytest.mark.slow_on_postgres
async def test_what_is_only_checked_is_not_there(db: Database) -> None:
    """Neither a recall nor its release."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    checked = await Recalls(db).begin("r-1", of.LOT, by(check=True))
    assert "r-1" == checked.recall_id
    with pytest.raises(NotThere):
        await Recalls(db).get("r-1")


async def test_one_gateway_looks_and_another_goes_on_when_it_died(db: Database) -> None:
    """The hold runs out, and one who lets go gives it up at once."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.recalled(db)
    recalls, now = Recalls(db), NOON_MS
    taken = await recalls.take("gw-1", now_ms=now, held_ms=HELD_MS)
    assert taken is not None
    assert taken == await recalls.take("gw-1", now_ms=now + 1, held_ms=HELD_MS)
    assert None is await recalls.take("gw-2", now_ms=now + HELD_MS, held_ms=HELD_MS)
    assert await recalls.hold("r-1", "gw-1", now_ms=now, held_ms=HELD_MS)
    assert taken == await recalls.take("gw-2", now_ms=now + HELD_MS, held_ms=HELD_MS)
    assert not await recalls.hold("r-1", "gw-1", now_ms=now, held_ms=HELD_MS)
    await recalls.let_go("gw-2")
    assert taken == await recalls.take("gw-1", now_ms=now, held_ms=HELD_MS)
    looked = await recalls.looked(taken, "gw-1", now_ms=now + 5)
    assert (now + 5, now + 5 + LOOK_EVERY_MS) == (looked.looked_at_ms, looked.look_at_ms)
    assert None is await recalls.take("gw-1", now_ms=now + 6, held_ms=HELD_MS)


@pytest.mark.slow_on_postgres
async def test_one_that_is_released_while_somebody_looks_is_looked_at_again(db: Database) -> None:
    """At once, because what was looked at is not so any more; then never again."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.recalled(db)
    recalls = Recalls(db)
    taken = await recalls.take("gw-1", now_ms=NOON_MS, held_ms=HELD_MS)
    assert taken is not None
    await recalls.release("r-1", by(), reason="tested")
    looked = await recalls.looked(taken, "gw-1", now_ms=NOON_MS + 5)
    assert NOON_MS + 5 == looked.look_at_ms
    again = await recalls.take("gw-1", now_ms=NOON_MS + 6, held_ms=HELD_MS)
    assert again is not None
    assert again.released
    assert None is (await recalls.looked(again, "gw-1", now_ms=NOON_MS + 7)).look_at_ms


async def test_what_comes_into_a_column_while_somebody_looks_is_looked_for_again(
    db: Database,
) -> None:
    """At once: they may have passed the column already."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.recalled(db)
    recalls = Recalls(db)
    taken = await recalls.take("gw-1", now_ms=NOON_MS, held_ms=HELD_MS)
    assert taken is not None
    await recalls.looked(taken, "gw-1", now_ms=NOON_MS)
    due_ms = NOON_MS + LOOK_EVERY_MS
    taken = await recalls.take("gw-1", now_ms=due_ms, held_ms=HELD_MS)
    assert taken is not None
    await Locks(db).look_again("cola", due_ms + 5)
    looked = await recalls.looked(taken, "gw-1", now_ms=due_ms + 9)
    assert due_ms + 9 == looked.look_at_ms


@pytest.mark.slow_on_postgres
async def test_a_clock_that_was_set_back_makes_no_recall_wait(db: Database) -> None:
    """Made, looked at and released by a clock that was two days ahead: each is due by the right
    one, and once only.
    """
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    recalls, ahead_ms = Recalls(db), NOON_MS + 2 * DAY_MS

    async def looked(now_ms: int, at_ms: int) -> bool:
        taken = await recalls.take("gw-1", now_ms=now_ms, held_ms=HELD_MS)
        if taken is not None:
            await recalls.looked(taken, "gw-1", now_ms=at_ms)
        return taken is not None

    wanted = NewRecall(product="cola", lot="L1", reason="glass")
    await recalls.begin("r-1", wanted, by(now_ms=ahead_ms))
    assert await looked(NOON_MS, ahead_ms + 1)
    assert [True, False] == [await looked(NOON_MS + n, NOON_MS + n) for n in (1, 2)]
    await recalls.release("r-1", by(now_ms=ahead_ms), reason="tested")
    assert [True, False] == [await looked(NOON_MS + n, NOON_MS + n) for n in (3, 4)]


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    ("cause", "released", "days", "locks", "expected"),
    [
        (RecallCause.RECALLED, False, 2, False, LOOK_EVERY_MS),
        (RecallCause.RECALLED, False, 3, True, LOOK_EVERY_MS),
        (RecallCause.RECALLED, False, 3, False, HOUR_MS),
        (RecallCause.RECALLED, True, 0, True, LOOK_EVERY_MS),
        (RecallCause.RECALLED, True, 0, False, None),
        (RecallCause.EXPIRED, False, 1, False, LOOK_EVERY_MS),
        (RecallCause.EXPIRED, False, 9, True, LOOK_EVERY_MS),
        (RecallCause.EXPIRED, False, 9, False, DAY_MS),
    ],
)
async def test_how_often_somebody_looks(
    db: Database,
    *,
    cause: RecallCause,
    released: bool,
    days: int,
    locks: bool,
    expected: int | None,
) -> None:
    """Each minute while there is something to lock, or may still arrive; else each hour, and what
    expired long ago, each day.
    """
    await of.machines(db)
    await lots(db, ("L1", "2027-01-31"))
    now_ms = begins_ms("2027-01-31", "UTC") + days * DAY_MS
    (made,) = await Recalls(db).expire(by(now_ms=begins_ms("2027-02-02", "UTC")))
    one = replace(made, cause=cause, released_at_ms=1 if released else None)
    told = next_look_ms(one, now_ms, locks=locks, seen=True)
    assert expected == (None if told is None else told - now_ms)


async def test_lots_expire_where_the_day_is_over_first_and_each_once(db: Database) -> None:
    """At noon in Greenwich it is the next day fourteen hours east; what a person released is not
    locked by itself again.
    """
    assert ("2024-10-04", "2024-10-05") == (
        today_first(NOON_MS - 7_200_001 + 0),
        today_first(NOON_MS),
    )
    await of.machines(db)
    await lots(db, ("L1", "2024-10-04"), ("L2", "2024-10-05"), ("L3", ""))
    recalls = Recalls(db)
    (made,) = await recalls.expire(by())
    assert ("L1", "its last day was 2024-10-04") == (made.lot, made.reason)
    assert [] == await recalls.expire(by())
    await recalls.release(made.recall_id, by(), reason="wrong date")
    assert [] == await recalls.expire(by())
    assert [] == await recalls.page(released=False, before=None, limit=9)
    assert [made.recall_id] == [
        one.recall_id for one in await recalls.page(released=True, before=None, limit=9)
    ]


async def test_lists_go_along_indexes(db: Database) -> None:
    """The newest recalls, and the lots that have expired."""
    await goes_along(db, recalls_page(True, (5, "r"), 9), "recalls_by_created_at_ms_recall_id")
    plan = await plan_of(db, expired("2027-01-01", EXPIRED_AT_ONCE))
    assert any("goods_lots_by_expires_on_product_lot" in line for line in plan), plan
    assert any("recalls_of_lots" in line for line in plan), plan
