"""Sites: where machines stand, each in one district.

Flows in: what a site is. Flows out: the site as it is kept, or OfficeRefused. A site's time zone
says when its days begin, by which the machines' stays are dated (``storage.office.stays``): it is
for ever once a machine was put there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    exists,
    insert,
    or_,
    select,
    union_all,
    update,
)

from storage.database import dialects
from storage.database.engine import Database
from storage.office import deeds, districts
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
from storage.tables import district_paths, machine_sites, sites


class SiteType(StrEnum):
    """What kind of place it is; OTHER is said by ``type_word``."""

    OFFICE = "OFFICE"
    FACTORY = "FACTORY"
    SCHOOL = "SCHOOL"
    HOSPITAL = "HOSPITAL"
    STATION = "STATION"
    AIRPORT = "AIRPORT"
    SHOP = "SHOP"
    STREET = "STREET"
    HOTEL = "HOTEL"
    LEISURE = "LEISURE"
    RESIDENTIAL = "RESIDENTIAL"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteContent:
    """What administrators set of a site. ``latitude_e6`` and ``longitude_e6`` are in millionths of
    a degree, both None if nobody said; ``time_zone`` is a name of the IANA's. The contact is who is
    called when somebody wants to get at the machines.
    """

    name: str
    district: str
    site_type: SiteType
    time_zone: str
    type_word: str = ""
    latitude_e6: int | None = None
    longitude_e6: int | None = None
    address_lines: tuple[str, ...] = ()
    contact_name: str = ""
    contact_phone: str = ""
    contact_email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """A site as it is kept. ``archived_at_ms`` is None while machines may be put there."""

    site: str
    content: SiteContent
    revision: int
    created_at_ms: int
    updated_at_ms: int
    archived_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SitesWanted:
    """Which sites a list shows; empty asks for all. ``district``: with all below it."""

    district: str = ""
    site_type: str = ""
    archived: bool = False


class Sites:
    """The sites of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, site: str, content: SiteContent, deed: Deed) -> SiteView:
        """Take a site in. Again with the same content: what is there. Raises AlreadyThere, NotThere
        if its district is not, NotPossible.
        """

        def plan(connection: Connection) -> DeedPlan[SiteView]:
            _alone(connection, deed)
            if (there := view_of(connection, site)) is not None:
                if said := difference(there.content, content):
                    raise AlreadyThere("site", site, said)
                return DeedPlan(result=there)
            districts.in_use(connection, content.district)
            made = SiteView(
                site=site,
                content=content,
                revision=1,
                created_at_ms=deed.now_ms,
                updated_at_ms=deed.now_ms,
            )
            nothing = SiteContent(name="", district="", site_type=SiteType.OTHER, time_zone="")
            said = difference(nothing, content)
            return DeedPlan(
                result=made,
                writes=((insert(sites), [_row(made)]),),
                details=(Detail(said=f"site {site}: {said}"),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there_is(connection, site))

    async def change(
        self, site: str, changes: Mapping[str, Any], deed: Deed, *, etag: str = ""
    ) -> SiteView:
        """Change the fields of its content that ``changes`` names. Raises NotThere, EtagOutdated,
        NotPossible.
        """

        def plan(connection: Connection) -> DeedPlan[SiteView]:
            if "district" in changes:
                _alone(connection, deed)
            before = there_is(connection, site, lock=deed.locks, etag=etag)
            content = replace(before.content, **changes)
            if content.district != before.content.district:
                districts.in_use(connection, content.district)
            if content.time_zone != before.content.time_zone:
                _check_no_days(connection, site)
            return _changed(before, replace(before, content=content), deed)

        return await deeds.do(self._db, deed, plan, lambda connection: there_is(connection, site))

    async def archive(
        self, site: str, deed: Deed, *, back: bool = False, etag: str = ""
    ) -> SiteView:
        """Let no machine be put there; ``back``: let it again. Raises NotThere, EtagOutdated, and
        NotPossible while a machine stands there or will, or (``back``) while its district is
        archived.
        """

        def plan(connection: Connection) -> DeedPlan[SiteView]:
            _alone(connection, deed)
            before = there_is(connection, site, lock=deed.locks, etag=etag)
            if (before.archived_at_ms is None) is back:
                return DeedPlan(result=before)
            if back:
                districts.in_use(connection, before.content.district)
            else:
                _check_empty(connection, site, deed.now_ms)
            return _changed(
                before, replace(before, archived_at_ms=None if back else deed.now_ms), deed
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there_is(connection, site))

    async def get(self, site: str) -> SiteView:
        """Return a site. Raises NotThere."""
        return await self._db.read(lambda connection: there_is(connection, site))

    async def some(self, codes: Sequence[str]) -> Mapping[str, SiteView]:
        """Return those of the sites that there are, by their codes."""
        wanted = select(sites).where(sites.c.site.in_(codes))
        found = await self._db.read(lambda connection: list(map(_view, connection.execute(wanted))))
        return {one.site: one for one in found}

    async def list(
        self, wanted: SitesWanted, *, after: tuple[str, str] = ("", ""), limit: int
    ) -> Sequence[SiteView]:
        """Return the first sites behind ``after``, a district and a site in it, in that order."""
        rows = page(wanted, after, limit)
        return await self._db.read(
            lambda connection: [_view(one) for one in connection.execute(rows)]
        )


def page(wanted: SitesWanted, after: tuple[str, str], limit: int) -> Select[Any]:
    """Return the query for a page of sites, ordered by district and site. It goes along the index
    of a district's sites, one district after the other: the rest of the one where the page before
    ended, then those behind it, so that nothing is passed over again.
    """
    key = district_paths.c.district if wanted.district else sites.c.district
    if not after[0]:
        return _ordered(_rows(wanted), key, limit)
    district, site = after
    parts = (
        _rows(wanted).where(key == district, sites.c.site > site),
        _rows(wanted).where(key > district),
    )
    both = union_all(*(select(_ordered(part, key, limit).subquery()) for part in parts)).subquery()
    return select(both).order_by(both.c.district, both.c.site).limit(limit)


def _rows(wanted: SitesWanted) -> Select[Any]:
    c = sites.c
    rows = select(sites)
    if wanted.district:
        rows = rows.join(district_paths, district_paths.c.district == c.district)
        rows = rows.where(district_paths.c.ancestor == wanted.district)
    if wanted.site_type:
        rows = rows.where(c.site_type == wanted.site_type)
    return rows if wanted.archived else rows.where(c.archived_at_ms.is_(None))


def _ordered(rows: Select[Any], key: ColumnElement[str], limit: int) -> Select[Any]:
    return rows.order_by(key, sites.c.site).limit(limit)


def there_is(connection: Connection, site: str, *, lock: bool = False, etag: str = "") -> SiteView:
    """Return a site. Raises NotThere, or EtagOutdated unless its etag is this one."""
    found = view_of(connection, site, lock=lock)
    if found is None:
        raise NotThere("site", site)
    if etag and etag != str(found.revision):
        raise EtagOutdated("site", site, str(found.revision))
    return found


def view_of(connection: Connection, site: str, *, lock: bool = False) -> SiteView | None:
    """Return a site, or None. With ``lock`` nobody else changes it before the transaction's end."""
    row = select(sites).where(sites.c.site == site)
    found = connection.execute(row.with_for_update() if lock else row).one_or_none()
    return None if found is None else _view(found)


def in_use(connection: Connection, site: str, *, lock: bool = False) -> SiteView:
    """Return a site that a machine may be put at. Raises NotThere or NotPossible."""
    found = there_is(connection, site, lock=lock)
    if found.archived_at_ms is not None:
        raise NotPossible(
            "SITE_ARCHIVED",
            f"site {site!r} is archived: RestoreSite, or choose another",
            site=site,
        )
    return found


def _alone(connection: Connection, deed: Deed) -> None:
    if deed.locks:
        dialects.office_alone(connection)


def _check_no_days(connection: Connection, site: str) -> None:
    if connection.scalar(select(exists().where(machine_sites.c.site == site))):
        raise NotPossible(
            "SITE_HAS_DAYS",
            f"machines were put at site {site!r} by the days of its time zone, which therefore "
            "stays as it is: make another site, and put the machines there",
            site=site,
        )


def _check_empty(connection: Connection, site: str, now_ms: int) -> None:
    c = machine_sites.c
    still = or_(c.until_at_ms.is_(None), c.until_at_ms > now_ms)
    wanted = select(c.machine_id).where(c.site == site, still).order_by(c.machine_id).limit(1)
    if (machine_id := connection.scalar(wanted)) is not None:
        raise NotPossible(
            "SITE_IN_USE",
            f"machine {machine_id} stands at site {site!r}, or will, and perhaps others: "
            "PlaceMachine puts them elsewhere",
            site=site,
            machine=machine_id,
        )


def _changed(before: SiteView, after: SiteView, deed: Deed) -> DeedPlan[SiteView]:
    said = [difference(before.content, after.content)]
    if before.archived_at_ms != after.archived_at_ms:
        said.append("archived" if after.archived_at_ms is not None else "no longer archived")
    if not any(said):
        return DeedPlan(result=before)
    made = replace(after, revision=before.revision + 1, updated_at_ms=deed.now_ms)
    values = {name: value for name, value in _row(made).items() if name != "site"}
    written = update(sites).where(sites.c.site == made.site).values(values)
    return DeedPlan(
        result=made,
        writes=((written, []),),
        details=(Detail(said=f"site {made.site}: {'; '.join(filter(None, said))}"),),
    )


_PLAIN = (
    *("name", "district", "time_zone", "type_word", "latitude_e6", "longitude_e6"),
    *("contact_name", "contact_phone", "contact_email"),
)


def _row(view: SiteView) -> dict[str, Any]:
    content = view.content
    return {
        "site": view.site,
        "revision": view.revision,
        "site_type": content.site_type.value,
        "address_lines": "\n".join(content.address_lines),
        "created_at_ms": view.created_at_ms,
        "updated_at_ms": view.updated_at_ms,
        "archived_at_ms": view.archived_at_ms,
        **{name: getattr(content, name) for name in _PLAIN},
    }


def _view(row: Row[Any]) -> SiteView:
    return SiteView(
        site=row.site,
        content=SiteContent(
            site_type=SiteType(row.site_type),
            address_lines=tuple(row.address_lines.split("\n")) if row.address_lines else (),
            **{name: getattr(row, name) for name in _PLAIN},
        ),
        revision=row.revision,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
        archived_at_ms=row.archived_at_ms,
    )
