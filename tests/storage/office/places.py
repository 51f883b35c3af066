"""Deeds and places that tests of the back office share."""

from sqlalchemy import select

from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.fleet.registry import Registry
from storage.machines.rows import DAY_MS
from storage.office.deeds import Deed
from storage.office.districts import DistrictContent, Districts
from storage.office.sites import SiteContent, Sites, SiteType
from storage.tables import audit
from tests.storage.owner import new_machine

NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
"""Noon in Greenwich on 4 October 2024."""


def by(
    actor: str = "ann", *, action: str = "Test", now_ms: int = NOON_MS, check: bool = False
) -> Deed:
    """Somebody's deed."""
    return Deed(actor=actor, action=action, now_ms=now_ms, only_check=check)


async def details(db: Database) -> list[str]:
    """What the audit log says of tests' deeds."""
    rows = select(audit.c.detail).where(audit.c.action == "Test").order_by(audit.c.id)
    return await db.read(lambda connection: list(connection.scalars(rows)))


async def some_districts(db: Database, *named: tuple[str, str]) -> Districts:
    """Make districts, each with the code of the one that it is in."""
    districts = Districts(db)
    for district, parent in named:
        await districts.create(
            district, DistrictContent(name=district.upper(), parent=parent), by(action="made")
        )
    return districts


def a_site(district: str = "hk", time_zone: str = "Asia/Hong_Kong", **more: object) -> SiteContent:
    """What a site may be."""
    return SiteContent(
        name="Pier 7",
        district=district,
        site_type=SiteType.STATION,
        time_zone=time_zone,
        **more,  # type: ignore[arg-type]
    )


async def some_sites(db: Database, **in_districts: str) -> Sites:
    """Make sites, each in a district."""
    sites = Sites(db)
    for site, district in in_districts.items():
        await sites.create(site, a_site(district), by(action="made"))
    return sites


async def some_machines(db: Database, *machine_ids: str) -> None:
    """Register machines."""
    for machine_id in machine_ids:
        await Registry(db).register(new_machine(MachineId(machine_id)), actor="made", now_ms=1)
