"""What is kept of screens has an end: what machines showed long ago, manifests that nobody shows,
and files that nobody names.

Flows in: the moment before which it must have been of use last. Flows out: how much of it went; a
little in each transaction, so that nobody waits long for one. What another gateway has locked is
left to it.

What is to go is locked first, and then it is looked again whether anybody refers to it: whoever
comes to refer to it writes that down in the same row (``used_at_ms``), or locks it, before that.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, delete, exists, or_, select, tuple_

from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.tables import assets, machine_screens, manifest_assets, manifests, playlists, plays

UNUSED_DAYS = 90
"""A manifest is kept for so long after the last machine was to show it: one that was without the
net may have counted plays of it that it has not told.
"""
PLAYS_AT_ONCE = 500
MANIFESTS_AT_ONCE = 100
ASSETS_AT_ONCE = 20


async def forget_plays(db: Database, *, before_ms: int) -> int:
    """Delete what was shown on days before this moment, at most PLAYS_AT_ONCE rows, and return how
    many. Raises StoreError.
    """
    wanted = plays_before(before_ms)
    if not await db.read(lambda connection: connection.execute(wanted.limit(1)).all()):
        return 0

    def work(connection: Connection) -> int:
        locked = wanted.with_for_update(skip_locked=True)
        keys = [tuple(row) for row in connection.execute(locked)]
        if keys:
            connection.execute(delete(plays).where(tuple_(*plays.primary_key).in_(keys)))
        return len(keys)

    return await db.write(work)


def plays_before(before_ms: int) -> Select[Any]:
    """Return the query for plays of days that were over before this moment everywhere: a machine's
    own day may be one behind ours.
    """
    day = datetime.fromtimestamp((before_ms - DAY_MS) / 1_000, UTC)
    number = day.year * 10_000 + day.month * 100 + day.day
    return select(*plays.primary_key).where(plays.c.day < number).limit(PLAYS_AT_ONCE)


async def forget_manifests(db: Database, *, before_ms: int) -> int:
    """Delete manifests that were of no use since before this moment: no machine has or wants one,
    and no play names it. At most MANIFESTS_AT_ONCE; return how many. Raises StoreError.
    """
    wanted = unused_manifests(before_ms)
    if not await db.read(lambda connection: connection.execute(wanted.limit(1)).all()):
        return 0

    def work(connection: Connection) -> int:
        locked = wanted.with_for_update(skip_locked=True, of=manifests)
        found = list(connection.scalars(locked))
        again = unused_manifests(before_ms).where(manifests.c.sha256.in_(found))
        gone = list(connection.scalars(again)) if found else []
        if gone:
            links, c = manifest_assets.c, manifests.c
            connection.execute(delete(manifest_assets).where(links.manifest.in_(gone)))
            connection.execute(delete(manifests).where(c.sha256.in_(gone)))
        return len(found)

    return await db.write(work)


def unused_manifests(before_ms: int) -> Select[Any]:
    """Return the query for manifests to which nobody refers since before this moment."""
    c = manifests.c
    names: Sequence[Column[Any]] = (machine_screens.c.wanted, machine_screens.c.applied)
    unnamed = [~exists().where(name == c.sha256) for name in (*names, plays.c.manifest)]
    return (
        select(c.sha256)
        .where(c.made_at_ms < before_ms, _not_used_since(manifests, before_ms), *unnamed)
        .limit(MANIFESTS_AT_ONCE)
    )


async def forget_assets(
    db: Database, drop: Callable[[Sequence[str]], Awaitable[object]], *, before_ms: int
) -> int:
    """Delete files that were of no use since before this moment: they may be shown, but no playlist
    and no manifest names them. ``drop`` deletes their bytes, once their rows are gone for good;
    what it leaves, or is not told of, is bytes that no row names. At most ASSETS_AT_ONCE; return
    how many. Raises StoreError.
    """
    due = await db.read(lambda connection: _unnamed(connection, before_ms))
    some = due[:ASSETS_AT_ONCE]
    if not some:
        return 0

    def work(connection: Connection) -> list[str]:
        c = assets.c
        mine = select(c.sha256).where(c.sha256.in_(some))
        locked = list(connection.scalars(mine.with_for_update(skip_locked=True)))
        gone = [one for one in _unnamed(connection, before_ms) if one in locked]
        connection.execute(delete(assets).where(c.sha256.in_(gone)))
        return gone

    await drop(await db.write(work))
    return len(some)


def unused_assets(before_ms: int) -> Select[Any]:
    """Return the query for files that may be shown and that no manifest names."""
    c = assets.c
    named = exists().where(manifest_assets.c.asset == c.sha256)
    return (
        select(c.sha256)
        .where(
            c.recalled_at_ms.is_(None),
            c.added_at_ms < before_ms,
            _not_used_since(assets, before_ms),
            ~named,
        )
        .order_by(c.sha256)
    )


def _unnamed(connection: Connection, before_ms: int) -> list[str]:
    found = list(connection.scalars(unused_assets(before_ms)))
    if not found:
        return []
    lists = select(playlists.c["items"])
    named = {one[0] for items in connection.scalars(lists) for one in json.loads(items)}
    return [one for one in found if one not in named]


def _not_used_since(table: Table, before_ms: int) -> Any:
    return or_(table.c.used_at_ms.is_(None), table.c.used_at_ms < before_ms)
