"""Where machines stand, by date."""

import pytest

from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.machines.rows import DAY_MS
from storage.office.deeds import NotPossible, NotThere
from storage.office.sites import Sites
from storage.office.stays import Stays, begins_ms, day_of
from tests.storage.office.places import (
    NOON_MS,
    a_site,
    by,
    details,
    some_districts,
    some_machines,
    some_sites,
)

TODAY, TOMORROW, YESTERDAY = "2024-10-04", "2024-10-05", "2024-10-03"
HOUR_MS = 3_600_000


async def stays_at(db: Database) -> Stays:
    """Make two sites in Hong Kong, one in London, and a machine."""
    await some_districts(db, ("hk", ""), ("uk", ""))
    await some_sites(db, pier="hk", hall="hk")
    await Sites(db).create("dock", a_site("uk", "Europe/London"), by(action="made"))
    await some_machines(db, "VM-1")
    return Stays(db)


async def test_a_machine_stands_where_it_was_put_until_it_is_put_elsewhere(db: Database) -> None:
    """The day is the site's own."""
    stays = await stays_at(db)
    await stays.place("VM-1", "pier", TODAY, by())
    await stays.place("VM-1", "hall", "2024-10-09", by())
    left = await stays.place("VM-1", "", "2024-10-20", by())
    midnight = NOON_MS - 20 * HOUR_MS  # in Hong Kong it is eight in the evening
    assert [
        ("", "2024-10-20", midnight + 16 * DAY_MS, None),
        ("hall", "2024-10-09", midnight + 5 * DAY_MS, midnight + 16 * DAY_MS),
        ("pier", TODAY, midnight, midnight + 5 * DAY_MS),
    ] == [(one.site, one.from_day, one.from_at_ms, one.until_at_ms) for one in left]
    assert left == await stays.list("VM-1")
    for at_ms, site in (
        (midnight - 1, ""),
        (midnight, "pier"),
        (midnight + 5 * DAY_MS - 1, "pier"),
        (midnight + 5 * DAY_MS, "hall"),
        (midnight + 16 * DAY_MS, ""),
    ):
        assert site == await stays.site_at("VM-1", at_ms)


async def test_a_stay_that_is_over_is_past_though_its_day_is_not(db: Database) -> None:
    """In Hong Kong the next day has begun, in London the one before it has not ended: all hours of
    a stay there would be past.
    """
    stays, late = await stays_at(db), NOON_MS + 5 * HOUR_MS
    await stays.place("VM-1", "pier", TOMORROW, by(now_ms=late))
    with pytest.raises(NotPossible) as refused:
        await stays.place("VM-1", "dock", TODAY, by(now_ms=late))
    assert "PAST_NEEDS_REASON" == refused.value.reason
    await stays.place("VM-1", "dock", TODAY, by(now_ms=late), reason="it was in London")
    with pytest.raises(NotPossible):
        await stays.remove("VM-1", TODAY, by(now_ms=late))
    assert {"VM-1": TOMORROW} == await stays.last_begun(["VM-1", "VM-2"], late)
    assert {"VM-1": TODAY} == await stays.last_begun(["VM-1"], NOON_MS)
    assert {"VM-1": "dock"} == await stays.from_days({"VM-1": TODAY, "VM-2": TODAY})


@pytest.mark.slow_on_postgres
async def test_the_future_is_corrected_and_the_past_only_with_a_reason(db: Database) -> None:
    """Both are in the audit log, with the machine that they are about."""
    stays = await stays_at(db)
    await stays.place("VM-1", "pier", TOMORROW, by())
    await stays.place("VM-1", "hall", TOMORROW, by())
    await stays.remove("VM-1", TOMORROW, by())
    for refusing in (
        stays.place("VM-1", "pier", YESTERDAY, by()),
        stays.place("VM-1", "pier", "2024-10-01", by()),
    ):
        with pytest.raises(NotPossible) as refused:
            await refusing
        assert "PAST_NEEDS_REASON" == refused.value.reason
    await stays.place("VM-1", "pier", YESTERDAY, by(), reason="the van was late")
    with pytest.raises(NotPossible):
        await stays.remove("VM-1", YESTERDAY, by())
    assert [] == list(await stays.remove("VM-1", YESTERDAY, by(), reason="it was not"))
    assert [
        f"at pier from {TOMORROW}",
        f"at hall from {TOMORROW}, not at pier",
        f"no longer at hall from {TOMORROW}",
        f"at pier from {YESTERDAY}; the van was late",
        f"no longer at pier from {YESTERDAY}; it was not",
    ] == await details(db)


@pytest.mark.slow_on_postgres
async def test_what_is_said_again_changes_nothing(db: Database) -> None:
    """And leaves no line; nor does what is only checked."""
    stays = await stays_at(db)
    first = await stays.place("VM-1", "pier", TODAY, by())
    assert first == await stays.place("VM-1", "pier", TODAY, by("bob"))
    shown = await stays.place("VM-1", "hall", TOMORROW, by(check=True))
    assert ["hall", "pier"] == [one.site for one in shown]
    assert first == await stays.list("VM-1")
    assert 1 == len(await details(db))


@pytest.mark.slow_on_postgres
async def test_a_day_that_begins_before_the_one_before_it_is_refused(db: Database) -> None:
    """Round the date line a later day can begin earlier: nothing lasts less than no time."""
    stays = await stays_at(db)
    sites = Sites(db)
    await sites.create("samoa", a_site("uk", "Pacific/Pago_Pago"), by(action="made"))
    await sites.create("kiribati", a_site("uk", "Pacific/Kiritimati"), by(action="made"))
    await stays.place("VM-1", "samoa", TOMORROW, by())
    with pytest.raises(NotPossible) as refused:
        await stays.place("VM-1", "kiribati", "2024-10-06", by())
    assert "DAYS_OVERLAP" == refused.value.reason
    await stays.place("VM-1", "kiribati", "2024-10-07", by())


@pytest.mark.slow_on_postgres
async def test_a_retired_machine_is_put_nowhere(db: Database) -> None:
    """Nor one that is not there, nor at a site that is not."""
    stays = await stays_at(db)
    for refusing in (
        stays.place("VM-9", "pier", TODAY, by()),
        stays.place("VM-1", "none", TODAY, by()),
        stays.remove("VM-1", TODAY, by()),
        stays.list("VM-9"),
    ):
        with pytest.raises(NotThere):
            await refusing
    await Registry(db).change(
        MachineId("VM-1"), MachineChange(retire=True), actor="ann", action="retire", now_ms=1
    )
    with pytest.raises(NotPossible) as refused:
        await stays.place("VM-1", "pier", TODAY, by())
    assert "MACHINE_RETIRED" == refused.value.reason


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2024-10-04", "UTC", 0),
        ("2024-10-04", "Asia/Hong_Kong", -8),
        ("2024-10-04", "America/New_York", 4),
        ("2024-10-04", "Asia/Kathmandu", -5.75),
    ],
)
def test_a_day_begins_at_the_midnight_of_its_place(day: str, zone: str, hours: float) -> None:
    """And that moment is of that day, and the one before it is not."""
    begins = begins_ms(day, zone)
    assert 20_000 * DAY_MS + int(hours * HOUR_MS) == begins
    assert (day, YESTERDAY) == (day_of(begins, zone), day_of(begins - 1_000, zone))


def test_a_day_without_a_midnight_begins_when_the_clock_is_put_forward() -> None:
    """In Beirut 2024-03-31 began at one o'clock."""
    begins = begins_ms("2024-03-31", "Asia/Beirut")
    assert ("2024-03-31", "2024-03-30") == (
        day_of(begins, "Asia/Beirut"),
        day_of(begins - 1_000, "Asia/Beirut"),
    )
