"""Sites: what is kept of them, and in what order they come."""

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy.dialects.sqlite import dialect

from storage.database.engine import Database
from storage.office import sites as module
from storage.office.deeds import AlreadyThere, EtagOutdated, NotPossible, NotThere
from storage.office.sites import Sites, SitesWanted, SiteType
from storage.office.stays import Stays
from tests.storage.office.places import (
    NOON_MS,
    a_site,
    by,
    details,
    some_districts,
    some_machines,
    some_sites,
)

WHOLE = a_site(
    type_word="",
    latitude_e6=22_287_600,
    longitude_e6=-114_158_900,
    address_lines=("1 Man Kwong Street", "Central"),
    contact_name="Lee",
    contact_phone="+852 2131 8181",
    contact_email="lee@example.com",
)


@pytest.mark.slow_on_postgres
async def test_a_site_is_kept_as_it_was_given(db: Database) -> None:
    """All of it, once, in a district that is there."""
    sites = Sites(db)
    with pytest.raises(NotThere):
        await sites.create("pier", WHOLE, by())
    await some_districts(db, ("hk", ""))
    made = await sites.create("pier", WHOLE, by())
    assert (WHOLE, 1, NOON_MS, None) == (
        made.content,
        made.revision,
        made.created_at_ms,
        made.archived_at_ms,
    )
    assert made == await sites.get("pier")
    assert made == await sites.create("pier", WHOLE, by("bob"))
    with pytest.raises(AlreadyThere, match="latitude_e6 22287600 -> none"):
        await sites.create("pier", a_site(), by())
    assert 1 == len(await details(db))


@pytest.mark.slow_on_postgres
async def test_what_is_named_is_changed(db: Database) -> None:
    """The rest stays, the log says both, and of two with one etag one wins."""
    await some_districts(db, ("hk", ""), ("nt", ""))
    sites = await some_sites(db, pier="hk")
    changed = await sites.change(
        "pier", {"district": "nt", "site_type": SiteType.OTHER, "type_word": "Pier"}, by(), etag="1"
    )
    assert ("nt", "Pier 7", 2) == (
        changed.content.district,
        changed.content.name,
        changed.revision,
    )
    assert [
        "site pier: district 'hk' -> 'nt'; site_type 'STATION' -> 'OTHER'; type_word none -> 'Pier'"
    ] == await details(db)
    with pytest.raises(EtagOutdated):
        await sites.change("pier", {"name": "x"}, by("bob"), etag="1")
    assert changed == await sites.change("pier", {"name": "Pier 7"}, by())


async def test_a_site_where_a_machine_stands_or_will_is_not_archived(db: Database) -> None:
    """Nor gets it other days."""
    await some_districts(db, ("hk", ""))
    sites = await some_sites(db, pier="hk", hall="hk")
    await some_machines(db, "VM-1")
    assert "Asia/Tokyo" == (
        (await sites.change("pier", {"time_zone": "Asia/Tokyo"}, by())).content.time_zone
    )
    stays = Stays(db)
    await stays.place("VM-1", "pier", "2024-12-01", by())
    with pytest.raises(NotPossible) as refused:
        await sites.archive("pier", by())
    assert "SITE_IN_USE" == refused.value.reason
    with pytest.raises(NotPossible) as refused:
        await sites.change("pier", {"time_zone": "Asia/Hong_Kong"}, by())
    assert "SITE_HAS_DAYS" == refused.value.reason
    await stays.remove("VM-1", "2024-12-01", by())
    archived = await sites.archive("pier", by())
    assert NOON_MS == archived.archived_at_ms
    with pytest.raises(NotPossible) as refused:
        await stays.place("VM-1", "pier", "2024-12-01", by())
    assert "SITE_ARCHIVED" == refused.value.reason
    assert None is (await sites.archive("pier", by(), back=True)).archived_at_ms


async def test_sites_come_district_by_district(db: Database) -> None:
    """Those of one district with all below it, page by page, nothing twice and nothing left out."""
    await some_districts(db, ("hk", ""), ("kln", "hk"), ("nt", "hk"), ("uk", ""))
    sites = await some_sites(db, s1="nt", s2="hk", s3="kln", s4="hk", s5="uk", s6="nt")
    await sites.change("s6", {"site_type": SiteType.SHOP}, by())
    for wanted, expected in (
        (SitesWanted(), ["s2", "s4", "s3", "s1", "s6", "s5"]),
        (SitesWanted(district="hk"), ["s2", "s4", "s3", "s1", "s6"]),
        (SitesWanted(district="nt", site_type="SHOP"), ["s6"]),
        (SitesWanted(district="none"), []),
    ):
        for limit in (1, 2, 10):
            found: list[str] = []
            after = ("", "")
            while page := await sites.list(wanted, after=after, limit=limit):
                found += [one.site for one in page]
                after = (page[-1].content.district, page[-1].site)
            assert expected == found
    await sites.archive("s5", by())
    assert "s5" not in [one.site for one in await sites.list(SitesWanted(), limit=10)]
    assert {"s1", "s5"} == set(await sites.some(["s1", "s5", "none"]))
    whole = await sites.list(SitesWanted(archived=True), limit=10)
    assert "s5" == whole[-1].site


@pytest.mark.parametrize("district", ["", "hk"])
@pytest.mark.parametrize("after", [("", ""), ("hk", "s2")])
def test_a_page_of_sites_goes_along_indexes(
    upgraded_file: Path, district: str, after: tuple[str, str]
) -> None:
    """No table is looked through, and nothing but two pages is sorted."""
    wanted = module.page(SitesWanted(district=district), after, 51)
    sql = wanted.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})
    with closing(sqlite3.connect(upgraded_file)) as connection:
        plan = [line for *_, line in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any("sites_by_district_site" in line for line in plan), plan
    assert [] == [line for line in plan if line in {"SCAN sites", "SCAN district_paths"}]
    sorts = [one for one, line in pairwise(plan) if "TEMP B-TREE" in line]
    assert all(line.startswith("SCAN anon_") for line in sorts), plan
