"""Playlists: what is shown one after the other, and for how long each.

Flows in: lists of assets. Flows out: lists under revisions. A list reaches a machine only through a
plan (``storage.office.screen_plans``).
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from storage.database.engine import Database
from storage.fleet.changes import etag_of
from storage.office import assets as assets_module
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
from storage.tables import playlists, screen_plans

PLAYLISTS_MAX = 1_000
OF_EXPERIMENT = "experiment-"
"""What the names of those screen plans begin with that are arms of experiments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistItem:
    """One asset, and for how many milliseconds it is shown."""

    sha256: str
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistContent:
    """What people say of a playlist."""

    name: str
    items: tuple[PlaylistItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistView:
    """A playlist as it is kept."""

    playlist: str
    content: PlaylistContent
    revision: int
    created_at_ms: int
    updated_at_ms: int


class Playlists:
    """The playlists of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, playlist: str, content: PlaylistContent, deed: Deed) -> PlaylistView:
        """Make a playlist. Again with the same content: what is there. Raises AlreadyThere,
        NotThere of an asset, NotPossible (TOO_MANY_PLAYLISTS, ASSET_RECALLED).
        """

        def plan(connection: Connection) -> DeedPlan[PlaylistView]:
            found = _found(connection, playlist, lock=deed.locks)
            if found is not None:
                if found.content != content:
                    raise AlreadyThere("playlist", playlist, _said(found.content))
                return DeedPlan(result=found)
            count = connection.scalar(select(func.count()).select_from(playlists)) or 0
            if count >= PLAYLISTS_MAX:
                raise NotPossible(
                    "TOO_MANY_PLAYLISTS",
                    f"there are {count} playlists, which is the most: update one of them",
                )
            hashes = [one.sha256 for one in content.items]
            if deed.locks:
                assets_module.keep(connection, hashes)
            assets_module.shown(connection, hashes)
            made = PlaylistView(
                playlist=playlist,
                content=content,
                revision=1,
                created_at_ms=deed.now_ms,
                updated_at_ms=deed.now_ms,
            )
            return DeedPlan(
                result=made,
                writes=((insert(playlists), [_row(made)]),),
                details=(Detail(said=f"playlist {playlist}: made with {_said(content)}"),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, playlist))

    async def update(
        self, playlist: str, content: PlaylistContent, deed: Deed, *, etag: str = ""
    ) -> PlaylistView:
        """Give a playlist this content; the machines of its plans get it. What was recalled may
        stay in it, where nobody shows it, but is not added: two that were recalled could not be
        taken out one after the other. Raises NotThere, EtagOutdated, or NotPossible
        (ASSET_RECALLED, EXPERIMENT_RUNS).
        """

        def plan(connection: Connection) -> DeedPlan[PlaylistView]:
            before = there(connection, playlist, etag=etag, lock=deed.locks)
            if before.content == content:
                return DeedPlan(result=before)
            _check_not_tried(connection, playlist, deed.now_ms)
            there_before = {one.sha256 for one in before.content.items}
            added = [one.sha256 for one in content.items if one.sha256 not in there_before]
            left = there_before - {one.sha256 for one in content.items}
            if deed.locks:
                assets_module.keep(connection, {*added, *left})
            assets_module.shown(connection, added)
            after = replace(
                before,
                content=content,
                revision=before.revision + 1,
                updated_at_ms=deed.now_ms,
            )
            mine = update(playlists).where(playlists.c.playlist == playlist)
            return DeedPlan(
                result=after,
                writes=(
                    (mine.values(_row(after)), ()),
                    *([assets_module.used(left, deed.now_ms)] if left else []),
                ),
                details=(Detail(said=f"playlist {playlist}: now {_said(content)}"),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, playlist))

    async def get(self, playlist: str) -> PlaylistView:
        """Return a playlist. Raises NotThere."""
        return await self._db.read(lambda connection: there(connection, playlist))

    async def page(self, *, after: str = "", limit: int) -> list[PlaylistView]:
        """Return the first playlists behind the code ``after``, in the order of codes."""
        rows = select(playlists).where(playlists.c.playlist > after)
        page = rows.order_by(playlists.c.playlist).limit(limit)
        return await self._db.read(
            lambda connection: [view_of(row) for row in connection.execute(page)]
        )


def _check_not_tried(connection: Connection, playlist: str, now_ms: int) -> None:
    """Raise NotPossible while an experiment tries the playlist: its answer would be of another
    one.
    """
    c = screen_plans.c
    tried = select(c.plan).where(
        c.playlist == playlist,
        c.plan.startswith(OF_EXPERIMENT, autoescape=True),
        c.ended_at_ms.is_(None),
        c.not_after_ms > now_ms,
    )
    plan = connection.scalar(tried.limit(1))
    if plan is not None:
        raise NotPossible(
            "EXPERIMENT_RUNS",
            f"an experiment tries playlist {playlist} (screen plan {plan}), and would then tell of "
            "something else: make another playlist, wait for its end, or StopExperiment",
            playlist=playlist,
            screen_plan=plan,
        )


def there(
    connection: Connection, playlist: str, *, etag: str = "", lock: bool = False
) -> PlaylistView:
    """Return a playlist. Raises NotThere, EtagOutdated."""
    found = _found(connection, playlist, lock=lock)
    if found is None:
        raise NotThere("playlist", playlist)
    if etag and etag != etag_of(found.revision):
        raise EtagOutdated("playlist", playlist, etag_of(found.revision))
    return found


def view_of(row: Row[Any]) -> PlaylistView:
    """Return the playlist of a row."""
    items = tuple(PlaylistItem(sha256=one[0], duration_ms=one[1]) for one in json.loads(row.items))
    return PlaylistView(
        playlist=row.playlist,
        content=PlaylistContent(name=row.name, items=items),
        revision=row.revision,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
    )


def _found(connection: Connection, playlist: str, *, lock: bool) -> PlaylistView | None:
    wanted = select(playlists).where(playlists.c.playlist == playlist)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else view_of(row)


def _row(view: PlaylistView) -> dict[str, Any]:
    items = [[one.sha256, one.duration_ms] for one in view.content.items]
    return {
        "playlist": view.playlist,
        "revision": view.revision,
        "name": view.content.name,
        "created_at_ms": view.created_at_ms,
        "updated_at_ms": view.updated_at_ms,
        "items": json.dumps(items, separators=(",", ":")),
    }


def _said(content: PlaylistContent) -> str:
    shown = ", ".join(f"{one.sha256[:12]} {one.duration_ms} ms" for one in content.items)
    return f"{content.name!r} of {shown or 'nothing'}"
