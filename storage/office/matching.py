"""Which of several selectors hold one machine, in three short reads however many they are.

``storage.office.selectors`` asks the other way round: which machines one selector holds. Here what
is known of the machine is read once, and the selectors are compared with it in memory, because a
payment asks, which has no time to put a query together for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, BindParameter, Connection, and_, bindparam, or_, select

from storage.office.selectors import Selector
from storage.tables import (
    district_paths,
    machine_labels,
    machine_profiles,
    machine_sites,
    machines,
    sites,
)

_ASKED: BindParameter[str] = bindparam("asked")
_AT: BindParameter[int] = bindparam("at_ms", type_=BigInteger)
_S = machine_sites.c
_STANDS = and_(
    _S.machine_id == machines.c.machine_id,
    _S.from_at_ms <= _AT,
    or_(_S.until_at_ms.is_(None), _S.until_at_ms > _AT),
)
_THERE = (
    select(machine_profiles.c.model, *sites.c["site", "site_type", "district"])
    .select_from(
        machines.outerjoin(machine_profiles, machine_profiles.c.machine_id == machines.c.machine_id)
        .outerjoin(machine_sites, _STANDS)
        .outerjoin(sites, sites.c.site == _S.site)
    )
    .where(machines.c.machine_id == _ASKED, machines.c.retired_at_ms.is_(None))
    .limit(1)
)
_LABELS = select(*machine_labels.c["label", "value"]).where(machine_labels.c.machine_id == _ASKED)
_ABOVE = select(district_paths.c.ancestor).where(district_paths.c.district == bindparam("below"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOfMachine:
    """What selectors ask of a machine that is not retired; ``districts``: its site's, and all above
    it.
    """

    machine_id: str
    site: str
    site_type: str
    districts: frozenset[str]
    model: str
    labels: Mapping[str, str]

    def is_held_by(self, selector: Selector) -> bool:
        """Return whether all holds that is given."""
        return (
            not selector.is_empty
            and (not selector.machine_ids or self.machine_id in selector.machine_ids)
            and selector.site in {"", self.site}
            and selector.site_type in {"", self.site_type}
            and (not selector.district or selector.district in self.districts)
            and selector.model in {"", self.model}
            and selector.labels.items() <= self.labels.items()
        )


def known_of(connection: Connection, machine_id: str, now_ms: int) -> KnownOfMachine | None:
    """Return what is known of a machine at that moment; None if it is retired, or nobody's."""
    asked = {"asked": machine_id}
    row = connection.execute(_THERE, {**asked, "at_ms": now_ms}).one_or_none()
    if row is None:
        return None
    above = connection.scalars(_ABOVE, {"below": row.district or ""})
    return KnownOfMachine(
        machine_id=machine_id,
        site=row.site or "",
        site_type=row.site_type or "",
        districts=frozenset(above),
        model=row.model or "",
        labels={each.label: each.value for each in connection.execute(_LABELS, asked)},
    )
