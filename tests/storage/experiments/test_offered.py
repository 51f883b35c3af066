"""An offer is tried if it has not begun, holds some out, and is tried by nobody else."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from storage.database.engine import Database
from storage.experiments.content import Arm
from storage.experiments.offered import TriedOffer, first_day, to_be_tried
from storage.insight.suppression import Gate
from storage.offers.content import is_held_out
from storage.offers.offers import Offers
from storage.office.deeds import NotPossible, NotThere
from storage.tables import (
    experiment_offers,
    experiments,
    offer_spending,
    offers,
    tag_rules,
    tag_runs,
)
from tests.storage.experiments.customers import FIRST, KEY, NOW_MS, PERCENT, offer, tried
from tests.storage.experiments.fleets import begins, experiment_row
from tests.storage.office.places import by, some_districts, some_sites

HOUR_MS = 3_600_000


async def asked(db: Database, name: str = "tea", now_ms: int = NOW_MS) -> TriedOffer:
    """Whether it can be tried."""
    return await db.read(lambda connection: to_be_tried(connection, name, now_ms))


@pytest.mark.slow_on_postgres
async def test_an_offer_that_is_to_begin_can_be_tried(db: Database) -> None:
    """With the arm of each payer, which no other key would tell."""
    view = await offer(db)
    found = await asked(db)
    assert tried(view) == found
    assert KEY not in repr(found).replace("key", "")
    payers = [f"p{number}" for number in range(200)]
    arms = [found.arm(one) for one in payers]
    assert 60 < arms.count(Arm.CONTROL) < 120
    assert [is_held_out(KEY, "tea", one, PERCENT) for one in payers] == [
        arm is Arm.CONTROL for arm in arms
    ]
    assert "name" not in found.terms()
    assert '"budget_minor":100000' in found.terms()


async def with_rules(db: Database, *versions: int, **more: Any) -> None:
    """Let the offer be for those who have a tag whose rule has these versions."""
    await offer(db)
    said = {
        "tag": "T",
        "rule": "{}",
        "purchases_min": 1,
        "currency": "",
        "author": "",
        "reason": "",
    }
    rules = [{**said, "version": version, "created_at_ms": 9, **more} for version in versions]
    other = {**said, "tag": "U", "version": 7, "created_at_ms": 9, "ended_at_ms": None}
    await db.write(lambda connection: connection.execute(insert(tag_rules), [*rules, other]))
    await db.write(lambda connection: connection.execute(update(offers).values(tag="T")))


async def has_run(db: Database, number: int, version: int, **more: Any) -> None:
    """Let a run of this number have evaluated this version."""
    counts = dict.fromkeys(("d", "position", "at_ms", "members", "joined", "departed"), 0)
    row = {"id": number, "tag": "T", "version": version, **counts, "error": "", **more}
    await db.write(lambda connection: connection.execute(insert(tag_runs), row))


async def test_the_version_of_its_tag_is_that_of_its_begin(db: Database) -> None:
    """The newest there is, once it was evaluated: until then others have the tag than would get the
    offer. Of an offer for everybody there is none.
    """
    await offer(db, "all")
    assert (await asked(db, "all")).tag_version is None
    await with_rules(db, 1, 2, ended_at_ms=None)
    await has_run(db, 1, 1)
    await has_run(db, 2, 2, error="it cannot be read")
    await has_run(db, 3, 2, unfinished=True)
    with pytest.raises(NotPossible) as refused:
        await asked(db)
    assert "NOT_EVALUATED" == refused.value.reason
    await has_run(db, 4, 2)
    assert 2 == (await asked(db)).tag_version


@pytest.mark.slow_on_postgres
async def test_who_has_a_tag_that_was_retired_is_nobody(db: Database) -> None:
    """Whether somebody has it until the next evaluation."""
    await with_rules(db, 1, ended_at_ms=9)
    await has_run(db, 1, 1)
    with pytest.raises(NotPossible) as refused:
        await asked(db)
    assert "TAG_RETIRED" == refused.value.reason


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    ("more", "now_ms", "reason"),
    [
        ({}, begins(FIRST) + 1, "OFFER_HAS_BEGUN"),
        ({}, begins(20260802), "OFFER_ENDED"),
        ({"holdout_percent": 0}, NOW_MS, "OFFER_WITHOUT_HOLDOUT"),
    ],
)
async def test_others_cannot(db: Database, more: dict[str, Any], now_ms: int, reason: str) -> None:
    """With why."""
    await offer(db, **more)
    with pytest.raises(NotPossible) as refused:
        await asked(db, now_ms=now_ms)
    assert reason == refused.value.reason


@pytest.mark.slow_on_postgres
async def test_an_offer_is_tried_once(db: Database) -> None:
    """By who runs, or has its answer; who was stopped has none."""
    await offer(db)
    with pytest.raises(NotThere):
        await asked(db, "none")
    said = {"offer": "tea", "terms": "{}", "treated": 1, "control": 1}
    for name, state, free in (
        ("a", "STOPPED", True),
        ("b", "ENDED", False),
        ("c", "RUNNING", False),
    ):
        row = {**experiment_row(name), "state": state}
        of = {"experiment": name, **said}
        await db.write(lambda connection, row=row: connection.execute(insert(experiments), row))  # type: ignore[misc]
        await db.write(lambda connection, of=of: connection.execute(insert(experiment_offers), of))  # type: ignore[misc]
        if free:
            assert "tea" == (await asked(db)).offer
            continue
        with pytest.raises(NotPossible) as refused:
            await asked(db)
        assert "OFFER_TRIED" == refused.value.reason


@pytest.mark.slow_on_postgres
async def test_days_count_from_the_one_on_which_it_begins(db: Database) -> None:
    """Where it does so first to be a day: in Hong Kong it is the next day before it is in
    Greenwich, and the day before is the first that it touches.
    """
    await offer(db)
    found = await asked(db)
    assert FIRST == await db.read(lambda connection: first_day(connection, found, NOW_MS))
    await some_districts(db, ("hk", ""))
    await some_sites(db, pier="hk")
    assert FIRST == await db.read(lambda connection: first_day(connection, found, NOW_MS))
    await offer(db, "late", begins_at_ms=begins(FIRST) - HOUR_MS)
    late = await asked(db, "late")
    assert FIRST - 1 == await db.read(lambda connection: first_day(connection, late, NOW_MS))
    await offer(db, "far", begins_at_ms=begins(20260716), ends_at_ms=begins(20260801))
    far = await asked(db, "far")
    with pytest.raises(NotPossible) as refused:
        await db.read(lambda connection: first_day(connection, far, NOW_MS))
    assert "OFFER_BEGINS_LATER" == refused.value.reason
    assert 20260716 == await db.read(
        lambda connection: first_day(connection, far, begins(20260702))
    )


@pytest.mark.slow_on_postgres
async def test_who_ended_it_ended_it(db: Database) -> None:
    """Before it began."""
    await offer(db)
    await Offers(db, Gate()).end("tea", by(action="EndOffer", now_ms=NOW_MS), why="no tea")
    with pytest.raises(NotPossible) as refused:
        await asked(db)
    assert "OFFER_ENDED" == refused.value.reason


async def test_an_offer_that_was_used_has_begun(db: Database) -> None:
    """Whatever the time is by the clock of the gateway that is asked."""
    await offer(db)
    used = update(offer_spending).values(spent_minor=50, uses=1)
    await db.write(lambda connection: connection.execute(used))
    with pytest.raises(NotPossible) as refused:
        await asked(db)
    assert "OFFER_HAS_BEGUN" == refused.value.reason
