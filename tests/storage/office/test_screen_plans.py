"""A plan holds from when it is made until it ends, and is never changed."""

from dataclasses import replace

import pytest

from storage.books.audit_rows import Actor
from storage.database.engine import Database
from storage.office import screen_plans as module
from storage.office.deeds import AlreadyThere, NotPossible, NotThere
from storage.office.screen_plans import ScreenPlans, in_force
from storage.office.selectors import Selector
from tests.storage.office.places import NOON_MS, by, details
from tests.storage.office.showing import LATER_MS, plan, shown_by_all


async def force(db: Database, now_ms: int = NOON_MS) -> list[str]:
    """The plans in force."""
    return await db.read(lambda connection: [one.plan for one in in_force(connection, now_ms)])


async def test_a_plan_is_made_and_ended(db: Database) -> None:
    """What counts more comes first; what ended, or whose time is over, holds no more."""
    _, first = await shown_by_all(db)
    plans = ScreenPlans(db)
    assert first == await plans.create("p1", plan(), by())
    high = await plans.create("p2", plan(priority=5, selector=Selector(labels={"a": "b"})), by())
    assert high == await plans.get("p2")
    assert ["p2", "p1"] == await force(db)
    assert [] == await force(db, LATER_MS)
    with pytest.raises(AlreadyThere):
        await plans.create("p1", plan(priority=1), by())
    ended = await plans.end("p2", by())
    assert ended == await plans.end("p2", by())
    assert (["p1"], [first], 2) == (
        await force(db),
        await plans.page(ended=False, limit=9),
        len(await plans.page(ended=True, limit=9)),
    )
    with pytest.raises(AlreadyThere):
        await plans.create("p2", high.content, by())
    assert ["screen plan p2: ended"] == (await details(db))[1:]


@pytest.mark.slow_on_postgres
async def test_who_made_a_plan_is_named_as_people_read_it(db: Database) -> None:
    """And not with all that is known of them."""
    await shown_by_all(db)
    ann = replace(by(), actor=Actor(name="ann (certificate)", proven="ann"))
    assert "ann (certificate)" == (await ScreenPlans(db).create("p2", plan(), ann)).created_by


@pytest.mark.slow_on_postgres
async def test_what_a_plan_names_is_there(db: Database) -> None:
    """Playlist, machines, and room for one more."""
    await shown_by_all(db)
    plans = ScreenPlans(db)
    for wrong in (plan("none"), plan(selector=Selector(machine_ids=("VM-9",)))):
        with pytest.raises(NotThere):
            await plans.create("p3", wrong, by())
    with pytest.raises(NotThere):
        await plans.end("p3", by())
    with pytest.raises(NotPossible) as reserved:
        await plans.create("experiment-a-control", plan(), by())
    assert "NAME_RESERVED" == reserved.value.reason


@pytest.mark.slow_on_postgres
async def test_there_is_an_end_of_plans(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is refused."""
    await shown_by_all(db)
    monkeypatch.setattr(module, "PLANS_MAX", 1)
    with pytest.raises(NotPossible, match="EndScreenPlan"):
        await ScreenPlans(db).create("p2", plan(), by())
