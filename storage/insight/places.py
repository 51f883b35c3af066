"""Where machines stood, and by whose clock they lived then. Pure, but for the reading."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from storage.tables import machine_sites, sites

NOWHERE_ZONE = "UTC"
"""By which the days of a machine are that never stood anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A site with its district and type, all empty of a machine that stands nowhere."""

    site: str = ""
    district: str = ""
    site_type: str = ""
    time_zone: str = NOWHERE_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """A machine stands there from ``from_at_ms`` on, until its next stay begins."""

    from_at_ms: int
    where: Where


NOWHERE = Where()


def where(stays: Sequence[Stood], at_ms: int) -> Where:
    """Return where a machine was at that time; ``stays`` are its, oldest first. One that stands
    nowhere lives by the clock of where it stood last.
    """
    there = NOWHERE
    for stay in stays:
        if stay.from_at_ms > at_ms:
            break
        there = stay.where if stay.where.site else Where(time_zone=there.time_zone)
    return there


_STAYS = (
    select(
        machine_sites.c.machine_id,
        machine_sites.c.from_at_ms,
        sites.c.site,
        sites.c.district,
        sites.c.site_type,
        sites.c.time_zone,
    )
    .select_from(machine_sites.outerjoin(sites, sites.c.site == machine_sites.c.site))
    .where(machine_sites.c.machine_id.in_(bindparam("asked", expanding=True)))
    .order_by(machine_sites.c.machine_id, machine_sites.c.from_at_ms)
)


def read_stays(connection: Connection, machine_ids: Iterable[str]) -> Mapping[str, list[Stood]]:
    """Return the stays of these machines, a few hundred, oldest first; those without any are left
    out.
    """
    stays: dict[str, list[Stood]] = {}
    for row in connection.execute(_STAYS, {"asked": list(machine_ids)}):
        there = (
            NOWHERE
            if row.site is None
            else Where(
                site=row.site,
                district=row.district,
                site_type=row.site_type,
                time_zone=row.time_zone,
            )
        )
        stays.setdefault(row.machine_id, []).append(Stood(from_at_ms=row.from_at_ms, where=there))
    return stays
