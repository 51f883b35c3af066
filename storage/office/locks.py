"""Locks: which columns hold what must not be sold, and which are locked for it.

Flows in: a recall. Flows out: the machines of which other columns are locked than are to be; the
change of one of them, made in the transaction in which it is looked up once more; lists. A lock is
the moves' own doing: a column is locked while, first in, first out, some of the lot is in it
(``lot_queue``), and of a lot that expires when its last day is over where the machine stands. So it
ends when the lot was taken out, or sold before the recall, or when the recall is released.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    tuple_,
    update,
)

from actors.machine.goods import GoodsKind, column_place
from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.fleet.changes import MachineChange, Making
from storage.machines.loading import configuration_of
from storage.office import lot_queue, recalls
from storage.office.deeds import Deed, NotPossible
from storage.office.lot_queue import LotMove
from storage.office.recalls import ITSELF, RecallCause, Recalls, RecallView
from storage.office.stays import where_past
from storage.tables import (
    column_locks,
    goods_balances,
    goods_moves,
    machine_states,
    machines,
)
from storage.tables import recalls as recalls_table

PLACES_AT_ONCE = 500
"""One look reads this many columns."""
LOTS_AT_ONCE = 5_000
"""One statement names this many lots: PostgreSQL takes 32767 arguments."""
LockKey = tuple[str, str, str]
"""Machine, column and recall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldView:
    """So many of what a recall is about are in a column."""

    machine_id: str
    column: str
    quantity: int
    stock: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockView:
    """A column that one recall locks. ``obeyed_at_ms``: when it was seen that the machine's actor
    knows, None until then. ``online``: the machine has a stream; one that has none sells nothing
    and hears of the lock when it is back.
    """

    machine_id: str
    column: str
    recall_id: str
    cause: RecallCause
    product: str
    lot: str
    locked_at_ms: int
    obeyed_at_ms: int | None
    online: bool

    @property
    def key(self) -> LockKey:
        """Where it stands in a list."""
        return self.machine_id, self.column, self.recall_id


class Locks:
    """The locked columns of an installation. Every method raises StoreError when the database does
    not answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def held(
        self, product: str, lot: str, *, after: str = "", limit: int
    ) -> tuple[list[HeldView], str]:
        """Return which columns hold some of a lot, or of a product, of the first ``limit`` that may
        behind a place; and the place behind which others may, empty if none. Those of retired
        machines too, which sell nothing and are not locked, but hold it.
        """

        def work(connection: Connection) -> tuple[list[HeldView], str]:
            rows = connection.execute(places_page(product, lot, after, limit, retired=True)).all()
            held = _held(connection, product, lot, rows)
            return held, rows[-1].place if len(rows) == limit else ""

        return await self._db.read(work)

    async def differing(self, recall: RecallView, now_ms: int) -> list[str]:
        """Return the machines of which the recall locks other columns than it is to."""
        wanted: set[tuple[str, str]] = set()
        after = ""
        while not recall.released:
            page = places_page(recall.product, recall.lot, after, PLACES_AT_ONCE)
            some, after = await self._db.read(
                partial(_some_wanted, recall=recall, page=page, now_ms=now_ms)
            )
            wanted.update(some)
            if not after:
                break
        c = column_locks.c
        rows = select(c.machine_id, c.column).where(c.recall_id == recall.recall_id)
        there = await self._db.read(
            lambda connection: {(row.machine_id, row.column) for row in connection.execute(rows)}
        )
        return sorted({machine_id for machine_id, _ in wanted ^ there})

    async def mark_obeyed(self, now_ms: int) -> int:
        """Note of each lock whether the machine's actor knows of it now, and return how many do
        since the last time.
        """
        c, state = column_locks.c, machine_states.c
        knows = exists().where(state.machine_id == c.machine_id, state.revision >= c.revision)
        waits = and_(c.obeyed_at_ms.is_(None), knows)
        some = select(literal(1)).select_from(column_locks).where(waits).limit(1)
        if await self._db.read(lambda connection: connection.scalar(some)) is None:
            return 0  # nothing is written at rest
        marked = update(column_locks).where(waits).values(obeyed_at_ms=now_ms)
        return await self._db.write(lambda connection: connection.execute(marked).rowcount)

    async def page(
        self,
        *,
        recall_id: str = "",
        machine_id: str = "",
        not_obeyed: bool = False,
        after: LockKey,
        limit: int,
    ) -> list[LockView]:
        """Return the first locks behind a key: all, or those of one recall or one machine, or those
        that were not obeyed yet.
        """
        wanted = locks_page(recall_id, machine_id, not_obeyed, after, limit)
        rows = await self._db.read(lambda connection: connection.execute(wanted).all())
        return [_lock_view(row) for row in rows]

    async def look_again(self, product: str, now_ms: int) -> None:
        """Have every recall of the product looked at now, also one that somebody is looking at:
        some of the product came into a column, where it might have been looked for tomorrow. What
        of it has expired since somebody last looked is locked with them.
        """
        made = Recalls(self._db)
        # First only looked at, so that nothing is written where nothing has expired.
        deed = Deed(actor=ITSELF, action="LockExpired", now_ms=now_ms, only_check=True)
        if await made.expire(deed, product):
            await made.expire(replace(deed, only_check=False), product)
        c = recalls_table.c
        about = and_(c.product == product, c.released_at_ms.is_(None))
        some = select(literal(1)).select_from(recalls_table).where(about).limit(1)
        if await self._db.read(lambda connection: connection.scalar(some)) is not None:
            now = update(recalls_table).where(about).values(look_at_ms=now_ms)
            await self._db.write(lambda connection: connection.execute(now))

    async def check_loading(self, machine_id: str, product: str, lot: str, now_ms: int) -> None:
        """Raise NotPossible (LOT_RECALLED, LOT_EXPIRED) if this must not go into a column of the
        machine.
        """

        def work(connection: Connection) -> None:
            for which in {lot, ""}:
                for one in recalls.open_ones(connection, product, which, RecallCause.RECALLED):
                    raise NotPossible(
                        "LOT_RECALLED",
                        f"{one.what} must not be sold (recall {one.recall_id}: {one.reason}): "
                        "WasteGoods, or ReleaseRecall",
                        recall=one.recall_id,
                    )
            _not_expired(connection, machine_id, product, lot, now_ms)

        await self._db.read(work)


def _not_expired(
    connection: Connection, machine_id: str, product: str, lot: str, now_ms: int
) -> None:
    """Raise NotPossible for a lot whose last day is over where the machine stands, unless somebody
    has released it: whether its recall was made yet or not.
    """
    day, recall = recalls.expiry(connection, product, lot)
    if not day or (recall is not None and recall.released):
        return
    if where_past(connection, day, [machine_id], now_ms):
        which = "" if recall is None else f" (recall {recall.recall_id})"
        raise NotPossible(
            "LOT_EXPIRED",
            f"lot {lot} of {product} must not be sold{which}: its last day, {day}, is over where "
            f"machine {machine_id} stands: WasteGoods with expired, or ReleaseRecall",
            product=product,
            lot=lot,
            **({} if recall is None else {"recall": recall.recall_id}),
        )


def locking(recall_id: str, now_ms: int) -> Making:
    """Return what locks the columns of a machine that are to be locked for a recall, and no others
    for it, as they are to be when the change is made.
    """

    def make(connection: Connection, row: Row[Any]) -> MachineChange:
        recall = recalls.there_is(connection, recall_id)
        c = column_locks.c
        mine = and_(c.machine_id == row.machine_id, c.recall_id == recall_id)
        there = set(connection.scalars(select(c.column).where(mine)))
        wanted = _wanted_of(connection, recall, row.machine_id, now_ms)
        others = select(c.column).where(c.machine_id == row.machine_id, c.recall_id != recall_id)
        locked = tuple(sorted({*connection.scalars(others), *wanted}))
        before = configuration_of(row).locked or ()
        gone, new = sorted(there - wanted), sorted(wanted - there)
        if gone:
            connection.execute(delete(column_locks).where(mine, c.column.in_(gone)))
        if new:
            known_at = row.revision + (locked != before)
            connection.execute(
                insert(column_locks),
                [
                    {
                        "machine_id": row.machine_id,
                        "column": column,
                        "recall_id": recall_id,
                        "revision": known_at,
                        "locked_at_ms": now_ms,
                        "obeyed_at_ms": None,
                    }
                    for column in new
                ],
            )
        return MachineChange(locked=locked, beside=bool(gone or new))

    return make


def to_take_out(connection: Connection, machine_ids: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return how many in which column (machine and column) must be brought out of it, because
    recalls lock columns of these machines for them.
    """
    c, r = column_locks.c, recalls_table.c
    locked = (
        select(r.product, r.lot, c.machine_id)
        .join(column_locks, c.recall_id == r.recall_id)
        .where(c.machine_id.in_(machine_ids))
        .distinct()
    )
    of: dict[tuple[str, str], list[str]] = {}
    for row in connection.execute(locked):
        of.setdefault((row.product, row.lot), []).append(row.machine_id)
    found: Counter[tuple[str, str]] = Counter()
    for (product, lot), there in sorted(of.items()):
        for one in _held_in(connection, product, lot, there):
            column = one.machine_id, one.column
            found[column] = min(one.stock, found[column] + one.quantity)
    return found


def _held_in(
    connection: Connection, product: str, lot: str, machine_ids: Sequence[str]
) -> Iterator[HeldView]:
    """Yield which columns of these machines hold some of it. Whatever of the product is in them is
    looked at: to go through all that was ever loaded of a lot takes long in a large fleet.
    """
    after = ""
    while True:
        page = places_page(product, "", after, PLACES_AT_ONCE)
        ours = page.where(goods_balances.c.machine_id.in_(machine_ids))
        rows = connection.execute(ours).all()
        yield from _held(connection, product, lot, rows)
        if len(rows) < PLACES_AT_ONCE:
            return
        after = rows[-1].place


def places_page(
    product: str, lot: str, after: str, limit: int, *, retired: bool = False
) -> Select[Any]:
    """Return the query for the columns that may hold some of a lot, because it was loaded into
    them; or, without a lot, that hold some of the product. Of machines that are in the fleet, and
    of ``retired`` ones if these are asked for.
    """
    b = goods_balances.c
    held = (
        select(b.place, b.machine_id, b.quantity)
        .join(machines, machines.c.machine_id == b.machine_id)
        .where(
            b.product == product,
            b.lot == "",
            b.place > max(after, _COLUMNS_FROM),
            b.place < _COLUMNS_TO,
            b.quantity > 0,
        )
    )
    if not retired:
        held = held.where(machines.c.retired_at_ms.is_(None))
    if lot:
        held = held.where(b.place.in_(_loads_of(product, lot, goods_moves.c.to_place)))
    return held.order_by(b.place).limit(limit)


# Word for word that of the index.
_LOADED: ColumnElement[str] = literal_column(f"'{GoodsKind.LOADED.value}'")


def _loads_of(product: str, lot: str, what: ColumnElement[Any]) -> Select[Any]:
    c = goods_moves.c
    # The kind not as it stands, so that no database goes along all loads for these.
    return select(what).where(
        c.lot == lot, c.lot != "", c.product == product, c.kind + "" == _LOADED
    )


_COLUMNS_FROM, _COLUMNS_TO = "COLUMN:", "COLUMN;"
"""Between these stand the names of all columns, as places, and nothing else."""


def locks_page(
    recall_id: str, machine_id: str, not_obeyed: bool, after: LockKey, limit: int
) -> Select[Any]:
    """Return the query for a page of locks, in the order of machines, columns and recalls."""
    c = column_locks.c
    wanted = (
        select(
            *c["machine_id", "column", "recall_id", "locked_at_ms", "obeyed_at_ms"],
            *recalls_table.c["cause", "product", "lot"],
            machine_states.c.online,
        )
        .join(recalls_table, recalls_table.c.recall_id == c.recall_id)
        .outerjoin(machine_states, machine_states.c.machine_id == c.machine_id)
        .where(tuple_(c.machine_id, c.column, c.recall_id) > tuple_(*map(literal, after)))
    )
    if recall_id:
        wanted = wanted.where(c.recall_id == recall_id)
    if machine_id:
        wanted = wanted.where(c.machine_id == machine_id)
    if not_obeyed:
        wanted = wanted.where(c.obeyed_at_ms.is_(None))
    return wanted.order_by(c.machine_id, c.column, c.recall_id).limit(limit)


def _some_wanted(
    connection: Connection, recall: RecallView, page: Select[Any], now_ms: int
) -> tuple[set[tuple[str, str]], str]:
    rows = connection.execute(page).all()
    due = _is_due(connection, recall, {row.machine_id for row in rows}, now_ms)
    held = _held(
        connection, recall.product, recall.lot, [row for row in rows if row.machine_id in due]
    )
    after = rows[-1].place if len(rows) == PLACES_AT_ONCE else ""
    return {(one.machine_id, one.column) for one in held}, after


def _wanted_of(
    connection: Connection, recall: RecallView, machine_id: str, now_ms: int
) -> set[str]:
    if recall.released or not _is_due(connection, recall, [machine_id], now_ms):
        return set()
    page = places_page(recall.product, recall.lot, "", PLACES_AT_ONCE)
    rows = connection.execute(page.where(goods_balances.c.machine_id == machine_id)).all()
    return {one.column for one in _held(connection, recall.product, recall.lot, rows)}


def _is_due(
    connection: Connection, recall: RecallView, machine_ids: Collection[str], now_ms: int
) -> set[str]:
    """Return on which of these machines it is not to be sold: all, but that an expired lot's last
    day may not be over yet where one stands.
    """
    if recall.cause is RecallCause.RECALLED:
        return set(machine_ids)
    return where_past(connection, recall.expires_on, machine_ids, now_ms)


def _held(
    connection: Connection, product: str, lot: str, rows: Sequence[Row[Any]]
) -> list[HeldView]:
    """Return which of these columns hold some of it."""
    held = {row.place: row.quantity for row in rows}
    if lot and rows:
        held = _left_of_lot(connection, product, lot, held)
    return [
        HeldView(
            machine_id=row.machine_id,
            column=row.place.removeprefix(column_place(MachineId(row.machine_id), "")),
            quantity=int(held[row.place]),
            stock=int(row.quantity),
        )
        for row in rows
        if held[row.place] > 0
    ]


def _left_of_lot(
    connection: Connection, product: str, lot: str, stocks: dict[str, int]
) -> dict[str, int]:
    """Return how many of the lot are in each of these columns: told by the loads from its first one
    on, because what is older left a column before it.
    """
    c, back = goods_moves.c, goods_moves.alias("back")
    taken_back = exists().where(back.c.reverses == c.id, back.c.reverses.is_not(None))
    first = connection.scalar(_loads_of(product, lot, func.min(c.id))) or 0
    loads = _by_place(
        connection.execute(
            select(c.to_place.label("place"), c.id, c.lot, c.quantity).where(
                c.kind == _LOADED,
                c.to_place.in_(list(stocks)),
                c.id >= first,
                c.product == product,
                ~taken_back,
            )
        )
    )
    lots = sorted({one.lot for some in loads.values() for one in some if one.lot})
    taken_of: Select[Any] = select(c.from_place.label("place"), c.id, c.lot, c.quantity).where(
        c.lot != "",
        c.product == product,
        c.from_place.in_(list(stocks)),
        c.kind != GoodsKind.REVERSED.value,
        ~taken_back,
    )
    taken = _by_place(
        row
        for start in range(0, len(lots), LOTS_AT_ONCE)
        for row in connection.execute(taken_of.where(c.lot.in_(lots[start : start + LOTS_AT_ONCE])))
    )
    return {
        place: lot_queue.left_of(lot, loads.get(place, []), taken.get(place, []), int(stock))
        for place, stock in stocks.items()
    }


def _by_place(rows: Iterable[Row[Any]]) -> dict[str, list[LotMove]]:
    found: dict[str, list[LotMove]] = {}
    for row in rows:
        move = LotMove(id=row.id, lot=row.lot, quantity=row.quantity)
        found.setdefault(row.place, []).append(move)
    return found


def _lock_view(row: Row[Any]) -> LockView:
    return LockView(
        machine_id=row.machine_id,
        column=row.column,
        recall_id=row.recall_id,
        cause=RecallCause(row.cause),
        product=row.product,
        lot=row.lot,
        locked_at_ms=row.locked_at_ms,
        obeyed_at_ms=row.obeyed_at_ms,
        online=bool(row.online),
    )
