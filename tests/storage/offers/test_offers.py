"""Offers are made, changed and ended, with an audit row for each, and never beyond their bounds."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, make_url, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from storage.database import dialects
from storage.database.engine import Database
from storage.insight import days
from storage.insight.local_time import local_hour
from storage.insight.rollups import Sums, save
from storage.insight.suppression import Gate
from storage.offers import offers as books
from storage.offers.content import OfferDay, OfferState, kept
from storage.offers.offers import OfferChange, Offers
from storage.office.deeds import AlreadyThere, EtagOutdated, NotPossible, NotThere
from storage.office.selectors import Selector
from storage.tables import (
    offer_spending,
    offers,
    payer_tags,
    scope_offers,
    tag_rules,
    tag_runs,
)
from tests.storage.conftest import ON_POSTGRES
from tests.storage.offers.giving import CONTENT, HOUR_MS, NOW_MS, give
from tests.storage.office.places import by, details
from tests.support.patience import HANGS_AFTER_S, LOOK_EVERY_S


@pytest.mark.slow_on_postgres
async def test_an_offer_comes_back_as_it_was_made(db: Database) -> None:
    """The same again is no other one; something else under its code is refused."""
    made = await give(db)
    assert made == await Offers(db, Gate()).get("tea")
    assert made == await give(db)
    with pytest.raises(AlreadyThere):
        await give(db, budget_minor=1)
    (said,) = await details(db)
    assert said.startswith("offer tea: made, 50 HKD off for every known payer, named 'Tea time', ")
    assert said.endswith("Z, 2 of each payer, budget 1000 HKD")


async def test_an_offer_tells_what_it_cost_by_day(db: Database) -> None:
    """Of the whole fleet, the oldest day first; nobody looks at days on which it had not begun
    anywhere.
    """
    made = await give(db)
    first = local_hour(NOW_MS, "UTC").d
    sums = Sums()
    for d, offer, values in (
        (days.moved(first, 1), "tea", (3, 1_350, 150)),
        (days.moved(first, -1), "tea", (1, 450, 50)),
        (days.moved(first, -2), "tea", (7, 7, 7)),
        (first, "cake", (9, 9, 9)),
    ):
        for scope in (("FLEET", ""), ("DISTRICT", "hk")):
            sums.add(scope_offers, (*scope, d, offer, "HKD"), values)
    await db.write(lambda connection: save(connection, sums.rows()))
    view, told, lag = await Offers(db, Gate()).told("tea")
    assert (made, 0) == (view, lag.position)
    assert [
        OfferDay(d=days.moved(first, -1), uses=1, sales_minor=450, discount_minor=50),
        OfferDay(d=days.moved(first, 1), uses=3, sales_minor=1_350, discount_minor=150),
    ] == told
    with pytest.raises(NotThere):
        await Offers(db, Gate()).told("nobodys")


@pytest.mark.slow_on_postgres
async def test_one_that_begins_when_it_is_made_began_then(db: Database) -> None:
    """Made again later without a beginning it is the same one."""
    made = await give(db)
    later = replace(CONTENT, begins_at_ms=NOW_MS + 5)
    deed = by(now_ms=NOW_MS + 5)
    again = await Offers(db, Gate()).create("tea", later, deed, holdout_key="x", begins_now=True)
    assert made == again


async def test_what_can_be_changed_is_and_the_rest_stays(db: Database) -> None:
    """Under the etag that was seen; a change of nothing is none."""
    offers = Offers(db, Gate())
    made = await give(db)
    wanted = OfferChange(name="Tea", ends_at_ms=NOW_MS + 9, budget_minor=5, uses_per_payer=3)
    after = await offers.change("tea", wanted, by(now_ms=NOW_MS + 1), etag="1")
    assert after == await offers.get("tea")
    assert ("Tea", NOW_MS + 9, 5, 3, 2) == (
        after.content.name,
        after.content.ends_at_ms,
        after.content.budget_minor,
        after.content.uses_per_payer,
        after.revision,
    )
    assert made.content.discount_minor == after.content.discount_minor
    assert after == await offers.change("tea", wanted, by(now_ms=NOW_MS + 2))
    with pytest.raises(EtagOutdated):
        await offers.change("tea", OfferChange(name="x"), by(now_ms=NOW_MS + 2), etag="1")
    assert 2 == len(await details(db))


@pytest.mark.slow_on_postgres
async def test_what_is_over_is_not_changed_any_more(db: Database) -> None:
    """Ended by a person, for ever, or by its time."""
    offers = Offers(db, Gate())
    await give(db)
    ended = await offers.end("tea", by(now_ms=NOW_MS + 1), why="sold out")
    assert OfferState.ENDED is ended.state(NOW_MS + 1)
    assert ended == await offers.end("tea", by(now_ms=NOW_MS + 2), why="again")
    with pytest.raises(NotPossible, match="is over"):
        await offers.change("tea", OfferChange(name="x"), by(now_ms=NOW_MS + 2))
    await give(db, "cake")
    with pytest.raises(NotPossible, match="is over"):
        await offers.change("cake", OfferChange(name="x"), by(now_ms=NOW_MS + HOUR_MS))
    with pytest.raises(NotThere):
        await offers.end("nobody's", by(), why="x")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"selector": Selector(site="nowhere")}, "site nowhere"),
        ({"product": "unknown"}, "the catalogue does not have 'unknown'"),
        ({"category": "unknown"}, "category unknown"),
        ({"tag": "UNKNOWN"}, "tag UNKNOWN"),
        ({"tag": "NEW"}, "tag NEW is evaluated for the first time soon"),
        ({"tag": "FEW"}, "fewer than 10 payers have tag FEW"),
    ],
)
async def test_what_nobody_can_use_is_refused(db: Database, said: dict[str, Any], why: str) -> None:
    """A typo, and an audience so small that an offer would show who is in it."""
    rule = {"version": 1, "rule": "{}", "purchases_min": 1, "currency": ""}
    rule |= {"author": "", "reason": "", "created_at_ms": 1}
    run = {"version": 1, "d": 20260101, "position": 1, "at_ms": 1, "error": ""}
    run |= dict.fromkeys(("members", "joined", "departed"), 0)
    has = {"run_id": 1, "version": 1, "since_d": 20260101}

    def work(connection: Any) -> None:
        rules = [{**rule, "tag": tag} for tag in ("NEW", "FEW", "MANY")]
        connection.execute(insert(tag_rules), rules)
        runs = [{**run, "id": 1, "tag": "FEW"}, {**run, "id": 2, "tag": "MANY"}]
        connection.execute(insert(tag_runs), runs)
        members = {"FEW": 9, "MANY": 10}
        rows = [
            {**has, "payer_id": f"p{number}", "tag": tag}
            for tag, count in members.items()
            for number in range(count)
        ]
        connection.execute(insert(payer_tags), rows)

    await db.write(work)
    with pytest.raises((NotThere, NotPossible), match=why):
        await give(db, **said)
    await give(db, tag="MANY")


async def test_an_offer_of_a_newer_program_is_listed_as_far_as_it_is_understood(
    db: Database,
) -> None:
    """Beside the others, with what is not understood of it; it can be given less, and ended. What
    the newer program asks of machines stays as it wrote it.
    """
    books = Offers(db, Gate())
    await give(db, "newer")
    await give(db)
    asks = '{"all": true, "machine_ids": [], "moods": ["glad"]}'
    newer = update(offers).where(offers.c.offer == "newer").values(selector=asks)
    await db.write(lambda connection: connection.execute(newer))
    one, other = await books.page(limit=9)
    assert ("newer", "a newer program wrote a selector with moods") == (
        one.offer,
        one.not_understood,
    )
    assert (Selector(), "", CONTENT) == (one.content.selector, other.not_understood, other.content)
    view, _, _ = await books.told("newer")
    assert one == view
    changed = await books.change("newer", OfferChange(budget_minor=7), by(now_ms=NOW_MS))
    assert (7, one.not_understood) == (changed.content.budget_minor, changed.not_understood)
    await books.end("newer", by(now_ms=NOW_MS), why="nobody knows whom it means")
    kept_as = select(offers.c.selector).where(offers.c.offer == "newer")
    assert asks == await db.read(lambda connection: connection.scalar(kept_as))


async def test_there_are_so_many_at_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are over do not count."""
    monkeypatch.setattr(books, "LIVE_MAX", 2)
    await give(db, "a")
    await give(db, "b")
    with pytest.raises(NotPossible, match="2 offers are not over"):
        await give(db, "c")
    await Offers(db, Gate()).end("a", by(now_ms=NOW_MS), why="x")
    await give(db, "c")
    there = Offers(db, Gate())
    assert ["b", "c"] == [one.offer for one in await there.page(after="a", limit=9)]
    for now_ms, over, codes in (
        (NOW_MS, True, ["a"]),
        (NOW_MS, False, ["b", "c"]),
        (NOW_MS + HOUR_MS, False, []),
    ):
        found = await there.page(limit=9, over=over, now_ms=now_ms)
        assert codes == [one.offer for one in found]


@pytest.mark.parametrize("url", [pytest.param("postgresql", marks=ON_POSTGRES)], indirect=True)
async def test_two_who_make_offers_at_once_make_no_more_than_there_may_be(
    url: str, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one waits for the first, and then counts its offer."""
    monkeypatch.setattr(books, "LIVE_MAX", 1)
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    row = {**kept(CONTENT), "offer": "first", "revision": 1, "holdout_key": "k"}
    row |= {"created_at_ms": NOW_MS, "updated_at_ms": NOW_MS}
    async with engine.connect() as other:
        await other.run_sync(dialects.office_alone)
        await other.execute(insert(offer_spending), {"offer": "first"})
        await other.execute(insert(offers), row)
        making = asyncio.create_task(give(db, "second"))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        async with asyncio.timeout(HANGS_AFTER_S):
            while not making.done() and not await db.read(lambda c: c.scalar(waiting)):
                await asyncio.sleep(LOOK_EVERY_S)
        await other.commit()
    await engine.dispose()
    with pytest.raises(NotPossible, match="1 offers are not over"):
        await making
