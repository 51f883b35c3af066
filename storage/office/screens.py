"""Screens: what each machine is to show, and what it says that it has on its disk.

Flows in: manifests, as they were compiled (``gateway.screens.compile``), and what machines say.
Flows out: what a manifest is compiled of, which machine wants which, and lists of those that have
not converged or show what was recalled. What machines say is telemetry: it is written by itself,
and no sale waits for it.

Gateways' clocks differ, and what a machine is to show may change by itself: a plan ends, a machine
moves, a year begins. Whoever compiles does it for the latest time for which any gateway did, so
that nobody takes back what another one let machines show.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    exists,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from storage.database import dialects
from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office import assets as assets_module
from storage.office.assets import AssetView
from storage.office.deeds import NotThere
from storage.office.playlists import PlaylistView, view_of
from storage.office.screen_plans import PlanView, in_force
from storage.office.selectors import machines_of
from storage.office.stays import is_at
from storage.tables import (
    assets,
    machine_screens,
    machine_sites,
    machines,
    manifest_assets,
    manifests,
    playlists,
    plays,
    sites,
)

T = TypeVar("T")
AT_ONCE = 500
AHEAD_MAX_MS = 600_000
"""A time that lies further ahead than this was written by a clock that is wrong: nobody waits for
it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenTold:
    """What a machine said since it was written down last. ``applied`` None: nothing of it;
    ``rejected``: the manifest that it does not show, with its reason and a detail.
    """

    machine_id: str
    heard_at_ms: int
    applied: str | None = None
    rejected: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """How often and for how long a machine showed an item within an hour of its own day, as totals.
    ``day`` is yyyymmdd.
    """

    machine_id: str
    day: int
    hour: int
    manifest: str
    item: int
    times: int
    shown_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenView:
    """A machine's screen. ``not_obeyed``: what it shows has something in it that was recalled."""

    machine_id: str
    wanted: str
    wanted_at_ms: int
    applied: str
    applied_at_ms: int | None
    heard_at_ms: int
    reason: str
    detail: str
    not_obeyed: bool

    @property
    def converged(self) -> bool:
        """Whether it has on its disk what it is to show."""
        return self.wanted == self.applied


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What manifests are compiled of: plans in the order in which they count, the machines of each,
    the playlists and the assets that they name, and each machine's time zone and present wish; all
    of it as it holds at ``at_ms``.
    """

    at_ms: int

    plans: Sequence[PlanView]
    machines_of: Mapping[str, AbstractSet[str]]
    playlists: Mapping[str, PlaylistView]
    assets: Mapping[str, AssetView]
    time_zones: Mapping[str, str]
    wanted: Mapping[str, str]


class Screens:
    """The screens of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def material(self, now_ms: int) -> Material:
        """Return what is to be compiled for every machine that has a screen. ``now_ms`` is the time
        by the clock of whoever compiles; another one may have done so for a later time.
        """

        def read(connection: Connection) -> Material:
            c = machine_screens.c
            rows = connection.execute(select(c.machine_id, c.wanted, c.wanted_at_ms)).all()
            wanted = {row.machine_id: row.wanted for row in rows}
            at_ms = _no_earlier(now_ms, (row.wanted_at_ms for row in rows))
            found = in_force(connection, at_ms)
            lists = _playlists(connection, [one.content.playlist for one in found])
            hashes = {item.sha256 for one in lists.values() for item in one.content.items}
            return Material(
                at_ms=at_ms,
                plans=found,
                machines_of={
                    one.plan: wanted.keys()
                    & set(connection.scalars(machines_of(one.content.selector, at_ms)))
                    for one in found
                },
                playlists=lists,
                assets=assets_module.all_of(connection, sorted(hashes)),
                time_zones=_time_zones(connection, at_ms),
                wanted=wanted,
            )

        return await self._db.read(read)

    async def want(
        self,
        wishes: Mapping[str, str],
        made: Mapping[str, tuple[str, Collection[str]]],
        at_ms: int,
    ) -> dict[str, str]:
        """Let machines show other manifests: ``wishes`` by machine, ``made`` by hash, each with its
        text and the assets that it shows; compiled for the time ``at_ms``. Return what each of
        these machines is to show now: something else, if somebody compiled it for a later time.
        """

        def make(connection: Connection) -> None:
            name = connection.dialect.name
            # First, so that nobody deletes meanwhile what is there already.
            _used(connection, made, at_ms)
            for sha256, (body, shown) in made.items():
                row = {"sha256": sha256, "made_at_ms": at_ms, "body": body}
                connection.execute(dialects.insert_or_ignore(name, manifests, ["sha256"]), row)
                links = [{"asset": one, "manifest": sha256} for one in sorted(shown)]
                if links:
                    keys = ["asset", "manifest"]
                    connection.execute(
                        dialects.insert_or_ignore(name, manifest_assets, keys), links
                    )

        await self._db.write(make)
        wanted: dict[str, str] = {}
        for some in _parts(sorted(wishes.items())):
            wanted |= await self._db.write(partial(_want, some=some, at_ms=at_ms))
        return wanted

    async def heard(self, told: Sequence[ScreenTold], counted: Sequence[Play]) -> frozenset[str]:
        """Write down what machines said. What names a machine or a manifest that nobody knows is
        left out; totals only grow. Said again it changes nothing, so whoever does not know how much
        of it was written says all of it again. Return the machines of which a count was left out.
        """
        left_out: set[str] = set()
        # In the order in which ``want`` locks them: of two gateways one would be refused.
        for some in _parts(sorted(told, key=lambda one: one.machine_id)):
            await self._db.write(partial(_hear_all, told=some))
        for plays_of_some in _parts(counted):
            left_out |= await self._db.write(partial(_count_all, counted=plays_of_some))
        return frozenset(left_out)

    async def manifest(self, sha256: str) -> str:
        """Return the text of a manifest. Raises NotThere."""
        c = manifests.c
        wanted = select(c.body).where(c.sha256 == sha256)
        body = await self._db.read(lambda connection: connection.scalar(wanted))
        if body is None:
            raise NotThere("manifest", sha256)
        return str(body)

    async def get(self, machine_id: str) -> ScreenView:
        """Return a machine's screen. Raises NotThere."""
        wanted = _screens().where(machine_screens.c.machine_id == machine_id)
        row = await self._db.read(lambda connection: connection.execute(wanted).one_or_none())
        if row is None:
            raise NotThere("screen", machine_id)
        return _view(row)

    async def applied(self, machine_ids: Sequence[str]) -> dict[str, str]:
        """Return the manifests that these machines have on their disks, by machine."""
        c = machine_screens.c

        def read(connection: Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            for some in _parts(machine_ids):
                rows = select(c.machine_id, c.applied).where(c.machine_id.in_(some))
                found |= {row.machine_id: row.applied for row in connection.execute(rows)}
            return found

        return await self._db.read(read)

    async def page(
        self, *, not_converged: bool, not_obeyed: bool, after: str = "", limit: int
    ) -> list[ScreenView]:
        """Return the first screens behind the machine ``after``: all, those that have not
        converged, or those that show what was recalled.
        """
        c = machine_screens.c
        rows = _screens().where(c.machine_id > after)
        if not_converged:
            rows = rows.where(c.wanted != c.applied)
        if not_obeyed:
            rows = rows.where(_shows_recalled())
        page = rows.order_by(c.machine_id).limit(limit)
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(page)]
        )

    async def plays(
        self, machine_id: str, *, after: tuple[int, int, str, int], limit: int
    ) -> list[Play]:
        """Return what a machine has shown, in the order of day, hour, manifest and item."""
        page = plays_behind(machine_id, after).limit(limit)
        return await self._db.read(
            lambda connection: [
                Play(**row._mapping)  # noqa: SLF001 - how a row is read by names
                for row in connection.execute(page)
            ]
        )


def plays_behind(machine_id: str, after: tuple[int, int, str, int]) -> Select[Any]:
    """Return the query for what a machine has shown, from behind a day, hour, manifest and item:
    a machine that means harm may have told of millions.
    """
    c = plays.c
    where = (c.day, c.hour, c.manifest, c.item)
    # The day by itself is what PostgreSQL and SQLite begin at in the index.
    rows = select(plays).where(c.machine_id == machine_id, c.day >= after[0])
    return rows.where(tuple_(*where) > tuple_(*after)).order_by(*where)


def _parts(of: Sequence[T]) -> Iterator[Sequence[T]]:
    """Tell them so many at a time, each part for a transaction of its own: on SQLite a customer
    waits for whoever writes.
    """
    for start in range(0, len(of), AT_ONCE):
        yield of[start : start + AT_ONCE]


def _no_earlier(now_ms: int, at_ms: Iterable[int]) -> int:
    """Return the latest of these times that a clock may show."""
    return max([now_ms, *(one for one in at_ms if one <= now_ms + AHEAD_MAX_MS)])


def _want(connection: Connection, *, some: Sequence[tuple[str, str]], at_ms: int) -> dict[str, str]:
    c = machine_screens.c
    rows = select(c.machine_id, c.wanted, c.wanted_at_ms)
    mine = rows.where(c.machine_id.in_([machine_id for machine_id, _ in some]))
    locked = mine.order_by(c.machine_id).with_for_update()
    before = {row.machine_id: row for row in connection.execute(locked)}
    wanted = {machine_id: row.wanted for machine_id, row in before.items()}
    for machine_id, manifest in some:
        row = before.get(machine_id)
        if row is None or row.wanted == manifest:
            continue
        if at_ms < row.wanted_at_ms <= at_ms + AHEAD_MAX_MS:
            continue
        told = {"wanted": manifest, "wanted_at_ms": at_ms, "reason": "", "detail": ""}
        connection.execute(update(machine_screens).where(c.machine_id == machine_id).values(told))
        wanted[machine_id] = manifest
    _used(connection, {row.wanted for row in before.values()}, at_ms)
    return wanted


def _used(connection: Connection, hashes: Iterable[str], now_ms: int) -> None:
    """Write down that these manifests are of use, or were until now: once a day is enough."""
    c = manifests.c
    for sha256 in sorted(filter(None, hashes)):
        long_ago = or_(c.used_at_ms.is_(None), c.used_at_ms < now_ms - DAY_MS)
        mine = update(manifests).where(c.sha256 == sha256, long_ago)
        connection.execute(mine.values(used_at_ms=now_ms))


def _hear_all(connection: Connection, *, told: Sequence[ScreenTold]) -> None:
    known = _known(connection, machines.c.machine_id, [one.machine_id for one in told])
    others = _other_manifests(connection, told)
    for one in told:
        if one.machine_id in known:
            _hear(connection, one)
    _used(connection, others, max((one.heard_at_ms for one in told), default=0))


def _other_manifests(connection: Connection, told: Sequence[ScreenTold]) -> set[str]:
    """Return the manifests that machines show since, and those that they showed before."""
    said = {one.machine_id: one.applied for one in told if one.applied is not None}
    c = machine_screens.c
    rows = select(c.machine_id, c.applied).where(c.machine_id.in_(said))
    before = {row.machine_id: row.applied for row in connection.execute(rows)} if said else {}
    changed = {one for one, applied in said.items() if before.get(one, "") != applied}
    return {of[one] for one in changed for of in (said, before) if one in of}


def _count_all(connection: Connection, *, counted: Sequence[Play]) -> set[str]:
    machine_ids = _known(
        connection, machine_screens.c.machine_id, [one.machine_id for one in counted]
    )
    names = _known(connection, manifests.c.sha256, [one.manifest for one in counted])
    left_out = set()
    for play in counted:
        if play.machine_id in machine_ids and play.manifest in names:
            _count(connection, play)
        else:
            left_out.add(play.machine_id)
    return left_out


def _playlists(connection: Connection, codes: Sequence[str]) -> dict[str, PlaylistView]:
    rows = select(playlists).where(playlists.c.playlist.in_(sorted(set(codes))))
    return {row.playlist: view_of(row) for row in connection.execute(rows)}


def _time_zones(connection: Connection, now_ms: int) -> dict[str, str]:
    stays = machine_sites.join(sites, sites.c.site == machine_sites.c.site)
    with_screen = exists().where(machine_screens.c.machine_id == machine_sites.c.machine_id)
    rows = select(machine_sites.c.machine_id, sites.c.time_zone).select_from(stays)
    found = connection.execute(rows.where(is_at(now_ms), with_screen.correlate(machine_sites)))
    return {row.machine_id: row.time_zone for row in found}


def _known(
    connection: Connection, key: ColumnElement[str], names: Collection[str]
) -> frozenset[str]:
    found: set[str] = set()
    for some in _parts(sorted(set(names))):
        found.update(connection.scalars(select(key).where(key.in_(some))))
    return frozenset(found)


def _hear(connection: Connection, told: ScreenTold) -> None:
    c = machine_screens.c
    first = {
        "machine_id": told.machine_id,
        "wanted": "",
        "wanted_at_ms": told.heard_at_ms,
        "applied": "",
        "heard_at_ms": told.heard_at_ms,
        "reason": "",
        "detail": "",
    }
    keys = ["machine_id"]
    connection.execute(
        dialects.insert_or_ignore(connection.dialect.name, machine_screens, keys), first
    )
    mine = update(machine_screens).where(c.machine_id == told.machine_id)
    connection.execute(mine.values(heard_at_ms=told.heard_at_ms))
    if told.applied is not None:
        shown = {"applied": told.applied, "applied_at_ms": told.heard_at_ms}
        connection.execute(mine.where(c.applied != told.applied).values(shown))
        if told.applied:
            connection.execute(mine.where(c.wanted == told.applied).values(reason="", detail=""))
    if told.rejected:
        why = {"reason": told.reason, "detail": told.detail}
        connection.execute(mine.where(c.wanted == told.rejected).values(why))


def _count(connection: Connection, play: Play) -> None:
    c = plays.c
    mine = (
        c.machine_id == play.machine_id,
        c.day == play.day,
        c.hour == play.hour,
        c.manifest == play.manifest,
        c.item == play.item,
    )
    there = connection.execute(select(c.times, c.shown_ms).where(*mine)).one_or_none()
    if there is None:
        row = {name: getattr(play, name) for name in Play.__slots__}
        connection.execute(insert(plays), row)
        return
    grown = {
        "times": max(there.times, play.times),
        "shown_ms": max(there.shown_ms, play.shown_ms),
    }
    connection.execute(update(plays).where(*mine).values(grown))


def _shows_recalled() -> ColumnElement[bool]:
    shown = manifest_assets.join(assets, assets.c.sha256 == manifest_assets.c.asset)
    of_mine = manifest_assets.c.manifest == machine_screens.c.applied
    rows = select(manifest_assets.c.asset).select_from(shown)
    return (
        rows.where(of_mine, assets.c.recalled_at_ms.is_not(None))
        .correlate(machine_screens)
        .exists()
    )


def _screens() -> Any:
    return select(machine_screens, _shows_recalled().label("not_obeyed"))


def _view(row: Row[Any]) -> ScreenView:
    return ScreenView(
        machine_id=row.machine_id,
        wanted=row.wanted,
        wanted_at_ms=row.wanted_at_ms,
        applied=row.applied,
        applied_at_ms=row.applied_at_ms,
        heard_at_ms=row.heard_at_ms,
        reason=row.reason,
        detail=row.detail,
        not_obeyed=bool(row.not_obeyed),
    )
