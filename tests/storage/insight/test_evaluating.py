"""An evaluation may end at any step, and is gone on with by whoever comes next."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from actors.ports import StoreError
from storage.database.engine import Database
from storage.insight import days, evaluating, tagging
from storage.insight.evaluating import TRIES
from storage.insight.lease import FollowerLost, Standing
from storage.insight.tagging import Piece, TagRun
from storage.insight.tags import Tags
from storage.tables import payer_tags
from tests.storage.insight.shop import rows
from tests.storage.insight.tag_outcomes import ended, failed_items, have, will_have
from tests.storage.insight.tagged import (
    TODAY,
    Purchase,
    content,
    evaluate,
    evaluation,
    have_bought,
    known,
    standing,
    tag,
)
from tests.storage.office.places import by


async def test_payers_who_cannot_be_read_are_not_asked_for_for_ever(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some tries a person is told, and who has the tag keeps it; the next day counts anew,
    and goes on with what was written.
    """
    await known(db, "ann", "bob")
    await have_bought(db, [Purchase(payer="ann"), Purchase(payer="bob")])
    await tag(db)
    ours = evaluation(db)
    with monkeypatch.context() as slow:
        slow.setattr(tagging, "PAYERS_AT_ONCE", 1)
        for _ in range(3):
            assert await ours.step(standing())
        assert {"ann"} == await will_have(db)
        slow.setattr(tagging, "piece_of", too_slow)
        failures = 0
        while True:
            try:
                if await ours.step(standing()) is None:
                    break
            except StoreError:
                failures += 1
    assert TRIES - 1 == failures
    assert [("tag:SOME", "SOME")] == await failed_items(db)
    assert {} == await have(db)
    await evaluate(db, days.moved(TODAY, 1))
    assert {"ann": 1, "bob": 1} == await have(db)
    assert [] == await failed_items(db)
    (run,) = await ended(db)
    assert (2, 2, 0) == (run.members, run.joined, run.departed)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("which", ["a later piece", "what they come to"])
async def test_what_can_never_be_read_is_not_tried_for_ever(
    db: Database, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """However much of the run before it is read each time."""
    await known(db, "ann", "bob")
    await have_bought(db, [Purchase(payer="ann"), Purchase(payer="bob")])
    await tag(db)
    monkeypatch.setattr(tagging, "PAYERS_AT_ONCE", 1)
    piece_of = tagging.piece_of

    def first_alone(connection: Connection, run: TagRun, after: str) -> Piece:
        return too_slow() if after else piece_of(connection, run, after)

    if which == "a later piece":
        monkeypatch.setattr(tagging, "piece_of", first_alone)
    else:
        monkeypatch.setattr(tagging, "come_to", too_slow)
    ours, failures = evaluation(db), 0
    for _ in range(99):
        try:
            if await ours.step(standing()) is None:
                break
        except StoreError:
            failures += 1
    assert TRIES - 1 == failures
    assert [("tag:SOME", "SOME")] == await failed_items(db)
    monkeypatch.undo()
    await evaluate(db, days.moved(TODAY, 1))
    assert {"ann": 1, "bob": 1} == await have(db)


class SlowReads:
    """A database whose reads last until somebody lets them end."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.end = asyncio.Event()
        self.given_up = 0

    async def read(self, work: Callable[[Connection], object]) -> object:
        """Read in the end."""
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return await self.db.read(work)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("lost", [False, True])
async def test_who_reads_for_long_shows_signs_of_life(
    db: Database, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """Whoever else may follow would take it for dead after a lease, and begin the run anew. Who was
    superseded all the same reads no further.
    """
    await known(db, "ann")
    await have_bought(db, [Purchase(payer="ann")])
    await tag(db)
    monkeypatch.setattr(evaluating, "BEAT_S", 0.01)
    ours = evaluation(db)
    held = await ours.step(standing())  # it is begun
    assert held is not None
    slow, write, beats = SlowReads(db), ours.write, 0

    async def beating(held: Standing, work: Callable[[Connection], None]) -> Standing:
        nonlocal beats
        beats += 1
        if beats == 2 and lost:
            raise FollowerLost
        if beats == 2:
            slow.end.set()
        return await write(held, work)

    monkeypatch.setattr(ours, "db", slow)
    monkeypatch.setattr(ours, "write", beating)
    async with asyncio.timeout(30):
        if lost:
            with pytest.raises(FollowerLost):
                await ours.step(held)
        else:
            assert held == await ours.step(held)
    assert beats >= 2  # the read itself may outlast another
    assert slow.given_up == int(lost)


def too_slow(*_: object) -> Piece:
    """What a database says that takes too long."""
    raise StoreError("The read was ended because it took longer than 30000 ms")


NAMES = [f"p{number}" for number in range(9)]


async def many(db: Database) -> Tags:
    """Payers who have a tag since yesterday, and some who bought again since."""
    await known(db, *NAMES)
    old = [Purchase(payer=one, ago=8 if n % 3 else 2) for n, one in enumerate(NAMES[:6])]
    await have_bought(db, old)
    await have_bought(db, [Purchase(payer=one, ago=1) for one in NAMES[4:]], first=20)
    tags = await tag(db, rule={"feature": "purchases_7", "at_least": 1})
    await evaluate(db, days.moved(TODAY, -1))
    return tags


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        *((2, "the same"), (5, "the same"), (8, "the same"), (4, "the next day")),
        *((7, "the next day"), (3, "another rule"), (6, "another rule"), (5, "its end")),
    ],
)
async def test_whoever_dies_on_the_way_leaves_no_mix(
    db: Database, monkeypatch: pytest.MonkeyPatch, steps: int, then: str
) -> None:
    """At each step: who reads sees what was there before until the whole run is finished, by
    whomever; and then the tag is that of the rule and the day of then, and of nothing between.
    """
    monkeypatch.setattr(tagging, "PAYERS_AT_ONCE", 3)
    monkeypatch.setattr(tagging, "AT_ONCE", 2)
    tags = await many(db)
    before = await have(db)
    assert set(NAMES[:6]) == set(before)
    d = TODAY
    dies = evaluation(db)
    for _ in range(steps):
        assert await dies.step(standing(d))
    assert before == await have(db)
    after = dict.fromkeys(["p0", "p3", *NAMES[4:]], 1)
    if then == "the next day":
        d, after = days.moved(TODAY, 6), dict.fromkeys(NAMES[4:], 1)
    elif then == "another rule":
        two = content({"feature": "purchases_90", "at_least": 2})
        await tags.change("SOME", 1, two, by(), by="bob", reason="fewer")
        after = dict.fromkeys(["p4", "p5"], 2)
    elif then == "its end":
        await tags.retire("SOME", by(), reason="over")
        after = {}
    goes_on = evaluation(db)
    while await goes_on.step(standing(d)):
        assert (await have(db)) in (before, after)
    assert after == await have(db)
    assert set(after) == await will_have(db)
    assert len(after) == (await ended(db))[-1].members
    assert 2 == len(await ended(db))


@pytest.mark.slow_on_postgres
async def test_who_fulfils_the_rule_again_has_lost_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an unfinished run took was taken from nobody: on the day on which it is finished they
    have their tag since when they had it, and nobody is told to have left.
    """
    monkeypatch.setattr(tagging, "PAYERS_AT_ONCE", 3)
    await known(db, "ann", "bob")
    await have_bought(db, [Purchase(payer="ann", ago=8), Purchase(payer="bob", ago=8)])
    await tag(db, rule={"feature": "purchases_7", "at_least": 1})
    await evaluate(db, days.moved(TODAY, -1))
    before = await rows(db, payer_tags)
    dies = evaluation(db)
    for _ in range(3):  # it is begun, has looked, and has taken
        assert await dies.step(standing())
    assert set() == await will_have(db)
    await have_bought(db, [Purchase(payer="ann", ago=0)], first=9)
    tomorrow = days.moved(TODAY, 1)
    await evaluate(db, tomorrow)
    assert {"ann": 1} == await have(db)
    ann, bob = await rows(db, payer_tags)
    assert before[0] == ann
    assert (TODAY, 2) == bob[5:]
    run = (await ended(db))[-1]
    assert (tomorrow, 1, 0, 1) == (run.d, run.members, run.joined, run.departed)
