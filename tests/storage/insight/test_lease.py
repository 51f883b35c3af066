"""One follows at a time: who beats keeps it, and who was superseded writes nothing."""

import asyncio
from dataclasses import replace

import pytest

from storage.database.engine import Database
from storage.insight import lease
from storage.insight.lease import CLEARING, FollowerLost, LeaseWatch, Standing

NAME = "sales"


async def standing(db: Database) -> Standing:
    """How the follower stands."""
    return await db.read(lambda connection: lease.read_standing(connection, NAME))


async def claimed(db: Database, seen: Standing, holder: str) -> Standing:
    """Claim."""
    return await db.write(lambda connection: lease.claim(connection, seen, holder, now_ms=5))


@pytest.mark.slow_on_postgres
async def test_who_claims_first_has_it(db: Database) -> None:
    """Of two that saw the same, the second is refused; so at the very beginning too."""
    seen = await standing(db)
    assert Standing(name=NAME) == seen
    mine = await claimed(db, seen, "a")
    assert ("a", 1, 0, 5) == (mine.holder, mine.epoch, mine.position, mine.updated_at_ms)
    assert mine == await standing(db)
    for other in (seen, replace(mine, beat=mine.beat + 1), replace(mine, epoch=2)):
        with pytest.raises(FollowerLost):
            await claimed(db, other, "b")
    assert mine == await standing(db)


async def test_the_superseded_write_nothing(db: Database) -> None:
    """What they would have written in the same transaction is not there either."""
    first = await claimed(db, await standing(db), "a")
    second = await claimed(db, first, "b")
    assert 2 == second.epoch
    with pytest.raises(FollowerLost):
        await db.write(lambda connection: lease.prove(connection, first, now_ms=6, position=9))
    assert 0 == (await standing(db)).position
    moved = await db.write(
        lambda connection: lease.prove(connection, second, now_ms=6, position=9, at_ms=3)
    )
    assert (9, 3, second.beat + 1) == (moved.position, moved.at_ms, moved.beat)
    with pytest.raises(FollowerLost):  # the same one, that does not know where it stands
        await db.write(lambda connection: lease.prove(connection, second, now_ms=7))


@pytest.mark.slow_on_postgres
async def test_a_person_takes_it_over_from_whoever_has_it(db: Database) -> None:
    """And has all made again; whoever had it is superseded."""
    first = await claimed(db, await standing(db), "a")
    taken = await db.write(lambda connection: lease.take_over(connection, NAME, "ann", now_ms=6))
    assert ("ann", 2, CLEARING) == (taken.holder, taken.epoch, taken.stage)
    with pytest.raises(FollowerLost):
        await db.write(lambda connection: lease.prove(connection, first, now_ms=7))


def test_a_beat_that_stands_still_for_a_lease_is_a_dead_one() -> None:
    """For who looked all the time; one that goes on, or a look that came late, begins again."""
    watch, held = LeaseWatch(6.0), Standing(name=NAME, holder="a", epoch=1, beat=3)
    assert watch.may_claim(Standing(name=NAME), 0.0)
    assert [False, False, False, True] == [watch.may_claim(held, at) for at in (0.0, 2.0, 4.0, 6.0)]
    beats = replace(held, beat=4)
    assert [False, False] == [watch.may_claim(beats, at) for at in (7.0, 9.0)]
    assert not watch.may_claim(beats, 14.0), "nobody looked meanwhile"
    assert [False, False, True] == [watch.may_claim(beats, at) for at in (16.0, 18.0, 20.0)]


@pytest.mark.slow_on_postgres
async def test_two_that_claim_at_once_agree(db: Database) -> None:
    """One of them has it."""
    seen = await standing(db)
    told = await asyncio.gather(
        *(claimed(db, seen, holder) for holder in "ab"), return_exceptions=True
    )
    assert 1 == sum(isinstance(one, FollowerLost) for one in told)
