"""Who is in an experiment, and why others are not."""

from functools import partial

import pytest
from sqlalchemy import insert, update

from storage.database.engine import Database
from storage.experiments import audience as module
from storage.experiments.audience import Audience, audience
from storage.experiments.content import Content, LeftOut
from storage.insight import days
from storage.insight.suppression import Gate
from storage.office.deeds import NotPossible, NotThere
from storage.office.playlists import Playlists
from storage.office.selectors import Selector
from storage.tables import (
    experiment_units,
    experiments,
    machine_screens,
    machine_sites,
    payer_tags,
    planogram_columns,
    tag_rules,
    tag_runs,
)
from tests.storage.experiments.fleets import content, experiment_row, noon, priced, unit_row
from tests.storage.insight.tagged import (
    TODAY,
    Purchase,
    evaluate,
    evaluation,
    have_bought,
    known,
    standing,
    tag,
)
from tests.storage.office.places import by, some_districts, some_machines, some_sites
from tests.storage.office.showing import items

SCREEN = {"wanted": "", "wanted_at_ms": 1, "applied": "", "heard_at_ms": 1, "reason": ""}


async def meant(db: Database, wanted: Content) -> Audience:
    """Who is meant at noon of TODAY."""
    return await db.read(partial(audience, content=wanted, gate=Gate(), now_ms=noon(TODAY)))


async def some(db: Database, *machine_ids: str) -> None:
    """Machines with screens."""
    await some_machines(db, *machine_ids)
    await Playlists(db).create("all", items(), by(action="made"))
    rows = [{"machine_id": one, "detail": "", **SCREEN} for one in machine_ids]
    await db.write(lambda connection: connection.execute(insert(machine_screens), rows))


async def test_machines_without_what_is_tried_are_left_out(db: Database) -> None:
    """Each with its reason; and a machine is in one experiment that runs alone."""
    await some(db, "VM-1", "VM-2", "VM-3")
    await some_districts(db, ("hk", ""))
    await some_sites(db, pier="hk")
    stay = {"machine_id": "VM-1", "site": "pier", "from_day": "2026-01-01", "from_at_ms": 1}

    def write(connection: object) -> None:
        execute = connection.execute  # type: ignore[attr-defined]
        execute(insert(machine_sites), stay)
        execute(machine_screens.delete().where(machine_screens.c.machine_id == "VM-2"))
        execute(
            update(planogram_columns)
            .where(planogram_columns.c.machine_id == "VM-3")
            .values(product="tea")
        )
        execute(insert(experiments), experiment_row("old"))
        execute(insert(experiment_units), unit_row("old", "VM-1", ""))
        execute(insert(experiment_units), unit_row("old", "VM-3", "NO_HISTORY"))

    await db.write(write)
    found = await meant(db, content())
    assert {"VM-1": LeftOut.IN_ANOTHER, "VM-2": LeftOut.NO_SCREEN} == found.left_out
    assert {"VM-3": ""} == found.machines
    ended = update(experiments).values(state="ENDED")
    await db.write(lambda connection: connection.execute(ended))
    found = await meant(db, priced())
    assert {"VM-3": LeftOut.NO_SUCH_PRODUCT} == found.left_out
    assert {"VM-1": "STATION", "VM-2": ""} == found.machines
    found = await meant(db, priced(selector=Selector(machine_ids=("VM-1",))))
    assert ["VM-1"] == list(found.machines)


@pytest.mark.slow_on_postgres
async def test_members_of_a_tag_are_told_through_the_gate(db: Database) -> None:
    """A machine at which nine of them bought is not told from one of none; ten are enough, and
    nobody counts twice, nor who bought too long ago or has the tag no more.
    """
    await some(db, "VM-1", "VM-2", "VM-3")
    with pytest.raises(NotThere):
        await meant(db, content(tag="FANS"))
    rule = {
        "tag": "FANS",
        "version": 1,
        "rule": "{}",
        "purchases_min": 1,
        "currency": "",
        "author": "ann",
        "reason": "",
        "created_at_ms": 1,
    }
    await db.write(lambda connection: connection.execute(insert(tag_rules), rule))
    with pytest.raises(NotPossible, match="evaluated"):
        await meant(db, content(tag="FANS"))
    run = {
        "tag": "FANS",
        "version": 1,
        "d": TODAY,
        "position": 7,
        "at_ms": 1,
        "members": 12,
        "joined": 12,
        "departed": 0,
        "error": "",
    }
    has = [
        {
            "payer_id": f"p{number}",
            "tag": "FANS",
            "run_id": 1,
            "version": 1,
            "since_d": TODAY,
            "until_d": TODAY if number == 11 else None,
        }
        for number in range(12)
    ]
    await db.write(lambda connection: connection.execute(insert(tag_runs), run))
    await db.write(lambda connection: connection.execute(insert(payer_tags), has))
    await have_bought(
        db,
        [
            *(Purchase(payer=f"p{number}", machine="VM-1") for number in range(10)),
            *(Purchase(payer=f"p{number % 9}", machine="VM-2") for number in range(12)),
            Purchase(payer="p9", machine="VM-2", ago=29),
            Purchase(payer="p11", machine="VM-2"),
        ],
    )
    found = await meant(db, content(tag="FANS"))
    assert ({"VM-1": ""}, {}) == (found.machines, found.left_out)


async def test_a_run_that_is_unfinished_means_nobody(db: Database) -> None:
    """What it gave and took so far is half a tag: the members are those of before it; and of a tag
    whose first run is unfinished there are none yet.
    """
    await some(db, "VM-1", "VM-2")
    old, new = [f"p{number:02}" for number in range(10)], [f"q{number:02}" for number in range(10)]
    await known(db, *old, *new)
    await have_bought(
        db,
        [
            *(Purchase(payer=name, machine="VM-1", ago=7) for name in old),
            *(Purchase(payer=name, machine="VM-2", ago=0) for name in new),
        ],
    )
    await tag(db, "FANS", {"feature": "purchases_7", "at_least": 1})
    running = evaluation(db)
    for _ in range(4):  # it is begun, has looked, has written all, and has added it up
        assert await running.step(standing())
    with pytest.raises(NotPossible, match="evaluated"):
        await meant(db, content(tag="FANS"))
    await evaluate(db)
    assert {"VM-1": ""} == (await meant(db, content(tag="FANS"))).machines
    tomorrow, running = standing(days.moved(TODAY, 1)), evaluation(db)
    for _ in range(4):
        assert await running.step(tomorrow)
    assert {"VM-1": ""} == (await meant(db, content(tag="FANS"))).machines
    assert await running.step(tomorrow)  # it is finished
    assert {"VM-2": ""} == (await meant(db, content(tag="FANS"))).machines


@pytest.mark.slow_on_postgres
async def test_what_is_not_there_is_said(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A playlist, a machine; and too many are too many."""
    with pytest.raises(NotThere):
        await meant(db, content())
    await some(db, "VM-1", "VM-2")
    for wanted in (
        content(control_playlist="none"),
        content(selector=Selector(machine_ids=("VM-9",))),
    ):
        with pytest.raises(NotThere):
            await meant(db, wanted)
    monkeypatch.setattr(module, "MACHINES_MAX", 1)
    with pytest.raises(NotPossible) as refused:
        await meant(db, content())
    assert "TOO_MANY_MACHINES" == refused.value.reason
