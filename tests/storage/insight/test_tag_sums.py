"""What those with a tag come to is added up once, when its rule is evaluated, and read after."""

from functools import partial

import pytest
from sqlalchemy import Connection, delete, insert, update

from storage.database.engine import Database
from storage.insight import days, tagging
from storage.insight.suppression import LEAST_MIN
from storage.insight.tag_sales import TagSales
from storage.insight.tag_sums import TagBought, TagSums, kept_of
from storage.insight.tags import Tags
from storage.tables import sale_facts, tag_districts, tag_rules, tag_sales, tag_sums
from tests.storage.insight.shop import rows
from tests.storage.insight.tagged import (
    TODAY,
    Purchase,
    evaluate,
    evaluation,
    have_bought,
    known,
    several,
    standing,
    tag,
)

NAMES = [f"p{number:02}" for number in range(30)]
SUMS = TagSums(
    districts={"pier": 29, "hill": 1},
    currencies={
        "HKD": TagBought(payers=30, units=32, sales_minor=22_400, units_step=5, sales_step=5_000),
        "SGD": TagBought(payers=9, units=9, sales_minor=2_700, units_step=1, sales_step=500),
    },
)
HKD = TagSales(currency="HKD", payers=30, units=20, sales_minor=20_000)


async def bought(db: Database) -> Tags:
    """A tag that 30 payers have, evaluated at the end of TODAY."""
    await known(db, *NAMES)
    some = [Purchase(payer=name, minor=700) for name in NAMES]
    some += several(Purchase(payer="p20", minor=700, district="hill"), 2, 3)
    some += [Purchase(payer=name, minor=300, currency="SGD") for name in NAMES[:9]]
    some += [Purchase(payer="p20", minor=0, units=0, district="mall", kind="GOODWILL")]
    await have_bought(db, [*some, Purchase(payer="nobody's", minor=9_900)])
    tags = await tag(db)
    await evaluate(db)
    return tags


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("at_once", [1, 7, 5_000])
async def test_pieces_come_to_the_whole(
    db: Database, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However many payers are looked at in one read; the most of one payer is kept as a step."""
    monkeypatch.setattr(tagging, "PAYERS_AT_ONCE", at_once)
    await bought(db)
    kept = await db.read(lambda connection: kept_of(connection, "SOME"))
    assert kept is not None
    assert (1, TODAY, SUMS) == (kept.run_id, kept.d, kept.sums)


async def test_who_bought_at_machines_of_no_district_and_who_bought_nothing_are_one_cell(
    db: Database,
) -> None:
    """Each of them counts, in the cell of those who bought in no district."""
    await known(db, *NAMES)
    some = [Purchase(payer=name, district="") for name in NAMES[:17]]
    some += [Purchase(payer=name, ago=60) for name in NAMES[17:]]
    await have_bought(db, some)
    tags = await tag(db)
    await evaluate(db)
    members = await tags.members("SOME")
    assert ({"": 30}, None, 30) == (
        dict(members.by_district.told),
        members.by_district.others,
        members.by_district.whole,
    )
    await db.write(partial(_only, head=[]))
    assert 30 == (await tags.members("SOME")).by_district.whole


async def test_what_a_few_bought_stands_nowhere(db: Database) -> None:
    """Of one payer alone it would be what this one bought, also when they were erased since."""
    await known(db, *NAMES)
    some = [Purchase(payer=name, currency="HKD") for name in NAMES[:LEAST_MIN]]
    some += [Purchase(payer=name, currency="SGD") for name in NAMES[: LEAST_MIN - 1]]
    await have_bought(db, [*some, Purchase(payer="p20", currency="JPY")])
    tags = await tag(db)
    await evaluate(db)
    assert ["HKD"] == [row[1] for row in await rows(db, tag_sales)]
    assert [] == list((await tags.bought("SOME")).by_currency)


@pytest.mark.slow_on_postgres
async def test_who_asks_reads_rows(db: Database) -> None:
    """No fact and no payer is looked at, and what is told is what was told of them."""
    tags = await bought(db)
    await db.write(lambda connection: connection.execute(delete(sale_facts)))
    told = await tags.bought("SOME")
    assert (TODAY, [HKD]) == (told.last_d, list(told.by_currency))
    cells = (await tags.members("SOME")).by_district
    assert ({}, 30, 30) == (dict(cells.told), cells.others, cells.whole)


@pytest.mark.slow_on_postgres
async def test_what_a_program_of_before_did_not_write_is_counted(db: Database) -> None:
    """Until the tag is evaluated again: none of its runs wrote any, or the newest did not."""
    tags = await bought(db)
    for head in ([], [{"tag": "SOME", "run_id": 0, "d": 20260101}]):
        await db.write(partial(_only, head=head))
        told = await tags.bought("SOME")
        assert (TODAY, [HKD]) == (told.last_d, list(told.by_currency))
        assert 30 == (await tags.members("SOME")).by_district.whole


def _only(connection: Connection, head: list[dict[str, object]]) -> None:
    """Let nothing else be there of what a tag comes to."""
    for table in (tag_districts, tag_sales, tag_sums):
        connection.execute(delete(table))
    for row in head:
        connection.execute(insert(tag_sums), row)


@pytest.mark.slow_on_postgres
async def test_a_run_that_failed_leaves_what_was_told(db: Database) -> None:
    """With the days of which it is."""
    tags = await bought(db)
    broken = update(tag_rules).values(rule='{"feature":"of a newer program","at_least":1}')
    await db.write(lambda connection: connection.execute(broken))
    await evaluate(db, days.moved(TODAY, 1))
    told = await tags.bought("SOME")
    assert (days.moved(TODAY, 1), True) == (told.run.d, told.run.error != "")
    assert (TODAY, [HKD]) == (told.last_d, list(told.by_currency))


async def test_facts_behind_the_runs_position_wait_for_the_next(db: Database) -> None:
    """The figures are those of what the run has looked at."""
    tags = await bought(db)
    late = [Purchase(payer=name, minor=700, ago=3) for name in NAMES]
    await have_bought(db, late, first=20_000)
    assert 20 == (await tags.bought("SOME")).by_currency[0].units
    ours = evaluation(db)
    while await ours.step(standing(days.moved(TODAY, 1), position=99_999)):
        pass
    told = await tags.bought("SOME")
    assert (days.moved(TODAY, 1), 50) == (told.last_d, told.by_currency[0].units)
    assert [("SOME", 2, days.moved(TODAY, 1))] == [tuple(row) for row in await rows(db, tag_sums)]
