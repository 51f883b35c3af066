"""Who has a tag is who fulfils its rule, after every day, change of a rule and erasure."""

from functools import partial

import pytest
from sqlalchemy import select, update

from storage.database.engine import Database
from storage.fleet import work_items
from storage.insight import days, tagging
from storage.insight.lease import CLEARING, Standing
from storage.insight.tagging import TagRun, day_that_is_over, next_run, save_run
from storage.machines import payers as payer_rows
from storage.tables import payer_tags, sale_facts, tag_rules, tag_runs
from tests.storage.insight.shop import follower, rows, sold
from tests.storage.insight.tagged import (
    TODAY,
    Purchase,
    content,
    have_bought,
    known,
    several,
    tag,
)
from tests.storage.office.places import by

DAY_MS = 86_400_000
REGULAR = {"feature": "purchase_days_28", "at_least": 4}


def standing(d: int = TODAY, *, position: int = 7, stage: str = "FOLLOWING") -> Standing:
    """A follower that has told all of a day, UTC."""
    over = days.as_date(d).toordinal() - days.as_date(19700101).toordinal() + 1
    return Standing(name="sales", position=position, at_ms=over * DAY_MS + 5, stage=stage)


async def evaluate(db: Database, d: int = TODAY) -> list[TagRun]:
    """All that is due at the end of a day."""
    runs: list[TagRun] = []
    while run := await db.read(lambda connection: next_run(connection, standing(d))):
        runs.append(run)
        await db.write(partial(save_run, run=run, standing=standing(d), now_ms=1))
    return runs


async def have(db: Database, name: str = "SOME") -> dict[str, int]:
    """Who has a tag, and by which version."""
    c = payer_tags.c
    wanted = select(c.payer_id, c.version).where(c.tag == name, c.until_d.is_(None))
    found = await db.read(lambda connection: connection.execute(wanted).all())
    return {row.payer_id: row.version for row in found}


async def test_members_join_and_depart_with_the_days(db: Database) -> None:
    """Also when nothing happens: a rule about days comes true and false by itself."""
    await known(db, "ann", "bob")
    await have_bought(
        db, [*several(Purchase(payer="ann"), 1, 2, 3, 4), *several(Purchase(payer="bob"), 1, 2)]
    )
    await tag(db, rule=REGULAR)
    (run,) = await evaluate(db)
    assert (TODAY, 1, ["ann"], []) == (run.d, run.members, list(run.joined), list(run.departed))
    assert [] == await evaluate(db)
    assert {"ann": 1} == await have(db)
    (quiet,) = await evaluate(db, days.moved(TODAY, 24))
    assert (1, 0, 0) == (quiet.members, len(quiet.joined), len(quiet.departed))
    (over,) = await evaluate(db, days.moved(TODAY, 25))
    assert (0, [("ann", 1)]) == (over.members, list(over.departed))
    assert {} == await have(db)
    kept = await rows(db, tag_runs)
    assert [(1, 1, 0), (1, 0, 0), (0, 0, 1)] == [row[6:9] for row in kept]
    assert [7] * 3 == [row[4] for row in kept]


async def test_a_new_version_closes_what_the_old_one_gave(db: Database) -> None:
    """And who retires a tag takes it from all."""
    await known(db, "ann", "bob")
    await have_bought(db, [*several(Purchase(payer="ann"), 1, 2), Purchase(payer="bob")])
    tags = await tag(db)
    await evaluate(db)
    assert {"ann": 1, "bob": 1} == await have(db)
    deed = by(action="UpdateTag")
    two = content({"feature": "purchases_90", "at_least": 2})
    await tags.change("SOME", 1, two, deed, by="bob", reason="too many")
    (run,) = await evaluate(db)
    assert (["ann"], [("ann", 1), ("bob", 1)]) == (list(run.joined), list(run.departed))
    assert {"ann": 2} == await have(db)
    closed = [row[3:] for row in await rows(db, payer_tags) if row[5] is not None]
    assert [(1, TODAY, TODAY)] * 2 == closed
    await tags.retire("SOME", deed, reason="over")
    await evaluate(db)
    assert {} == await have(db)
    assert [] == await evaluate(db, days.moved(TODAY, 1))


async def test_a_rule_that_fails_is_told_and_changes_nobody(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a new version has been evaluated."""
    await known(db, "ann", "bob")
    await have_bought(db, [Purchase(payer="ann"), Purchase(payer="bob")])
    tags = await tag(db)
    await evaluate(db)
    broken = update(tag_rules).values(rule='{"feature":"of a newer program","at_least":1}')
    await db.write(lambda connection: connection.execute(broken))
    tomorrow = days.moved(TODAY, 1)
    (run,) = await evaluate(db, tomorrow)
    assert "cannot be read" in run.error
    assert {"ann": 1, "bob": 1} == await have(db)
    assert [] == await evaluate(db, tomorrow)
    page = work_items.page(machine_id="", kinds=["TAG_RULE_FAILED"], after="", limit=9, now_ms=9)
    (item,) = await db.read(lambda connection: connection.execute(*page).all())
    assert ("tag:SOME", "SOME") == (item.item_id, item.status)
    narrower = content({"feature": "purchases_7", "at_least": 1})
    await tags.change("SOME", 1, narrower, by(), by="bob", reason="mend")
    with monkeypatch.context() as patched:
        patched.setattr(tagging, "MEMBERS_MAX", 1)
        (run,) = await evaluate(db, TODAY)
        assert "more than 1" in run.error
    (run,) = await evaluate(db, days.moved(TODAY, 1))
    assert "" == run.error
    assert [] == await db.read(lambda connection: connection.execute(*page).all())


async def test_who_is_erased_has_no_tag_and_no_sale(db: Database) -> None:
    """Whenever it happens: before a run, between its reading and its writing, and afterwards."""
    await known(db, "ann", "bob")
    await have_bought(db, [Purchase(payer="ann"), Purchase(payer="bob")])
    await tag(db)
    run = await db.read(lambda connection: next_run(connection, standing()))
    assert run is not None
    assert ["ann", "bob"] == run.joined
    await db.write(lambda connection: payer_rows.forget(connection, "ann"))
    await db.write(partial(save_run, run=run, standing=standing(), now_ms=1))
    assert {"bob": 1} == await have(db)
    assert [(1, 1)] == [row[6:8] for row in await rows(db, tag_runs)]
    wanted = select(sale_facts.c.payer_id).order_by(sale_facts.c.version)
    assert ["", "bob"] == list(await db.read(lambda connection: connection.scalars(wanted).all()))
    assert 1 == await payer_rows.Payers(db).forget_unused(before_ms=9)
    assert [] == await rows(db, payer_tags)
    assert ["", ""] == list(await db.read(lambda connection: connection.scalars(wanted).all()))
    (run,) = await evaluate(db, days.moved(TODAY, 1))
    assert 0 == run.members


async def test_who_was_erased_is_not_found_again_by_the_follower(db: Database) -> None:
    """Not when it goes on, and not when all is made again; who is known is."""
    owner = await sold(db, "VM-1", times=1)
    wanted = select(sale_facts.c.payer_id).order_by(sale_facts.c.position)
    ours = follower(db)
    await ours.catch_up()
    assert [""] == list(await db.read(lambda connection: connection.scalars(wanted).all()))
    await known(db, "payer-alice")
    await owner.buy("VM-1", 2)
    await ours.catch_up()
    told = list(await db.read(lambda connection: connection.scalars(wanted).all()))
    assert ["", "payer-alice"] == told
    await db.write(lambda connection: payer_rows.forget(connection, "payer-alice"))
    await ours.rebuild()
    await ours.catch_up()
    assert ["", ""] == list(await db.read(lambda connection: connection.scalars(wanted).all()))


async def test_a_day_is_over_when_it_is_over_everywhere(db: Database) -> None:
    """By the clocks of all sites; and nothing is evaluated while much is missing."""
    assert TODAY == await db.read(lambda connection: day_that_is_over(connection, standing().at_ms))
    await tag(db)
    clearing = standing(stage=CLEARING)
    assert await db.read(lambda connection: next_run(connection, clearing)) is None
    before = Standing(name="sales")
    assert await db.read(lambda connection: next_run(connection, before)) is None


async def test_the_follower_evaluates_what_is_due(db: Database) -> None:
    """Behind the last line that it tells, under its lease."""
    await sold(db, "VM-1", times=1)
    await tag(db)
    ours = follower(db)
    await ours.catch_up()
    assert await ours.once()
    assert not await ours.once()
    (run,) = await rows(db, tag_runs)
    assert ours.held is not None
    assert (ours.held.position, 20251231) == (run[4], run[3])


async def test_many_members_are_written_in_pieces(db: Database) -> None:
    """More than one statement may name."""
    names = [f"p{number:04}" for number in range(1_100)]
    await known(db, *names)
    await have_bought(db, [Purchase(payer=name) for name in names])
    tags = await tag(db)
    await evaluate(db)
    assert 1_100 == len(await have(db))
    await tags.retire("SOME", by(), reason="over")
    await evaluate(db)
    assert {} == await have(db)
