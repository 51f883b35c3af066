"""Visits: somebody goes to a machine with goods out of a van, and says at the end what became of
them.

Flows in: who opens a visit to which machine, and what they have left when they close it. Flows out:
what was done on it, product by product, out of its moves. What they took is at the place
VISIT:<visit>, and nothing is left there when it is closed: it goes back to the van, or it is lost,
which is the visit's shrinkage. There is one open visit at a machine: of two people one wins.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Delete, Select, delete, func, insert, select, update

from actors.machine import goods as words
from actors.machine.goods import GoodsKind, visit_place
from storage.books.audit_rows import actor_of
from storage.database.engine import Database
from storage.fleet.changes import etag_of
from storage.office import deeds, known
from storage.office.balances import GoodsBalanceView, balances_at, page_of
from storage.office.deeds import (
    AlreadyThere,
    Deed,
    DeedPlan,
    Detail,
    EtagOutdated,
    NotPossible,
    NotThere,
)
from storage.office.goods import Errand, GoodsLine, move_rows
from storage.office.visit_rows import VisitView, visit_named
from storage.tables import goods_balances, goods_moves, machines, visits

LINES_MAX = 1_000
"""The products of a visit, and what is left of it, are shown up to here."""
ACCOUNTED_MAX = 400
"""CloseVisit says of so many kinds of goods where they are, at most: 200 returned, 200 lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitLine:
    """What was done with one product on a visit, less what was taken back. ``missing`` and
    ``found``: by the counts of the columns; ``lost``: of what was taken for the visit.
    """

    product: str
    taken: int = 0
    loaded: int = 0
    unloaded: int = 0
    returned: int = 0
    missing: int = 0
    found: int = 0
    lost: int = 0
    wasted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitAccount:
    """A visit, what was done on it, and what whoever makes it still has."""

    visit: VisitView
    lines: Sequence[VisitLine]
    left: Sequence[GoodsBalanceView]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitsWanted:
    """Which visits a list shows: all, or those to a machine, out of a van, or that are open."""

    machine_id: str = ""
    van: str = ""
    open: bool = False


class Visits:
    """The visits of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def open(self, visit: str, machine_id: str, van: str, deed: Deed) -> VisitView:
        """Begin a visit. Again the same by the same person: what is there. Raises NotThere
        (machine), AlreadyThere or NotPossible (VISIT_OPEN, VISIT_CLOSED).
        """

        def plan(connection: Connection) -> DeedPlan[VisitView]:
            by = actor_of(deed.actor).name
            # A retired one too: what is left in it is fetched.
            known = select(machines.c.machine_id).where(machines.c.machine_id == machine_id)
            # Who opens one waits here for whoever opens another one there; no commit of the machine
            # does, which needs the stronger lock to be free.
            locked = known.with_for_update(key_share=True) if deed.locks else known
            if connection.scalar(locked) is None:
                raise NotThere("machine", machine_id)
            there = visit_named(connection, visit, lock=deed.locks)
            if there is not None:
                same = (there.machine_id, there.van, there.opened_by, there.closed_at_ms)
                if same == (machine_id, van, by, None):
                    return DeedPlan(result=there)
                if there.closed_at_ms is not None:
                    raise NotPossible(
                        "VISIT_CLOSED",
                        f"{_said(there)} was closed by {there.closed_by}, and a name is used once: "
                        "give the next visit another one",
                        visit=visit,
                    )
                raise AlreadyThere("visit", visit, _said(there))
            other = connection.execute(_open_at(machine_id)).one_or_none()
            if other is not None:
                raise NotPossible(
                    "VISIT_OPEN",
                    f"machine {machine_id} is being visited: {other.visit} by {other.opened_by} is "
                    "open; CloseVisit ends it",
                    visit=other.visit,
                    machine=machine_id,
                )
            row: dict[str, Any] = {
                "visit": visit,
                "machine_id": machine_id,
                "van": van,
                "revision": 1,
                "opened_by": by,
                "opened_at_ms": deed.now_ms,
                "closed_by": "",
                "closed_at_ms": None,
                "reason": "",
            }
            made = VisitView(id=0, **row)
            return DeedPlan(
                result=made,
                writes=((insert(visits), [row]),),
                details=(Detail(said=_said(made), machine_id=machine_id),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: _visit(connection, visit))

    async def close(
        self,
        visit: str,
        returned: Sequence[GoodsLine],
        lost: Sequence[GoodsLine],
        deed: Deed,
        *,
        etag: str = "",
        reason: str = "",
    ) -> VisitAccount:
        """End a visit: what whoever made it has left is back in the van, or lost. Raises NotThere,
        EtagOutdated or NotPossible (VISIT_CLOSED, VISIT_UNFINISHED, VISIT_NOT_ACCOUNTED).
        """

        def plan(connection: Connection) -> DeedPlan[VisitAccount]:
            there = _to_close(connection, visit, etag, lock=deed.locks)
            place = visit_place(visit)
            into = there.van if deed.locks else ""
            left = _left(connection, visit, into=into, limit=ACCOUNTED_MAX + 1)
            _accounted(there, left, returned, lost)
            errands = [
                Errand(
                    cause=f"close:{visit}/{name}",
                    from_place=place,
                    to_place=to_place,
                    lines=lines,
                    visit=visit,
                    reason=reason,
                )
                for name, to_place, lines in (
                    ("returned", there.van, returned),
                    ("lost", words.LOST, lost),
                )
                if lines
            ]
            after = replace(
                there,
                revision=there.revision + 1,
                closed_by=actor_of(deed.actor).name,
                closed_at_ms=deed.now_ms,
                reason=reason,
            )
            changed = (
                update(visits)
                .where(visits.c.visit == visit)
                .values(
                    revision=after.revision,
                    closed_by=after.closed_by,
                    closed_at_ms=after.closed_at_ms,
                    reason=reason,
                )
            )
            moves = [(insert(goods_moves), move_rows(errand, deed)) for errand in errands]
            said = f"{_said(there)}, closed: {_quantities(returned)} back, {_quantities(lost)} lost"
            said = f"{said}: {reason}" if reason else said
            return DeedPlan(
                result=VisitAccount(
                    visit=after, lines=_with(_lines(connection, visit), returned, lost), left=()
                ),
                writes=(*moves, (_emptied(place), ()), (changed, ())),
                details=(Detail(said=said, machine_id=there.machine_id),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: _account(connection, visit))

    async def account(self, visit: str) -> VisitAccount:
        """Return a visit with what was done on it. Raises NotThere."""
        return await self._db.read(lambda connection: _account(connection, visit))

    async def check_known(self, names: known.Names) -> None:
        """Raise NotThere of the first name that nobody knows."""
        await self._db.read(lambda connection: known.check(connection, names))

    async def page(
        self, wanted: VisitsWanted, *, before: int | None, limit: int
    ) -> list[VisitView]:
        """Return the newest ``limit`` visits, those with a lower id than ``before`` if there is
        one.
        """
        query = visits_page(wanted, before, limit)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [VisitView(**row._asdict()) for row in rows]


def visits_page(wanted: VisitsWanted, before: int | None, limit: int) -> Select[Any]:
    """Return the query for a page of visits, the newest first."""
    c = visits.c
    query = select(visits)
    if wanted.machine_id:
        query = query.where(c.machine_id == wanted.machine_id)
    if wanted.van:
        query = query.where(c.van == wanted.van)
    if wanted.open:
        query = query.where(c.closed_at_ms.is_(None))
    if before is not None:
        query = query.where(c.id < before)
    return query.order_by(c.id.desc()).limit(limit)


def _open_at(machine_id: str) -> Select[Any]:
    return select(visits).where(visits.c.machine_id == machine_id, visits.c.closed_at_ms.is_(None))


def _visit(connection: Connection, visit: str) -> VisitView:
    there = visit_named(connection, visit)
    if there is None:
        raise NotThere("visit", visit)
    return there


def _to_close(connection: Connection, visit: str, etag: str, *, lock: bool) -> VisitView:
    there = visit_named(connection, visit, lock=lock)
    if there is None:
        raise NotThere("visit", visit)
    if there.closed_at_ms is not None:
        raise NotPossible(
            "VISIT_CLOSED", f"visit {visit} was closed by {there.closed_by}", visit=visit
        )
    if etag and etag != etag_of(there.revision):
        raise EtagOutdated("visit", visit, etag_of(there.revision))
    on_their_way = (
        select(func.count())
        .select_from(goods_moves)
        .join(
            goods_balances,
            (goods_balances.c.place == goods_moves.c.to_place)
            & (goods_balances.c.product == goods_moves.c.product)
            & (goods_balances.c.lot == goods_moves.c.lot),
        )
        .where(
            goods_moves.c.visit == visit,
            goods_moves.c.visit != "",
            goods_moves.c.to_place.startswith(f"{words.LOADING}:", autoescape=True),
            goods_balances.c.quantity > 0,
        )
    )
    if connection.scalar(on_their_way):
        raise NotPossible(
            "VISIT_UNFINISHED",
            f"goods of visit {visit} are on their way into a column: repeat the LoadColumn or "
            "ReverseMove that was cut off",
            visit=visit,
        )
    return there


def _left(
    connection: Connection, visit: str, *, into: str = "", limit: int = LINES_MAX
) -> list[GoodsBalanceView]:
    """Return what is left of a visit. ``into``: it is about to go there, and so is locked with what
    is there.
    """
    place = visit_place(visit)
    rows = page_of(connection, place, "", "", ("", "", ""), limit)
    if into and rows:
        keys = [(where, row.product, row.lot) for where in (place, into) for row in rows]
        now = balances_at(connection, keys, lock=True)
        rows = [replace(row, quantity=now.get(row.key, 0)) for row in rows]
    return rows


def _emptied(place: str) -> Delete:
    """Return what takes a place away at which nothing is any more: nobody comes there again."""
    c = goods_balances.c
    return delete(goods_balances).where(c.place == place, c.quantity == 0)


def _accounted(
    there: VisitView,
    left: Sequence[GoodsBalanceView],
    returned: Sequence[GoodsLine],
    lost: Sequence[GoodsLine],
) -> None:
    """Raise NotPossible unless it was said of each of them where it is."""
    if len(left) > ACCOUNTED_MAX:
        raise NotPossible(
            "VISIT_NOT_ACCOUNTED",
            f"visit {there.visit} has more than {ACCOUNTED_MAX} kinds of goods, of which one call "
            f"says where they are: TransferGoods brings some of them into {there.van} first",
            visit=there.visit,
        )
    open_: Counter[tuple[str, str]] = Counter()
    for row in left:
        open_[row.product, row.lot] += row.quantity
    for line in (*returned, *lost):
        open_[line.product, line.lot] -= line.quantity
    wrong = {key: quantity for key, quantity in open_.items() if quantity}
    if wrong:
        said = ", ".join(
            f"{abs(quantity)} {product}{f' of lot {lot}' if lot else ''} "
            f"{'more' if quantity > 0 else 'fewer'}"
            for (product, lot), quantity in sorted(wrong.items())
        )
        raise NotPossible(
            "VISIT_NOT_ACCOUNTED",
            f"visit {there.visit} has {said} than was said to be back in {there.van} or lost: "
            "GetVisit shows what is left",
            visit=there.visit,
        )


def _account(connection: Connection, visit: str) -> VisitAccount:
    return VisitAccount(
        visit=_visit(connection, visit),
        lines=_lines(connection, visit),
        left=_left(connection, visit),
    )


def _lines(connection: Connection, visit: str) -> list[VisitLine]:
    c = goods_moves.c
    key = (c.product, c.kind, c.from_place, c.to_place)
    query = (
        select(*key, func.sum(c.quantity).label("quantity"))
        .where(c.visit == visit, c.visit != "")
        .group_by(*key)
        .order_by(*key)
    )
    by_product: dict[str, Counter[str]] = {}
    for row in connection.execute(query):
        done, quantity = _done(row)
        by_product.setdefault(row.product, Counter())[done] += quantity
    return [
        VisitLine(product=product, **{name: number for name, number in done.items() if name})
        for product, done in sorted(by_product.items())[:LINES_MAX]
    ]


def _done(row: Any) -> tuple[str, int]:
    """Return what some moves did, as a field of VisitLine, and how many: below 0 if they took it
    back.
    """
    quantity: int = row.quantity
    places = (row.from_place, row.to_place)
    if row.kind == GoodsKind.REVERSED:
        places, quantity = (row.to_place, row.from_place), -quantity
    came, went = (place.partition(":")[0] for place in places)
    match came, went:
        case ((words.WAREHOUSE | words.VAN), words.VISIT):
            return "taken", quantity
        case words.VISIT, (words.WAREHOUSE | words.VAN):
            return "returned", quantity
        case words.LOADING, words.COLUMN:
            return "loaded", quantity
        case words.COLUMN, words.LOST:
            return "missing", quantity
        case words.FOUND, words.COLUMN:
            return "found", quantity
        case _, words.LOST:
            return "lost", quantity
        case _, (words.WASTE | words.EXPIRED | words.TEST):
            return "wasted", quantity
        case words.COLUMN, _:
            return "unloaded", quantity
        case _:
            return "", quantity


def _with(
    lines: Sequence[VisitLine], returned: Sequence[GoodsLine], lost: Sequence[GoodsLine]
) -> list[VisitLine]:
    """Return the lines with what the closing adds."""
    known = {line.product: line for line in lines}
    for field, more in (("returned", returned), ("lost", lost)):
        for line in more:
            old = known.get(line.product, VisitLine(product=line.product))
            known[line.product] = replace(old, **{field: getattr(old, field) + line.quantity})
    return list(known.values())


def _said(view: VisitView) -> str:
    return f"visit {view.visit} to machine {view.machine_id} out of {view.van} by {view.opened_by}"


def _quantities(lines: Sequence[GoodsLine]) -> str:
    return ", ".join(f"{line.quantity} {line.product}" for line in lines) or "nothing"
