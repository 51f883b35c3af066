"""Recalls: what must not be sold any more, because somebody said so or because it has expired.

Flows in: a lot, or a product. Flows out: the recall, and to the one who looks which columns it
locks (``storage.office.locks``): the next that is due, held by one gateway alone until its hold
runs out. A recall lasts until it is released, because goods of the lot may come back into a column
at any time; how often somebody looks is decided here, purely.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from storage.books.audit_rows import Actor, actor_of
from storage.database import dialects
from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.office.supply import HOUR_MS
from storage.tables import column_locks, goods_lots, goods_moves, products, recalls

EXPIRED_AT_ONCE = 500
"""One deed makes recalls of this many expired lots at most."""
ITSELF = "vendgate"
"""Who wants it that what has expired is not sold."""
AT_ONCE_MS = 0
"""When somebody is to look at what is new, whatever the clock said that it was made by."""
LOOK_EVERY_MS = 60_000
_FIRST_DAY_ON_EARTH = timedelta(hours=14)
"""So far ahead of UTC is the time zone in which a day begins first."""
_DAYS_OF_A_DATE = 3
"""After these an expired lot has expired in every time zone, and was looked for."""


class RecallCause(StrEnum):
    """RECALLED: a person said so. EXPIRED: its last day is over."""

    RECALLED = "RECALLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecall:
    """What must not be sold any more; ``lot`` is empty for all of the product."""

    product: str
    lot: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallView:
    """A recall as it is kept. ``expires_on`` is of an expired lot: the last day on which it may be
    sold. ``looked_at_ms``: when all columns were last gone through, None before the first time.
    ``locked`` columns, of which of ``not_obeyed`` the machine's actor is not known to know.
    """

    recall_id: str
    cause: RecallCause
    product: str
    lot: str
    expires_on: str
    actor: str
    claimed: str
    proven: str
    reason: str
    created_at_ms: int
    released_at_ms: int | None
    released_by: str
    look_at_ms: int | None
    looked_at_ms: int | None
    locked: int = 0
    not_obeyed: int = 0

    @property
    def released(self) -> bool:
        """Whether it locks nothing any more."""
        return self.released_at_ms is not None

    @property
    def what(self) -> str:
        """What it is about, for people."""
        return f"lot {self.lot} of {self.product}" if self.lot else self.product

    @property
    def by(self) -> Actor:
        """Who wants it."""
        return Actor(name=self.actor, claimed=self.claimed, proven=self.proven)


class Recalls:
    """The recalls of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, recall_id: str, wanted: NewRecall, deed: Deed) -> RecallView:
        """Let nothing of it be sold any more. Raises NotThere for what nobody knows, or NotPossible
        (RECALL_OPEN, REQUEST_ID_USED).
        """

        def plan(connection: Connection) -> DeedPlan[RecallView]:
            if deed.locks:
                dialects.office_alone(connection)  # two who recall the same: one of them does
            deeds.check_unused(connection, deed, recalls.c.recall_id, recall_id)
            _check_known(connection, wanted)
            there = open_ones(connection, wanted.product, wanted.lot, RecallCause.RECALLED)
            if there:
                raise NotPossible(
                    "RECALL_OPEN",
                    f"recall {there[0].recall_id} of {there[0].what} is not released",
                    recall=there[0].recall_id,
                )
            row = _row(recall_id, RecallCause.RECALLED, wanted, "", deed)
            made = _view_of_new(row)
            said = f"recall {recall_id} of {made.what}; {wanted.reason}"
            return DeedPlan(
                result=made, writes=((insert(recalls), [row]),), details=(Detail(said=said),)
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: there_is(connection, recall_id)
        )

    async def expire(self, deed: Deed, product: str = "") -> list[RecallView]:
        """Let no lot be sold whose last day is over somewhere, by the deed's time: the first
        ``EXPIRED_AT_ONCE`` of those of which this was not done before, of one product if it is
        named, and return their recalls. Each machine is locked when the day is over where it
        stands.
        """

        def plan(connection: Connection) -> DeedPlan[list[RecallView]]:
            if deed.locks:
                dialects.office_alone(connection)
            rows: list[dict[str, Any]] = []
            today = today_first(deed.now_ms)
            for lot in connection.execute(expired(today, EXPIRED_AT_ONCE, product)):
                wanted = NewRecall(
                    product=lot.product, lot=lot.lot, reason=f"its last day was {lot.expires_on}"
                )
                rows.append(
                    _row(_expired_id(wanted), RecallCause.EXPIRED, wanted, lot.expires_on, deed)
                )
            made = [_view_of_new(row) for row in rows]
            if not rows:
                return DeedPlan(result=[])
            details = tuple(Detail(said=f"{one.what} expired on {one.expires_on}") for one in made)
            return DeedPlan(result=made, writes=((insert(recalls), rows),), details=details)

        return await deeds.do(self._db, deed, plan, lambda _: [])

    async def release(self, recall_id: str, deed: Deed, *, reason: str) -> RecallView:
        """Let it be sold again. Raises NotThere, or NotPossible (RECALL_RELEASED)."""

        def plan(connection: Connection) -> DeedPlan[RecallView]:
            before = there_is(connection, recall_id, lock=deed.locks)
            if before.released:
                raise NotPossible(
                    "RECALL_RELEASED", f"recall {recall_id} was released", recall=recall_id
                )
            by = actor_of(deed.actor).name
            values = {"released_at_ms": deed.now_ms, "released_by": by, "look_at_ms": AT_ONCE_MS}
            written = update(recalls).where(recalls.c.recall_id == recall_id).values(**values)
            said = f"recall {recall_id} of {before.what} released; {reason}"
            return DeedPlan(
                result=replace(before, released_at_ms=deed.now_ms, released_by=by),
                writes=((written, []),),
                details=(Detail(said=said),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: there_is(connection, recall_id)
        )

    async def get(self, recall_id: str) -> RecallView:
        """Return a recall with its figures. Raises NotThere."""
        return await self._db.read(
            lambda connection: _counted(connection, [there_is(connection, recall_id)])[0]
        )

    async def known(self, recall_id: str) -> None:
        """Raise NotThere if there is none, and count nothing: it may lock the whole fleet."""
        await self._db.read(lambda connection: there_is(connection, recall_id))

    async def page(
        self, *, released: bool, before: tuple[int, str] | None, limit: int
    ) -> list[RecallView]:
        """Return recalls, the newest first, behind a moment and an id; with those that are
        ``released``, or without.
        """
        wanted = recalls_page(released, before, limit)
        return await self._db.read(
            lambda connection: _counted(connection, list(map(_view, connection.execute(wanted))))
        )

    async def take(self, holder: str, *, now_ms: int, held_ms: int) -> RecallView | None:
        """Return the recall that is due to be looked at the longest, held by ``holder`` alone for
        so long; None if there is none. One that ``holder`` holds already it has again. What a
        person has recalled just now does not wait for all that has expired.
        """
        free = _free(holder, now_ms, held_ms)
        c = recalls.c
        new = free.where(c.cause == RecallCause.RECALLED.value, c.looked_at_ms.is_(None))

        def work(connection: Connection) -> RecallView | None:
            due = connection.scalar(new.with_for_update(skip_locked=True))
            if due is None:
                due = connection.scalar(free.with_for_update(skip_locked=True))
            if due is None:
                return None
            held = update(recalls).where(recalls.c.recall_id == due)
            connection.execute(held.values(holder=holder, held_until_ms=now_ms + held_ms))
            return there_is(connection, due)

        if await self._db.read(lambda connection: connection.scalar(free)) is None:
            return None  # nothing is written at rest
        return await self._db.write(work)

    async def hold(self, recall_id: str, holder: str, *, now_ms: int, held_ms: int) -> bool:
        """Hold it for so long again, and return whether it is still ``holder``'s."""
        c = recalls.c
        held = update(recalls).where(c.recall_id == recall_id, c.holder == holder)
        held = held.values(held_until_ms=now_ms + held_ms)
        return await self._db.write(lambda connection: connection.execute(held).rowcount == 1)

    async def looked(self, recall: RecallView, holder: str, *, now_ms: int) -> RecallView:
        """Say that all columns were gone through for the recall as it was taken, and when next.
        Released meanwhile, or wanted to be looked at sooner, it is looked at again at once.
        """

        def work(connection: Connection) -> RecallView:
            there = there_is(connection, recall.recall_id, lock=True)
            c = recalls.c
            locks = exists().where(column_locks.c.recall_id == recall.recall_id)
            next_at_ms = next_look_ms(
                there,
                now_ms,
                locks=bool(connection.scalar(select(locks))),
                seen=(there.released, there.look_at_ms) == (recall.released, recall.look_at_ms),
            )
            connection.execute(
                update(recalls)
                .where(c.recall_id == recall.recall_id, c.holder == holder)
                .values(holder="", held_until_ms=0, looked_at_ms=now_ms, look_at_ms=next_at_ms)
            )
            return _counted(connection, [there_is(connection, recall.recall_id)])[0]

        return await self._db.write(work)

    async def let_go(self, holder: str) -> None:
        """Let another go on at once."""
        free = update(recalls).where(recalls.c.holder == holder).values(holder="", held_until_ms=0)
        await self._db.write(lambda connection: connection.execute(free))


def _expired_id(wanted: NewRecall) -> str:
    """Return the recall's id: a lot expires once."""
    return "x" + hashlib.sha256(f"{wanted.product}\n{wanted.lot}".encode()).hexdigest()[:23]


def next_look_ms(recall: RecallView, now_ms: int, *, locks: bool, seen: bool) -> int | None:
    """Return when somebody is to look again to which columns the recall locks; None: never.
    ``locks``: it locks some now; ``seen``: it was looked at as it is now, released or not, and
    nobody has asked for another look since.
    """
    if not seen:
        return now_ms
    if recall.released:
        return now_ms + LOOK_EVERY_MS if locks else None
    if locks:
        return now_ms + LOOK_EVERY_MS
    if recall.cause is RecallCause.RECALLED:
        # What was on its way when it was made has arrived after an hour, and no load brings more.
        is_young = now_ms - recall.created_at_ms < HOUR_MS
        return now_ms + (LOOK_EVERY_MS if is_young else HOUR_MS)
    age = date.fromisoformat(today_first(now_ms)) - date.fromisoformat(recall.expires_on)
    return now_ms + (LOOK_EVERY_MS if age.days <= _DAYS_OF_A_DATE else DAY_MS)


def today_first(now_ms: int) -> str:
    """Return the ISO date where it is the latest."""
    return (datetime.fromtimestamp(now_ms // 1_000, UTC) + _FIRST_DAY_ON_EARTH).date().isoformat()


def expired(today: str, limit: int, product: str = "") -> Select[Any]:
    """Return the query for lots (of one product, if it is named) whose last day is before ``today``
    and that have no such recall, released or not: what a person has released is not locked by
    itself again.
    """
    c, r = goods_lots.c, recalls.c
    known = exists().where(
        r.cause == RecallCause.EXPIRED.value, r.product == c.product, r.lot == c.lot
    )
    wanted = select(c.product, c.lot, c.expires_on).where(
        c.expires_on > "", c.expires_on < today, ~known
    )
    if product:
        wanted = wanted.where(c.product == product)
    return wanted.order_by(c.expires_on, c.product, c.lot).limit(limit)


def recalls_page(released: bool, before: tuple[int, str] | None, limit: int) -> Select[Any]:
    """Return the query for a page of recalls."""
    c = recalls.c
    wanted = select(recalls)
    if not released:
        wanted = wanted.where(c.released_at_ms.is_(None))
    if before is not None:
        wanted = wanted.where(tuple_(c.created_at_ms, c.recall_id) < tuple_(*map(literal, before)))
    return wanted.order_by(c.created_at_ms.desc(), c.recall_id.desc()).limit(limit)


def expiry(connection: Connection, product: str, lot: str) -> tuple[str, RecallView | None]:
    """Return the last day on which a lot may be sold, '' if it keeps for ever, and the recall that
    its end was, released or not, if there is one.
    """
    c = goods_lots.c
    day = connection.scalar(select(c.expires_on).where(c.product == product, c.lot == lot))
    known = select(recalls).where(
        recalls.c.cause == RecallCause.EXPIRED.value,
        recalls.c.product == product,
        recalls.c.lot == lot,
    )
    row = connection.execute(known).one_or_none()
    recall = None if row is None else _view(row)
    return day or ("" if recall is None else recall.expires_on), recall


def open_ones(
    connection: Connection, product: str, lot: str, *causes: RecallCause
) -> Sequence[RecallView]:
    """Return the recalls of just this that are not released, of these causes."""
    c = recalls.c
    wanted = select(recalls).where(
        c.product == product,
        c.lot == lot,
        c.cause.in_([one.value for one in causes]),
        c.released_at_ms.is_(None),
    )
    return [_view(row) for row in connection.execute(wanted)]


def there_is(connection: Connection, recall_id: str, *, lock: bool = False) -> RecallView:
    """Return a recall, without its figures. Raises NotThere."""
    wanted = select(recalls).where(recalls.c.recall_id == recall_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise NotThere("recall", recall_id)
    return _view(row)


def _free(holder: str, now_ms: int, held_ms: int) -> Select[Any]:
    c = recalls.c
    # A clock that was set back must not make a hold last for ever.
    free: ColumnElement[bool] = or_(
        c.holder == holder, c.held_until_ms <= now_ms, c.held_until_ms > now_ms + held_ms
    )
    # Nor must it make a look wait that was put off by a clock that was ahead.
    told = or_(c.look_at_ms <= now_ms, c.look_at_ms > now_ms + DAY_MS)
    due = select(c.recall_id).where(c.look_at_ms.is_not(None), told, free)
    return due.order_by(c.look_at_ms, c.recall_id).limit(1)


def _check_known(connection: Connection, wanted: NewRecall) -> None:
    """Raise NotThere: whoever mistypes a lot must hear of it, because nothing would be locked."""
    c = goods_moves.c
    if wanted.lot:
        seen = select(c.id).where(c.lot == wanted.lot, c.lot != "", c.product == wanted.product)
        what, name = "lot", f"{wanted.lot} of {wanted.product}"
    else:
        seen = select(products.c.product).where(products.c.product == wanted.product)
        what, name = "product", wanted.product
    if connection.scalar(seen.limit(1)) is None:
        raise NotThere(what, name)


def _counted(connection: Connection, views: list[RecallView]) -> list[RecallView]:
    c = column_locks.c
    counts = connection.execute(
        select(c.recall_id, func.count(), func.count() - func.count(c.obeyed_at_ms))
        .where(c.recall_id.in_([one.recall_id for one in views]))
        .group_by(c.recall_id)
    )
    found = {recall_id: (locked, waits) for recall_id, locked, waits in counts}
    return [
        replace(one, locked=locked, not_obeyed=waits)
        for one in views
        for locked, waits in (found.get(one.recall_id, (0, 0)),)
    ]


def _row(
    recall_id: str, cause: RecallCause, wanted: NewRecall, expires_on: str, deed: Deed
) -> dict[str, Any]:
    who = actor_of(deed.actor)
    return {
        "recall_id": recall_id,
        "cause": cause.value,
        "product": wanted.product,
        "lot": wanted.lot,
        "expires_on": expires_on,
        "actor": who.name,
        "claimed": who.claimed,
        "proven": who.proven,
        "created_at_ms": deed.now_ms,
        "released_at_ms": None,
        "released_by": "",
        "look_at_ms": AT_ONCE_MS,
        "looked_at_ms": None,
        "holder": "",
        "held_until_ms": 0,
        "reason": wanted.reason,
    }


_OURS = ("holder", "held_until_ms")
"""What nobody outside is told."""


def _view_of_new(row: dict[str, Any]) -> RecallView:
    values: dict[str, Any] = {name: value for name, value in row.items() if name not in _OURS}
    return RecallView(**{**values, "cause": RecallCause(row["cause"])})


def _view(row: Row[Any]) -> RecallView:
    return _view_of_new(row._asdict())
