"""Districts: the operator's own tree of places, as deep as they like within a bound.

Flows in: what a district is to be called and in which other it is. Flows out: the district as it is
kept, or OfficeRefused. Beside the tree stands which district is in which at any depth, so that "all
below it" is one look at an index. Who changes the tree does it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Row,
    Select,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from storage.database import dialects
from storage.database.engine import Database
from storage.office import deeds
from storage.office.deeds import (
    AlreadyThere,
    Deed,
    DeedPlan,
    Detail,
    EtagOutdated,
    NotPossible,
    NotThere,
)
from storage.office.words import difference
from storage.tables import district_paths, districts, sites

DEPTH_MAX = 12
"""So many districts may stand one in the other."""
DISTRICTS_MAX = 10_000
MOVED_MAX = 1_000
"""At most so many districts move with the one that they are in."""


Writes = tuple[tuple[Executable, Sequence[dict[str, Any]]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistrictContent:
    """What administrators set of a district. ``parent`` is empty at the top of the tree."""

    name: str
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistrictView:
    """A district as it is kept. ``archived_at_ms`` is None while anything may be put in it."""

    district: str
    content: DistrictContent
    revision: int
    created_at_ms: int
    updated_at_ms: int
    archived_at_ms: int | None = None


class Districts:
    """The districts of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, district: str, content: DistrictContent, deed: Deed) -> DistrictView:
        """Take a district in. Again with the same content: what is there. Raises AlreadyThere,
        NotThere if its parent is not, NotPossible.
        """

        def plan(connection: Connection) -> DeedPlan[DistrictView]:
            _alone(connection, deed)
            if (there := view_of(connection, district)) is not None:
                if said := difference(there.content, content):
                    raise AlreadyThere("district", district, said)
                return DeedPlan(result=there)
            count = connection.scalar(select(func.count()).select_from(districts)) or 0
            if count >= DISTRICTS_MAX:
                raise NotPossible(
                    "TOO_MANY_DISTRICTS",
                    f"there are {DISTRICTS_MAX} districts, and no more can be: use those that are "
                    "there, or put the machines' differences into labels",
                )
            above = _above(connection, content.parent)
            _check_depth(district, len(above) + 1)
            made = DistrictView(
                district=district,
                content=content,
                revision=1,
                created_at_ms=deed.now_ms,
                updated_at_ms=deed.now_ms,
            )
            paths = [(district, 0), *((name, depth + 1) for name, depth in above)]
            said = difference(DistrictContent(name=""), content)
            return DeedPlan(
                result=made,
                writes=(
                    (insert(districts), [_row(made)]),
                    (insert(district_paths), [_path(name, district, far) for name, far in paths]),
                ),
                details=(Detail(said=f"district {district}: {said}"),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, district))

    async def change(
        self,
        district: str,
        deed: Deed,
        *,
        name: str | None = None,
        parent: str | None = None,
        etag: str = "",
    ) -> DistrictView:
        """Call it otherwise, or put it and all below it into another district; empty: to the top.
        Raises NotThere, EtagOutdated, NotPossible.
        """

        def plan(connection: Connection) -> DeedPlan[DistrictView]:
            _alone(connection, deed)
            before = there(connection, district, etag=etag)
            content = replace(
                before.content,
                name=before.content.name if name is None else name,
                parent=before.content.parent if parent is None else parent,
            )
            moved: Writes = ()
            if content.parent != before.content.parent:
                moved = _moved(connection, district, content.parent)
            return _changed(before, replace(before, content=content), deed, moved)

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, district))

    async def archive(
        self, district: str, deed: Deed, *, back: bool = False, etag: str = ""
    ) -> DistrictView:
        """Let nothing new be put in it; ``back``: let it again. Raises NotThere, EtagOutdated,
        NotPossible while a district or a site is in it that is not archived, or (``back``) while it
        is in one that is.
        """

        def plan(connection: Connection) -> DeedPlan[DistrictView]:
            _alone(connection, deed)
            before = there(connection, district, etag=etag)
            if (before.archived_at_ms is None) is back:
                return DeedPlan(result=before)
            if back:
                _above(connection, before.content.parent)
            else:
                _check_empty(connection, district)
            return _changed(
                before, replace(before, archived_at_ms=None if back else deed.now_ms), deed
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, district))

    async def get(self, district: str) -> DistrictView:
        """Return a district. Raises NotThere."""
        return await self._db.read(lambda connection: there(connection, district))

    async def list(
        self, *, parent: str | None = None, archived: bool = False, after: str = "", limit: int
    ) -> Sequence[DistrictView]:
        """Return the first districts behind the code ``after``, in the order of their codes: all,
        or those that stand right in ``parent`` (empty: at the top).
        """
        wanted = page(parent, archived, after, limit)
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(wanted)]
        )


def page(parent: str | None, archived: bool, after: str, limit: int) -> Select[Any]:
    """Return the query for a page of districts."""
    c = districts.c
    rows = select(districts).where(c.district > after)
    if parent is not None:
        rows = rows.where(c.parent == parent if parent else c.parent.is_(None))
    if not archived:
        rows = rows.where(c.archived_at_ms.is_(None))
    return rows.order_by(c.district).limit(limit)


def there(connection: Connection, district: str, *, etag: str = "") -> DistrictView:
    """Return a district. Raises NotThere, or EtagOutdated unless its etag is this one."""
    found = view_of(connection, district)
    if found is None:
        raise NotThere("district", district)
    if etag and etag != str(found.revision):
        raise EtagOutdated("district", district, str(found.revision))
    return found


def view_of(connection: Connection, district: str) -> DistrictView | None:
    """Return a district, or None."""
    row = connection.execute(
        select(districts).where(districts.c.district == district)
    ).one_or_none()
    return None if row is None else _view(row)


def in_use(connection: Connection, district: str) -> DistrictView:
    """Return a district that something may be put in. Raises NotThere or NotPossible."""
    found = there(connection, district)
    if found.archived_at_ms is not None:
        raise NotPossible(
            "DISTRICT_ARCHIVED",
            f"district {district!r} is archived: RestoreDistrict, or choose another",
            district=district,
        )
    return found


def _alone(connection: Connection, deed: Deed) -> None:
    if deed.locks:
        dialects.office_alone(connection)


def _above(connection: Connection, parent: str) -> list[tuple[str, int]]:
    """Return a parent that something may be put in, and all that it is in, each with how far above
    it stands.
    """
    if not parent:
        return []
    in_use(connection, parent)
    c = district_paths.c
    rows = select(c.ancestor, c.depth).where(c.district == parent).order_by(c.depth)
    return [(row.ancestor, row.depth) for row in connection.execute(rows)]


def _check_depth(district: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise NotPossible(
            "TOO_DEEP",
            f"district {district!r} would be the {depth}th one in the other, and {DEPTH_MAX} is "
            "the most: put it into one that is further up",
            district=district,
        )


def _moved(connection: Connection, district: str, parent: str) -> Writes:
    """Return what writes anew in what a district and all below it are."""
    c = district_paths.c
    below = {
        row.district: row.depth
        for row in connection.execute(
            select(c.district, c.depth).where(c.ancestor == district).limit(MOVED_MAX + 1)
        )
    }
    if parent in below:
        raise NotPossible(
            "DISTRICT_IN_ITSELF",
            f"district {parent!r} is in {district!r}, which therefore cannot be put into it",
            district=district,
            parent=parent,
        )
    if len(below) > MOVED_MAX:
        raise NotPossible(
            "TOO_MANY_DISTRICTS",
            f"more than {MOVED_MAX} districts are in {district!r}: move those in it one by one",
            district=district,
        )
    above = _above(connection, parent)
    _check_depth(district, len(above) + 1 + max(below.values()))
    gone = delete(district_paths).where(c.district.in_(list(below)), c.ancestor.not_in(list(below)))
    new = [_path(name, one, far + 1 + depth) for one, depth in below.items() for name, far in above]
    return ((gone, []), *(((insert(district_paths), new),) if new else ()))


def _check_empty(connection: Connection, district: str) -> None:
    inner = exists().where(districts.c.parent == district, districts.c.archived_at_ms.is_(None))
    used = exists().where(sites.c.district == district, sites.c.archived_at_ms.is_(None))
    for what, found in (("districts", inner), ("sites", used)):
        if connection.scalar(select(found)):
            raise NotPossible(
                "DISTRICT_IN_USE",
                f"{what} are in district {district!r} that are not archived: move or archive them "
                "first",
                district=district,
            )


def _changed(
    before: DistrictView,
    after: DistrictView,
    deed: Deed,
    moved: Writes = (),
) -> DeedPlan[DistrictView]:
    said = [difference(before.content, after.content)]
    if before.archived_at_ms != after.archived_at_ms:
        said.append("archived" if after.archived_at_ms is not None else "no longer archived")
    if not any(said):
        return DeedPlan(result=before)
    made = replace(after, revision=before.revision + 1, updated_at_ms=deed.now_ms)
    values = {name: value for name, value in _row(made).items() if name != "district"}
    written = update(districts).where(districts.c.district == made.district).values(values)
    return DeedPlan(
        result=made,
        writes=((written, []), *moved),
        details=(Detail(said=f"district {made.district}: {'; '.join(filter(None, said))}"),),
    )


def _path(ancestor: str, district: str, depth: int) -> dict[str, Any]:
    return {"ancestor": ancestor, "district": district, "depth": depth}


def _row(view: DistrictView) -> dict[str, Any]:
    return {
        "district": view.district,
        "revision": view.revision,
        "name": view.content.name,
        "parent": view.content.parent or None,
        "created_at_ms": view.created_at_ms,
        "updated_at_ms": view.updated_at_ms,
        "archived_at_ms": view.archived_at_ms,
    }


def _view(row: Row[Any]) -> DistrictView:
    return DistrictView(
        district=row.district,
        content=DistrictContent(name=row.name, parent=row.parent or ""),
        revision=row.revision,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
        archived_at_ms=row.archived_at_ms,
    )
