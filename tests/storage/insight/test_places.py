"""A sale belongs to where its machine stood, and to the day that it was there."""

from storage.database.engine import Database
from storage.insight.places import NOWHERE, Stood, Where, read_stays, where
from storage.office.sites import Sites
from storage.office.stays import Stays
from tests.storage.office.places import a_site, by, some_districts, some_machines, some_sites

PIER = Where(site="pier", district="hk", site_type="OFFICE", time_zone="Asia/Hong_Kong")
DOCK = Where(site="dock", district="uk", site_type="OFFICE", time_zone="Europe/London")
STAYS = (
    Stood(from_at_ms=100, where=PIER),
    Stood(from_at_ms=200, where=NOWHERE),
    Stood(from_at_ms=300, where=DOCK),
)


def test_a_machine_is_where_it_was_put_last() -> None:
    """From the first moment of a stay on; before any it is nowhere."""
    assert NOWHERE == where((), 100)
    assert NOWHERE == where(STAYS, 99)
    assert PIER == where(STAYS, 100) == where(STAYS, 199)
    assert DOCK == where(STAYS, 300)


def test_a_machine_in_store_keeps_the_clock_of_where_it_was() -> None:
    """As its stays do, whose days are those of the place before."""
    assert Where(time_zone="Asia/Hong_Kong") == where(STAYS, 250)


async def test_stays_are_read_for_many_machines(db: Database) -> None:
    """With the site's district, type and clock; who stood nowhere is not there."""
    await some_districts(db, ("hk", ""), ("uk", ""))
    await some_sites(db, pier="hk")
    await Sites(db).create("dock", a_site("uk", "Europe/London"), by(action="made"))
    await some_machines(db, "VM-1", "VM-2", "VM-3")
    stays = Stays(db)
    await stays.place("VM-1", "pier", "2024-10-04", by())
    await stays.place("VM-1", "dock", "2024-10-09", by())
    await stays.place("VM-2", "pier", "2024-10-04", by())
    await stays.place("VM-2", "", "2024-10-05", by())
    read = await db.read(lambda connection: read_stays(connection, ["VM-1", "VM-2", "VM-3"]))
    assert {"VM-1", "VM-2"} == read.keys()
    assert ["pier", "dock"] == [one.where.site for one in read["VM-1"]]
    assert ("uk", "Europe/London") == (
        read["VM-1"][1].where.district,
        read["VM-1"][1].where.time_zone,
    )
    assert ["pier", ""] == [one.where.site for one in read["VM-2"]]
    assert read["VM-1"][0].from_at_ms < read["VM-1"][1].from_at_ms
