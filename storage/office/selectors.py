"""Which machines somebody means: by name, by place, by model, by label.

Flows in: a ``Selector``. Flows out: a query for the machines (``machines_of``), or a page of them
that costs the same wherever it stands in however large a fleet (``page_of``). Such a page goes
along the index of one thing that is given, and looks at a bounded number of machines whether the
rest holds; it may therefore be short, or empty, and not be the last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    exists,
    false,
    or_,
    select,
    true,
    union_all,
)

from actors.machine.goods import COLUMN
from storage.database.engine import Database
from storage.office.deeds import NotThere
from storage.office.stays import is_at
from storage.tables import (
    district_paths,
    districts,
    goods_balances,
    machine_labels,
    machine_profiles,
    machine_sites,
    machines,
    sites,
)

UNKNOWN_SHOWN_MAX = 5
LOOKED_AT_MIN = 200
"""A page looks at this many machines, or at twice as many as it may show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Machines that are not retired and for which all holds that is given; ``district`` is with all
    below it. If nothing is given it holds none.
    """

    machine_ids: tuple[str, ...] = ()
    district: str = ""
    site: str = ""
    site_type: str = ""
    model: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    all: bool = False

    @property
    def is_empty(self) -> bool:
        """Nothing is given."""
        return self == _NOTHING


_NOTHING = Selector()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Machines that a selector holds, and the position behind them; empty: there are no more."""

    machine_ids: Sequence[str]
    position: str


class Selectors:
    """Asks a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(
        self, selector: Selector, now_ms: int, *, position: str = "", limit: int
    ) -> Held:
        """Return up to ``limit`` machines behind ``position``, as ``page_of`` does. Raises
        NotThere.
        """
        return await self._db.read(
            lambda connection: page_of(connection, selector, now_ms, position=position, limit=limit)
        )


def machines_of(selector: Selector, now_ms: int) -> Select[tuple[str]]:
    """Return the query for the ids of all machines that the selector holds at that moment, in no
    order. It is for what is small or is asked whole, behind ``check_known``; ``page_of`` is for
    lists.
    """
    held = false() if selector.is_empty else and_(*_conditions(selector, now_ms))
    return select(machines.c.machine_id).where(machines.c.retired_at_ms.is_(None), held)


def page_of(
    connection: Connection,
    selector: Selector,
    now_ms: int,
    *,
    position: str = "",
    limit: int,
    among: Table | None = None,
    left: bool = False,
) -> Held:
    """Return up to ``limit`` machines behind ``position``, which an earlier page had. ``now_ms`` is
    the moment for which it is asked where machines stand. ``among``: only those that have a row
    there, in a table with one row for a machine. ``left``: retired ones too in whose columns goods
    are left. Raises NotThere for a name that nobody knows, which is a typo: left out, it would look
    as if all was well with the machine.
    """
    if selector.is_empty:
        return Held(machine_ids=(), position="")
    if not position:
        check_known(connection, selector)
    rows = connection.execute(looked_at(selector, now_ms, position, limit, among, left=left)).all()
    found: list[str] = []
    for row in rows:
        if row.held:
            found.append(row.machine_id)
            if len(found) == limit:
                return Held(machine_ids=found, position=_position(row))
    more = len(rows) == _looked_at_max(limit)
    return Held(machine_ids=found, position=_position(rows[-1]) if more else "")


def check_known(connection: Connection, selector: Selector) -> None:
    """Raise NotThere if the selector has a machine, a district or a site that nobody knows."""
    for what, key, names in (
        ("machine", machines.c.machine_id, selector.machine_ids),
        ("district", districts.c.district, (selector.district,) if selector.district else ()),
        ("site", sites.c.site, (selector.site,) if selector.site else ()),
    ):
        if not names:
            continue
        known = set(connection.scalars(select(key).where(key.in_(names))))
        if unknown := [name for name in names if name not in known]:
            more = len(unknown) - UNKNOWN_SHOWN_MAX
            behind = f" and {more} more" if more > 0 else ""
            raise NotThere(what, ", ".join(unknown[:UNKNOWN_SHOWN_MAX]) + behind)


def looked_at(
    selector: Selector,
    now_ms: int,
    position: str,
    limit: int,
    among: Table | None = None,
    *,
    left: bool = False,
) -> Select[Any]:
    """Return the query for the machines that a page looks at, in its order: ``held`` says which are
    shown.
    """
    along = _along(selector, now_ms)
    conditions = _conditions(selector, now_ms)
    if among is not None:
        there = among.c.machine_id
        conditions.append(exists().where(there == machines.c.machine_id).correlate(machines))
        if not (selector.machine_ids or selector.site):  # these are few anyway
            along = _Along(rows=select(there), keys=[there])
    most = _looked_at_max(limit)
    names = [str(key.key) for key in along.keys]
    if position:
        parts = [
            select(part.order_by(*along.keys).limit(most).subquery())
            for part in along.behind(position.split(" "))
        ]
        rows = union_all(*parts).subquery() if len(parts) > 1 else parts[0].subquery()
        order = [rows.c[name] for name in names]
        some = select(rows).order_by(*order).limit(most).subquery()
    else:
        some = along.rows.order_by(*along.keys).limit(most).subquery()
    # One look at each machine: joined, PostgreSQL would rather read a middling fleet whole.
    held = (
        select(and_(_in_fleet(left=left), *conditions))
        .where(machines.c.machine_id == some.c.machine_id)
        .scalar_subquery()
    )
    keys = [some.c[name] for name in names]
    return select(*keys, held.label("held")).order_by(*keys)


def _in_fleet(*, left: bool) -> ColumnElement[bool]:
    there = machines.c.retired_at_ms.is_(None)
    if not left:
        return there
    c = goods_balances.c
    goods = exists().where(
        c.machine_id == machines.c.machine_id, c.place.startswith(f"{COLUMN}:"), c.quantity > 0
    )
    return or_(there, goods.correlate(machines))


def _looked_at_max(limit: int) -> int:
    return max(LOOKED_AT_MIN, 2 * limit)


def _position(row: Any) -> str:
    return " ".join(row[:-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Along:
    """Rows in the order of an index: that of ``keys``, the last of which is the machine's id."""

    rows: Select[Any]
    keys: Sequence[ColumnElement[str]]

    def behind(self, after: Sequence[str]) -> list[Select[Any]]:
        """Return the rows behind a position, as many queries of which each is one range of the
        index: nothing that was passed is looked at again.
        """
        pairs = list(zip(self.keys, after, strict=True))
        return [
            self.rows.where(
                *(key == value for key, value in pairs[:place]), pairs[place][0] > pairs[place][1]
            )
            for place in reversed(range(len(pairs)))
        ]


def _along(selector: Selector, now_ms: int) -> _Along:
    """Return the machines that the one thing holds which is likely to hold the fewest."""
    for given, rows in _WAYS:
        if given(selector):
            return rows(selector, now_ms)
    return _Along(rows=select(machines.c.machine_id), keys=[machines.c.machine_id])


def _by_name(selector: Selector, _now_ms: int) -> _Along:
    c = machines.c
    rows = select(c.machine_id).where(c.machine_id.in_(selector.machine_ids))
    return _Along(rows=rows, keys=[c.machine_id])


def _by_site(selector: Selector, now_ms: int) -> _Along:
    c = machine_sites.c
    rows = select(c.machine_id).where(c.site == selector.site, is_at(now_ms))
    return _Along(rows=rows, keys=[c.machine_id])


def _by_label(selector: Selector, _now_ms: int) -> _Along:
    c = machine_labels.c
    label, value = min(selector.labels.items())
    rows = select(c.machine_id).where(c.label == label, c.value == value)
    return _Along(rows=rows, keys=[c.machine_id])


def _by_model(selector: Selector, _now_ms: int) -> _Along:
    c = machine_profiles.c
    rows = select(c.machine_id).where(c.model == selector.model)
    return _Along(rows=rows, keys=[c.machine_id])


def _by_district(selector: Selector, now_ms: int) -> _Along:
    there: FromClause = district_paths.join(
        sites, sites.c.district == district_paths.c.district
    ).join(machine_sites, machine_sites.c.site == sites.c.site)
    keys = [district_paths.c.district, sites.c.site, machine_sites.c.machine_id]
    rows = select(*keys).select_from(there)
    rows = rows.where(district_paths.c.ancestor == selector.district, is_at(now_ms))
    return _Along(rows=rows, keys=keys)


def _by_site_type(selector: Selector, now_ms: int) -> _Along:
    there = sites.join(machine_sites, machine_sites.c.site == sites.c.site)
    keys = [sites.c.site, machine_sites.c.machine_id]
    rows = select(*keys).select_from(there)
    rows = rows.where(sites.c.site_type == selector.site_type, is_at(now_ms))
    return _Along(rows=rows, keys=keys)


_WAYS: Sequence[tuple[Callable[[Selector], object], Callable[[Selector, int], _Along]]] = (
    (lambda selector: selector.machine_ids, _by_name),
    (lambda selector: selector.site, _by_site),
    (lambda selector: selector.labels, _by_label),
    (lambda selector: selector.district, _by_district),
    (lambda selector: selector.model, _by_model),
    (lambda selector: selector.site_type, _by_site_type),
)


def _conditions(selector: Selector, now_ms: int) -> list[ColumnElement[bool]]:
    """Return what must hold of a row of ``machines``."""
    found: list[ColumnElement[bool]] = []
    if selector.machine_ids:
        found.append(machines.c.machine_id.in_(selector.machine_ids))
    if selector.site or selector.site_type or selector.district:
        found.append(_stands(selector, now_ms))
    if selector.model:
        of_model = exists().where(
            machine_profiles.c.machine_id == machines.c.machine_id,
            machine_profiles.c.model == selector.model,
        )
        found.append(of_model.correlate(machines))
    for label, value in sorted(selector.labels.items()):
        has = exists().where(
            machine_labels.c.machine_id == machines.c.machine_id,
            machine_labels.c.label == label,
            machine_labels.c.value == value,
        )
        found.append(has.correlate(machines))
    return found or [true()]


def _stands(selector: Selector, now_ms: int) -> ColumnElement[bool]:
    stays = machine_sites.join(sites, sites.c.site == machine_sites.c.site)
    wanted = select(machine_sites.c.machine_id).where(
        machine_sites.c.machine_id == machines.c.machine_id, is_at(now_ms)
    )
    if selector.site:
        wanted = wanted.where(machine_sites.c.site == selector.site)
    if selector.site_type:
        wanted = wanted.where(sites.c.site_type == selector.site_type)
    if selector.district:
        stays = stays.join(district_paths, district_paths.c.district == sites.c.district)
        wanted = wanted.where(district_paths.c.ancestor == selector.district)
    return wanted.select_from(stays).correlate(machines).exists()
