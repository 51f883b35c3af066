"""Assets: the files that machines show, known by their hashes. What is here is what is known of
them; the bytes are in a folder (``gateway.screens.folder``).

Flows in: what was found out about a file, and recalls. Flows out: assets. One that nobody names is
deleted after some hundred days (``storage.office.screen_sweeps``); one that was recalled stays, and
is in no manifest that is made from then on, for ever.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from storage.books.audit_rows import actor_of
from storage.database.engine import Database
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere, Write
from storage.tables import assets

ASSETS_MAX = 10_000
AT_ONCE = 500
RECALLED_TOLD_MAX = 16
"""A Welcome names so many, the newest; manifests leave all of them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetContent:
    """What was found in a file. ``size`` in bytes, width and height in pixels."""

    sha256: str
    media_type: str
    size: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetView:
    """An asset as it is kept. ``recalled_at_ms`` is None while it may be shown."""

    content: AssetContent
    name: str
    added_by: str
    added_at_ms: int
    recalled_by: str = ""
    recalled_at_ms: int | None = None
    recall_reason: str = ""


class Assets:
    """The assets of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, content: AssetContent, name: str, deed: Deed) -> AssetView:
        """Take a file in; one that is there stays as it was. Raises NotPossible (ASSET_RECALLED,
        TOO_MANY_ASSETS).
        """

        def plan(connection: Connection) -> DeedPlan[AssetView]:
            found = _found(connection, content.sha256, lock=deed.locks)
            if found is not None:
                if found.recalled_at_ms is not None:
                    raise recalled(content.sha256)
                return DeedPlan(result=found, writes=(used([content.sha256], deed.now_ms),))
            count = connection.scalar(select(func.count()).select_from(assets)) or 0
            if count >= ASSETS_MAX:
                raise NotPossible(
                    "TOO_MANY_ASSETS",
                    f"there are {count} assets, which is the most: show those that are there",
                )
            made = AssetView(
                content=content,
                name=name,
                added_by=actor_of(deed.actor).name,
                added_at_ms=deed.now_ms,
            )
            said = f"asset {content.sha256}: {content.media_type}, {content.size} bytes"
            return DeedPlan(
                result=made,
                writes=((insert(assets), [_row(made)]),),
                details=(Detail(said=f"{said}, {name!r}"),),
            )

        again = lambda connection: there(connection, content.sha256)  # noqa: E731 - short
        return await deeds.do(self._db, deed, plan, again)

    async def recall(self, sha256: str, why: str, deed: Deed) -> AssetView:
        """Let nobody show it any more, for ever. Raises NotThere."""

        def plan(connection: Connection) -> DeedPlan[AssetView]:
            before = there(connection, sha256, lock=deed.locks)
            if before.recalled_at_ms is not None:
                return DeedPlan(result=before)
            after = replace(
                before,
                recalled_by=actor_of(deed.actor).name,
                recalled_at_ms=deed.now_ms,
                recall_reason=why,
            )
            mine = update(assets).where(assets.c.sha256 == sha256)
            return DeedPlan(
                result=after,
                writes=((mine.values(_row(after)), ()),),
                details=(Detail(said=f"asset {sha256} is recalled: {why}"),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, sha256))

    async def get(self, sha256: str) -> AssetView:
        """Return an asset. Raises NotThere."""
        return await self._db.read(lambda connection: there(connection, sha256))

    async def page(self, *, recalled: bool, after: str = "", limit: int) -> list[AssetView]:
        """Return the first assets behind the hash ``after``: all, or those that were recalled."""
        rows = select(assets).where(assets.c.sha256 > after)
        if recalled:
            rows = rows.where(assets.c.recalled_at_ms.is_not(None))
        page = rows.order_by(assets.c.sha256).limit(limit)
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(page)]
        )

    async def named(self, hashes: Sequence[str]) -> frozenset[str]:
        """Return those of these hashes that a row has, recalled or not."""
        c = assets.c

        def read(connection: Connection) -> frozenset[str]:
            parts = (hashes[start : start + AT_ONCE] for start in range(0, len(hashes), AT_ONCE))
            found = (connection.scalars(select(c.sha256).where(c.sha256.in_(p))) for p in parts)
            return frozenset(one for some in found for one in some)

        return await self._db.read(read)

    async def recalled(self) -> list[str]:
        """Return the hashes that were recalled last, the newest first."""
        c = assets.c
        wanted = select(c.sha256).where(c.recalled_at_ms.is_not(None))
        newest = wanted.order_by(c.recalled_at_ms.desc(), c.sha256).limit(RECALLED_TOLD_MAX)
        return await self._db.read(lambda connection: list(connection.scalars(newest)))


def keep(connection: Connection, hashes: Collection[str]) -> None:
    """Let nobody delete those of these assets that are there until the end of the transaction."""
    mine = select(assets.c.sha256).where(assets.c.sha256.in_(hashes))
    connection.execute(mine.order_by(assets.c.sha256).with_for_update(key_share=True)).all()


def shown(connection: Connection, hashes: Sequence[str]) -> dict[str, AssetView]:
    """Return assets that may be shown. Raises NotThere, NotPossible (ASSET_RECALLED)."""
    rows = select(assets).where(assets.c.sha256.in_(hashes))
    found = {row.sha256: _view(row) for row in connection.execute(rows)}
    for sha256 in hashes:
        if sha256 not in found:
            raise NotThere("asset", sha256)
        if found[sha256].recalled_at_ms is not None:
            raise recalled(sha256)
    return found


def all_of(connection: Connection, hashes: Sequence[str]) -> dict[str, AssetView]:
    """Return those of the assets that are there, recalled or not."""
    rows = select(assets).where(assets.c.sha256.in_(hashes))
    return {row.sha256: _view(row) for row in connection.execute(rows)}


def used(hashes: Collection[str], now_ms: int) -> Write:
    """Return what writes down that these assets are of use, or were until now."""
    mine = update(assets).where(assets.c.sha256.in_(sorted(hashes)))
    return mine.values(used_at_ms=now_ms), ()


def there(connection: Connection, sha256: str, *, lock: bool = False) -> AssetView:
    """Return an asset; ``lock``: which nobody deletes until the end of the transaction. Raises
    NotThere.
    """
    found = _found(connection, sha256, lock=lock)
    if found is None:
        raise NotThere("asset", sha256)
    return found


def recalled(sha256: str) -> NotPossible:
    """Return the refusal of a file that was recalled."""
    return NotPossible(
        "ASSET_RECALLED",
        f"asset {sha256} was recalled, which is for ever: show another file",
        asset=sha256,
    )


def _found(connection: Connection, sha256: str, *, lock: bool = False) -> AssetView | None:
    wanted = select(assets).where(assets.c.sha256 == sha256)
    locked = wanted.with_for_update(key_share=True) if lock else wanted
    row = connection.execute(locked).one_or_none()
    return None if row is None else _view(row)


def _row(view: AssetView) -> dict[str, Any]:
    content = view.content
    return {
        "sha256": content.sha256,
        "media_type": content.media_type,
        "size": content.size,
        "width": content.width,
        "height": content.height,
        "name": view.name,
        "added_by": view.added_by,
        "added_at_ms": view.added_at_ms,
        "recalled_by": view.recalled_by,
        "recalled_at_ms": view.recalled_at_ms,
        "recall_reason": view.recall_reason,
    }


def _view(row: Row[Any]) -> AssetView:
    return AssetView(
        content=AssetContent(
            sha256=row.sha256,
            media_type=row.media_type,
            size=row.size,
            width=row.width,
            height=row.height,
        ),
        name=row.name,
        added_by=row.added_by,
        added_at_ms=row.added_at_ms,
        recalled_by=row.recalled_by,
        recalled_at_ms=row.recalled_at_ms,
        recall_reason=row.recall_reason,
    )
