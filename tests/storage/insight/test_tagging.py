"""Who has a tag is who fulfils its rule, after every day, change of a rule and erasure."""

from functools import partial

import pytest
from sqlalchemy import select, update

from storage.database.engine import Database
from storage.insight import days
from storage.insight.lease import CLEARING, Standing
from storage.insight.tagging import day_that_is_over, next_due
from storage.machines import payers as payer_rows
from storage.tables import payer_tags, sale_facts, tag_rules, tag_runs
from tests.storage.insight.shop import follower, rows, sold
from tests.storage.insight.tag_outcomes import ended, failed_items, have
from tests.storage.insight.tagged import (
    TODAY,
    Purchase,
    content,
    evaluate,
    evaluation,
    have_bought,
    known,
    several,
    standing,
    tag,
)
from tests.storage.office.places import by

REGULAR = {"feature": "purchase_days_28", "at_least": 4}


async def test_members_join_and_depart_with_the_days(db: Database) -> None:
    """Also when nothing happens: a rule about days comes true and false by itself."""
    await known(db, "ann", "bob")
    await have_bought(
        db, [*several(Purchase(payer="ann"), 1, 2, 3, 4), *several(Purchase(payer="bob"), 1, 2)]
    )
    await tag(db, rule=REGULAR)
    await evaluate(db)
    assert 0 == await evaluate(db)
    assert {"ann": 1} == await have(db)
    await evaluate(db, days.moved(TODAY, 24))
    assert {"ann": 1} == await have(db)
    await evaluate(db, days.moved(TODAY, 25))
    assert {} == await have(db)
    told = [(one.members, one.joined, one.departed) for one in await ended(db)]
    assert [(1, 1, 0), (1, 0, 0), (0, 0, 1)] == told
    assert [9_999] * 3 == [row[4] for row in await rows(db, tag_runs)]


@pytest.mark.slow_on_postgres
async def test_a_run_looks_at_nothing_behind_its_position(db: Database) -> None:
    """Whatever is followed meanwhile: the run says up to where it is true."""
    await known(db, "ann", "bob")
    await have_bought(db, [Purchase(payer="ann"), Purchase(payer="bob")])
    await tag(db)
    at = standing(position=1)
    ours = evaluation(db)
    while await ours.step(at):
        pass
    assert {"ann": 1} == await have(db)


@pytest.mark.slow_on_postgres
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
    await evaluate(db)
    assert (1, 2) == ((run := (await ended(db))[-1]).joined, run.departed)
    assert {"ann": 2} == await have(db)
    closed = [row[3:] for row in await rows(db, payer_tags) if row[5] is not None]
    assert [(1, TODAY, TODAY, 2)] * 2 == closed
    await tags.retire("SOME", deed, reason="over")
    await evaluate(db)
    assert {} == await have(db)
    assert 0 == await evaluate(db, days.moved(TODAY, 1))


async def test_a_rule_that_fails_is_told_and_changes_nobody(db: Database) -> None:
    """Until a new version has been evaluated."""
    await known(db, "ann", "bob")
    await have_bought(db, [Purchase(payer="ann"), Purchase(payer="bob")])
    tags = await tag(db)
    await evaluate(db)
    broken = update(tag_rules).values(rule='{"feature":"of a newer program","at_least":1}')
    await db.write(lambda connection: connection.execute(broken))
    tomorrow = days.moved(TODAY, 1)
    await evaluate(db, tomorrow)
    assert "cannot be read" in (await ended(db))[-1].error
    assert 2 == (await ended(db))[-1].members
    assert {"ann": 1, "bob": 1} == await have(db)
    assert 0 == await evaluate(db, tomorrow)
    (item,) = await failed_items(db)
    assert ("tag:SOME", "SOME") == item
    narrower = content({"feature": "purchases_7", "at_least": 1})
    await tags.change("SOME", 1, narrower, by(), by="bob", reason="mend")
    await evaluate(db, tomorrow)
    assert [] == await failed_items(db)


async def test_who_is_erased_has_no_tag_and_no_sale(db: Database) -> None:
    """Whenever it happens: before a run, between its reading and its writing, and afterwards."""
    await known(db, "ann", "bob")
    await have_bought(db, [Purchase(payer="ann"), Purchase(payer="bob")])
    await tag(db)
    ours = evaluation(db)
    for _ in range(2):  # it is begun, and has looked
        assert await ours.step(standing())
    await db.write(lambda connection: payer_rows.forget(connection, "ann"))
    while await ours.step(standing()):
        pass
    assert {"bob": 1} == await have(db)
    assert [(1, 1)] == [(one.members, one.joined) for one in await ended(db)]
    wanted = select(sale_facts.c.payer_id).order_by(sale_facts.c.version)
    assert ["", "bob"] == list(await db.read(lambda connection: connection.scalars(wanted).all()))
    assert 1 == await payer_rows.Payers(db).forget_unused(before_ms=9)
    assert [] == await rows(db, payer_tags)
    assert ["", ""] == list(await db.read(lambda connection: connection.scalars(wanted).all()))
    await evaluate(db, days.moved(TODAY, 1))
    assert 0 == (await ended(db))[-1].members


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


@pytest.mark.slow_on_postgres
async def test_a_day_is_over_when_it_is_over_everywhere(db: Database) -> None:
    """By the clocks of all sites; and nothing is evaluated while much is missing."""
    assert TODAY == await db.read(lambda connection: day_that_is_over(connection, standing().at_ms))
    await tag(db)
    for at in (standing(stage=CLEARING), Standing(name="sales")):
        assert await db.read(partial(next_due, standing=at)) is None


@pytest.mark.slow_on_postgres
async def test_the_follower_evaluates_what_is_due(db: Database) -> None:
    """Behind the last line that it tells, under its lease."""
    await sold(db, "VM-1", times=1)
    await tag(db)
    ours = follower(db)
    await ours.catch_up()
    while await ours.once():
        pass
    (run,) = await rows(db, tag_runs)
    assert ours.held is not None
    assert (ours.held.position, 20251231, False) == (run[4], run[3], run[10])


@pytest.mark.slow_on_postgres
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
