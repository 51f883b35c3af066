"""The database holds no place that cannot be."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import districts, machine_labels, machine_profiles, machine_sites, sites
from tests.storage.office.places import some_districts, some_machines, some_sites
from tests.storage.tables.refused import refused, taken

HK: dict[str, Any] = {
    "district": "hk",
    "revision": 1,
    "name": "Hong Kong",
    "parent": None,
    "created_at_ms": 1,
    "updated_at_ms": 1,
}
PIER: dict[str, Any] = {
    "site": "pier",
    "revision": 1,
    "name": "Pier 7",
    "district": "hk",
    "site_type": "STATION",
    "type_word": "",
    "latitude_e6": 22_000_000,
    "longitude_e6": 114_000_000,
    "time_zone": "Asia/Hong_Kong",
    "contact_name": "",
    "contact_phone": "",
    "contact_email": "",
    "created_at_ms": 1,
    "updated_at_ms": 1,
    "address_lines": "",
}
PROFILE: dict[str, Any] = {
    "machine_id": "VM-1",
    "revision": 1,
    "serial": "",
    "model": "",
    "maintenance": "IN_SERVICE",
    "was_enabled": False,
    "since_at_ms": None,
    "set_by": "",
    "updated_at_ms": 1,
    "reason": "",
}


@pytest.mark.slow_on_postgres
async def test_a_district_is_in_one_that_is_there_and_not_in_itself(db: Database) -> None:
    """The top of the tree has no parent."""
    await refused(db, districts, {**HK, "parent": "asia"})
    await refused(db, districts, {**HK, "parent": "hk"})
    await refused(db, districts, {**HK, "revision": 0})
    await taken(db, districts, HK)


@pytest.mark.slow_on_postgres
async def test_a_site_is_on_earth_and_in_a_district(
    db: Database, subtests: pytest.Subtests
) -> None:
    """Half a position is none."""
    await taken(db, districts, HK)
    wrongs: tuple[dict[str, Any], ...] = (
        {"latitude_e6": 90_000_001},
        {"longitude_e6": -180_000_001},
        {"latitude_e6": None},
        {"district": "none"},
        {"revision": 0},
    )
    for wrong in wrongs:
        with subtests.test(wrong=wrong):
            await refused(db, sites, {**PIER, **wrong})
    await taken(db, sites, {**PIER, "latitude_e6": None, "longitude_e6": None})


async def test_a_stay_lasts(db: Database) -> None:
    """It ends after it begins, and is of a machine and a site that are there."""
    await some_districts(db, ("hk", ""))
    await some_sites(db, pier="hk")
    await some_machines(db, "VM-1")
    stay = {
        "machine_id": "VM-1",
        "from_day": "2024-10-04",
        "site": "pier",
        "from_at_ms": 5,
        "until_at_ms": 6,
    }
    for wrong in ({"until_at_ms": 5}, {"site": "none"}, {"machine_id": "VM-9"}):
        await refused(db, machine_sites, {**stay, **wrong})
    await taken(db, machine_sites, stay)
    await refused(db, machine_sites, stay)


@pytest.mark.slow_on_postgres
async def test_a_profile_is_of_a_machine_and_its_maintenance_is_known(db: Database) -> None:
    """A label stands once."""
    await refused(db, machine_profiles, PROFILE)
    await some_machines(db, "VM-1")
    await refused(db, machine_profiles, {**PROFILE, "maintenance": "BROKEN"})
    await taken(db, machine_profiles, PROFILE)
    label = {"machine_id": "VM-1", "label": "route", "value": "7"}
    await taken(db, machine_labels, label)
    await refused(db, machine_labels, {**label, "value": "8"})
