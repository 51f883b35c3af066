"""A small fleet in which each selector holds some machines and leaves out others."""

from sqlalchemy import Connection, insert

from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.machines.rows import DAY_MS
from storage.office.sites import SiteType
from storage.office.stays import Stays
from storage.tables import machine_labels, machine_profiles
from tests.storage.office.places import NOON_MS, by, some_districts, some_machines, some_sites

NAMES = ("VM-1", "VM-2", "VM-3", "VM-4", "VM-5", "VM-6")


async def fleet(db: Database) -> None:
    """Six machines: two at the pier, one in the hall, one in a shop that is to come to the pier,
    one that stands nowhere and one that was retired.
    """
    await some_districts(db, ("hk", ""), ("kln", "hk"), ("nt", "hk"))
    places = await some_sites(db, pier="kln", hall="nt", shop="nt")
    await places.change("shop", {"site_type": SiteType.SHOP}, by())
    await some_machines(db, *NAMES)
    stays = Stays(db)
    for machine_id, site, day in (
        ("VM-1", "pier", "2024-10-01"),
        ("VM-2", "hall", "2024-10-01"),
        ("VM-3", "pier", "2024-10-01"),
        ("VM-4", "shop", "2024-10-01"),
        ("VM-4", "pier", "2024-10-09"),
        ("VM-6", "pier", "2024-10-01"),
    ):
        await stays.place(machine_id, site, day, by(now_ms=NOON_MS - 4 * DAY_MS))
    await Registry(db).change(
        MachineId("VM-6"), MachineChange(retire=True), actor="ann", action="retire", now_ms=1
    )
    label = {"machine_id": "VM-1", "label": "route", "value": "7"}
    profile = {
        "machine_id": "VM-1",
        "revision": 1,
        "serial": "",
        "model": "Snack 40",
        "maintenance": "IN_SERVICE",
        "was_enabled": False,
        "since_at_ms": None,
        "set_by": "",
        "updated_at_ms": 1,
        "reason": "",
    }

    def work(connection: Connection) -> None:
        connection.execute(
            insert(machine_labels),
            [label, {**label, "machine_id": "VM-5"}, {**label, "machine_id": "VM-2", "value": "8"}],
        )
        connection.execute(insert(machine_profiles), [profile, {**profile, "machine_id": "VM-5"}])

    await db.write(work)
