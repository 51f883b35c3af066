"""Rules are kept version by version, and who has a tag is told by the place where they buy most."""

import pytest
from sqlalchemy import insert

from storage.database.engine import Database
from storage.insight import tags as tags_module
from storage.insight.suppression import Gate
from storage.insight.tag_sums import sums_of
from storage.insight.tagging import had_by_now
from storage.insight.tags import Tags
from storage.office.deeds import NotPossible
from storage.tables import payer_tags, tag_runs
from tests.storage.insight.tagged import (
    ANY,
    TODAY,
    Purchase,
    content,
    have_bought,
    several,
    tag,
)
from tests.storage.office.places import by


async def test_each_payer_is_in_the_district_where_they_buy_most(db: Database) -> None:
    """Once, so that cells may be added up; who bought in none is in none."""
    tags = await tag(db)
    names = [f"p{number}" for number in range(12)]
    bought = [one for name in names for one in several(Purchase(payer=name), 1, 2)]
    bought += [Purchase(payer=name, district="hill") for name in names]
    bought += [Purchase(payer="p0", district="hill", ago=ago) for ago in (1, 2, 40)]
    await have_bought(db, bought)
    rows = [
        {
            "payer_id": name,
            "tag": "SOME",
            "run_id": 1,
            "version": 1,
            "since_d": TODAY,
            "until_d": None,
        }
        for name in (*names, "silent")
    ]
    await db.write(lambda connection: connection.execute(insert(payer_tags), rows))
    run = {
        "tag": "SOME",
        "version": 1,
        "d": TODAY,
        "position": 9_999,
        "at_ms": 1,
        "error": "",
        "members": 13,
        "joined": 13,
        "departed": 0,
    }
    await db.write(lambda connection: connection.execute(insert(tag_runs), run))
    whole = Tags(db, Gate(5))
    cells = (await whole.members("SOME")).by_district
    assert ({}, 10, 10) == (dict(cells.told), cells.others, cells.whole)
    has = had_by_now("SOME")
    found = await db.read(lambda connection: sums_of(connection, has, TODAY, position=9_999))
    assert {"pier": 11, "hill": 1, "": 1} == found.districts
    assert [10] == [one.members for one in await tags.runs("SOME", before=None, limit=9)]
    assert [] == await tags.runs("SOME", before=1, limit=9)


@pytest.mark.slow_on_postgres
async def test_there_is_an_end_of_tags_and_versions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is said."""
    tags = await tag(db)
    monkeypatch.setattr(tags_module, "TAGS_MAX", 1)
    monkeypatch.setattr(tags_module, "VERSIONS_MAX", 1)
    two = content({"feature": "purchases_7", "at_least": 2})
    with pytest.raises(NotPossible, match="the most"):
        await tags.create("OTHER", content(ANY), by(), by="ann", reason="x")
    with pytest.raises(NotPossible, match="versions at most"):
        await tags.change("SOME", 1, two, by(), by="ann", reason="x")
    same = await tags.change("SOME", 1, content(ANY), by(), by="ann", reason="x")
    assert 1 == same.version
    rehearsed = await tags.retire("SOME", by(check=True), reason="x")
    assert rehearsed.ended_at_ms is not None
    assert (await tags.versions("SOME"))[0].ended_at_ms is None
    first = await tags.retire("SOME", by(), reason="x")
    assert first == await tags.retire("SOME", by(now_ms=9), reason="y")
