"""The operator's tree of districts: what is in what, and what cannot be."""

import asyncio
from itertools import pairwise

import pytest
from sqlalchemy import select

from storage.database.engine import Database
from storage.office.deeds import AlreadyThere, EtagOutdated, NotPossible, NotThere
from storage.office.districts import DEPTH_MAX, DistrictContent, Districts
from storage.tables import district_paths
from tests.storage.office.places import a_site, by, details, some_districts, some_sites

TREE = (("hk", ""), ("kln", "hk"), ("mk", "kln"), ("nt", "hk"))


async def below(db: Database, district: str) -> dict[str, int]:
    """Return what is in a district, and how deep."""
    c = district_paths.c
    rows = select(c.district, c.depth).where(c.ancestor == district)
    return await db.read(lambda connection: {row[0]: row[1] for row in connection.execute(rows)})


@pytest.mark.slow_on_postgres
async def test_a_district_is_in_all_that_its_parent_is_in(db: Database) -> None:
    """And in itself."""
    await some_districts(db, *TREE)
    assert {"hk": 0, "kln": 1, "mk": 2, "nt": 1} == await below(db, "hk")
    assert {"kln": 0, "mk": 1} == await below(db, "kln")


@pytest.mark.slow_on_postgres
async def test_a_district_is_made_once(db: Database) -> None:
    """Again with the same content it is the same; what differs is refused, and the log has one
    line.
    """
    districts = Districts(db)
    first = await districts.create("hk", DistrictContent(name="Hong Kong"), by())
    assert first == await districts.create("hk", DistrictContent(name="Hong Kong"), by("bob"))
    with pytest.raises(AlreadyThere, match="name 'Hong Kong' -> 'HK'"):
        await districts.create("hk", DistrictContent(name="HK"), by())
    assert ["district hk: name none -> 'Hong Kong'"] == await details(db)
    assert first == await districts.get("hk")


@pytest.mark.slow_on_postgres
async def test_a_district_moves_with_all_that_is_in_it(db: Database) -> None:
    """To another parent, and to the top."""
    districts = await some_districts(db, *TREE)
    await districts.change("kln", by(), parent="nt")
    assert {"hk": 0, "kln": 2, "mk": 3, "nt": 1} == await below(db, "hk")
    assert {"nt": 0, "kln": 1, "mk": 2} == await below(db, "nt")
    moved = await districts.change("kln", by(), parent="", name="Kowloon")
    assert ("", "Kowloon", 3) == (moved.content.parent, moved.content.name, moved.revision)
    assert {"hk": 0, "nt": 1} == await below(db, "hk")
    assert {"kln": 0, "mk": 1} == await below(db, "kln")
    assert "district kln: name 'KLN' -> 'Kowloon'; parent 'nt' -> none" == (await details(db))[-1]


@pytest.mark.slow_on_postgres
async def test_no_district_is_in_itself(db: Database) -> None:
    """Neither at once nor by way of others."""
    districts = await some_districts(db, *TREE)
    for parent in ("hk", "mk"):
        with pytest.raises(NotPossible) as refused:
            await districts.change("hk", by(), parent=parent)
        assert "DISTRICT_IN_ITSELF" == refused.value.reason
    assert {"hk": 0, "kln": 1, "mk": 2, "nt": 1} == await below(db, "hk")


@pytest.mark.slow_on_postgres
async def test_two_who_move_two_districts_make_no_circle(db: Database) -> None:
    """One of them is refused, whoever comes first."""
    districts = await some_districts(db, ("a", ""), ("b", ""))
    other = Districts(db)
    outcomes = await asyncio.gather(
        districts.change("a", by(), parent="b"),
        other.change("b", by(), parent="a"),
        return_exceptions=True,
    )
    assert [True, False] == sorted((isinstance(one, NotPossible) for one in outcomes), reverse=True)


@pytest.mark.slow_on_postgres
async def test_the_tree_has_a_depth(db: Database) -> None:
    """Neither a new district nor one that moves goes deeper."""
    names = [f"d{number:02}" for number in range(DEPTH_MAX)]
    districts = await some_districts(db, (names[0], ""), *((b, a) for a, b in pairwise(names)))
    with pytest.raises(NotPossible) as refused:
        await districts.create("x", DistrictContent(name="x", parent=names[-1]), by())
    assert "TOO_DEEP" == refused.value.reason
    await some_districts(db, ("y", ""), ("z", "y"))
    with pytest.raises(NotPossible):
        await districts.change("y", by(), parent=names[-2])
    await districts.change("z", by(), parent=names[-2])


@pytest.mark.slow_on_postgres
async def test_only_what_is_empty_is_archived_and_nothing_comes_into_what_is(db: Database) -> None:
    """And it can be taken back."""
    districts = await some_districts(db, *TREE)
    sites = await some_sites(db, pier="mk")
    for district in ("hk", "mk"):
        with pytest.raises(NotPossible) as refused:
            await districts.archive(district, by())
        assert "DISTRICT_IN_USE" == refused.value.reason
    await sites.archive("pier", by())
    archived = await districts.archive("mk", by())
    assert archived == await districts.archive("mk", by())
    for refusing in (
        districts.create("new", DistrictContent(name="new", parent="mk"), by()),
        districts.change("nt", by(), parent="mk"),
        sites.create("new", a_site("mk"), by()),
        sites.archive("pier", by(), back=True),
    ):
        with pytest.raises(NotPossible) as refused:
            await refusing
        assert "DISTRICT_ARCHIVED" == refused.value.reason
    back = await districts.archive("mk", by(), back=True)
    assert (None, 3) == (back.archived_at_ms, back.revision)


@pytest.mark.slow_on_postgres
async def test_one_of_two_with_the_same_etag_wins(db: Database) -> None:
    """The other is told the new one."""
    districts = await some_districts(db, *TREE)
    await districts.change("mk", by(), name="Mong Kok", etag="1")
    with pytest.raises(EtagOutdated) as refused:
        await districts.change("mk", by("bob"), name="Mongkok", etag="1")
    assert "2" == refused.value.etag


@pytest.mark.slow_on_postgres
async def test_what_is_only_checked_changes_nothing(db: Database) -> None:
    """It shows what there would be."""
    districts = await some_districts(db, *TREE)
    shown = await districts.change("kln", by(check=True), parent="nt")
    assert "nt" == shown.content.parent
    assert "hk" == (await districts.get("kln")).content.parent
    assert {"nt": 0} == await below(db, "nt")


@pytest.mark.slow_on_postgres
async def test_what_is_not_there_is_said(db: Database) -> None:
    """A parent too."""
    districts = Districts(db)
    with pytest.raises(NotThere):
        await districts.get("hk")
    with pytest.raises(NotThere):
        await districts.create("mk", DistrictContent(name="mk", parent="kln"), by())


async def test_a_list_is_of_all_or_of_what_stands_right_in_one(db: Database) -> None:
    """In the order of codes, page by page, without the archived ones unless they are asked for."""
    districts = await some_districts(db, *TREE)
    await districts.archive("nt", by())

    async def codes(**wanted: object) -> list[str]:
        found = await districts.list(**wanted, limit=10)  # type: ignore[arg-type]
        return [one.district for one in found]

    assert ["hk", "kln", "mk"] == await codes()
    assert ["kln", "mk", "nt"] == await codes(after="hk", archived=True)
    assert ["kln"] == await codes(parent="hk")
    assert ["hk"] == await codes(parent="")
