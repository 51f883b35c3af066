"""Goods at the office's places, and what SQL knows of those in columns.

Flows in: what is to go from where to where. Flows out: what is there afterwards, or OfficeRefused.
The balances count themselves (``storage.tables.goods``); they are locked and looked at first, so
that who comes too late hears what is missing. Of a column nothing is written here: its machine's
actor does that, and ``Goods.act`` tells whether it did. Pages go along an index and cost the same
at any depth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from actors.machine import goods as words
from actors.machine.goods import GoodsKind, column_place, loading_place
from actors.machine.ids import MachineId
from actors.machine.state import Column, MachineState, column_named
from storage import codec
from storage.database.engine import Database
from storage.office import deeds, known, visit_rows
from storage.office.balances import GoodsBalanceView, Key, balances_at, page_of, whose
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.office.deliveries import check_delivery
from storage.office.move_lists import Looked, MovesWanted, looked, looked_at, moves_page
from storage.tables import goods_moves, machine_states

SINCE_MAX = 1_000
"""A count may be this many moves of its machine late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsLine:
    """So many of one product and lot. The last three are of what comes from a supplier with a
    lot: the last day on which it may be sold (YYYY-MM-DD), and what one costs.
    """

    product: str
    quantity: int
    lot: str = ""
    expires_on: str = ""
    unit_cost_minor: int | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Goods that go from one place to another. ``cause`` names it, once and for ever;
    ``machine_id`` if it is for a column of one; ``reverses``: the move that it takes back;
    ``common``: several requests are about it, and none is refused if another one has done it;
    ``column``: the one for which they wait at their place, for the audit log.
    """

    cause: str
    from_place: str
    to_place: str
    lines: Sequence[GoodsLine]
    visit: str = ""
    reason: str = ""
    machine_id: str = ""
    reverses: int | None = None
    common: bool = False
    column: str = ""

    @property
    def kind(self) -> GoodsKind:
        """What the places make of it."""
        if self.reverses is not None:
            return GoodsKind.REVERSED
        if self.from_place == words.SUPPLIER:
            return GoodsKind.RECEIVED
        if self.from_place == words.FOUND:
            return GoodsKind.COUNTED
        return _ENDS.get(self.to_place, GoodsKind.TRANSFERRED)


_ENDS = {
    words.WASTE: GoodsKind.WASTED,
    words.EXPIRED: GoodsKind.EXPIRED,
    words.LOST: GoodsKind.COUNTED,
    words.TEST: GoodsKind.TESTED,
}


def kind_out_of_column(to_place: str) -> GoodsKind:
    """Return as what goods leave a column for this place."""
    return _ENDS.get(to_place, GoodsKind.UNLOADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsMoveView:
    """One move, as it stands in its row (``storage.tables.goods``)."""

    id: int
    at_ms: int
    kind: str
    cause: str
    product: str
    quantity: int
    from_place: str
    to_place: str
    machine_id: str
    lot: str
    visit: str
    actor: str
    reason: str
    reverses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActView:
    """What SQL knows of an act on a column, and of the machine beside it. ``waiting``: how many
    goods of the act wait at its own place; ``column`` is None if the machine has no such column;
    ``decided_at``: the machine's version with which the act was done or refused, if it was.
    """

    version: int
    column: Column | None
    done: bool
    refused: bool
    waiting: int
    decided_at: int | None


class Goods:
    """The goods of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def carry(self, errand: Errand, deed: Deed) -> list[GoodsBalanceView]:
        """Let goods go, all or none, and return what is where they were and are. An errand that was
        done before is not done again. Raises NotThere (product) or NotPossible (NOT_ENOUGH_GOODS,
        LOT_DIFFERS, LOT_EXPIRED, PRODUCT_ARCHIVED, MOVE_REVERSED, VISIT_CLOSED, VISIT_ELSEWHERE).
        """

        def plan(connection: Connection) -> DeedPlan[list[GoodsBalanceView]]:
            keys = _keys(errand)
            if errand.reverses is None:
                visit_rows.check(connection, _part_of(errand), lock=deed.locks)
            else:
                _check_home(connection, errand, errand.reverses, lock=deed.locks)
            there = balances_at(connection, keys, lock=deed.locks)
            if _was_done(connection, errand):
                if errand.reverses is not None and not errand.common:
                    raise move_reversed(errand.reverses)
                if (
                    deed.claim is not None and not errand.common
                ):  # a request that comes again is answered by ``again``
                    raise NotPossible(
                        "REQUEST_ID_USED",
                        f"request id {deed.claim.asked.request_id} was used before, and its answer "
                        "is not kept any more: give this one another",
                        request=deed.claim.asked.request_id,
                    )
                return DeedPlan(result=_views(keys, there))
            if errand.kind is GoodsKind.RECEIVED:
                check_delivery(
                    connection,
                    errand.lines,
                    errand.to_place,
                    deed.now_ms,
                    only_check=deed.only_check,
                )
            after = _after(errand, there)
            writes = ((insert(goods_moves), move_rows(errand, deed)),)
            details = (Detail(said=_said(errand), machine_id=errand.machine_id),)
            return DeedPlan(result=_views(keys, after), writes=writes, details=details)

        def again(connection: Connection) -> list[GoodsBalanceView]:
            keys = _keys(errand)
            return _views(keys, balances_at(connection, keys, lock=False))

        return await deeds.do(self._db, deed, plan, again)

    async def follow(self, errand: Errand, deed: Deed) -> str:
        """Let what came to a visit follow into its van if the visit was closed before it came:
        ``errand`` says what, how many, and the visit as ``from_place`` and ``visit``. Return where
        it is; what somebody has taken from there already stays where they put it.
        """

        def plan(connection: Connection) -> DeedPlan[str]:
            there = visit_rows.visit_named(connection, errand.visit, lock=deed.locks)
            if there is None or there.closed_at_ms is None:
                return DeedPlan(result=errand.from_place)
            home = replace(errand, to_place=there.van, reason=f"closed by {there.closed_by} before")
            left = balances_at(connection, _keys(home), lock=deed.locks)
            taken = any(
                left.get((home.from_place, one.product, one.lot), 0) < one.quantity
                for one in home.lines
            )
            if taken or _was_done(connection, home):
                return DeedPlan(result=there.van)
            return DeedPlan(
                result=there.van,
                writes=((insert(goods_moves), move_rows(home, deed)),),
                details=(Detail(said=_said(home), machine_id=home.machine_id),),
            )

        return await deeds.do(self._db, deed, plan, lambda _: errand.from_place)

    async def may_be(self, part: visit_rows.Part) -> None:
        """Raise NotThere or NotPossible if what is to be done cannot be part of its visit."""
        await self._db.read(lambda connection: visit_rows.check(connection, part, lock=False))

    async def act(
        self, machine_id: str, column: str, kind: GoodsKind, cause: str, product: str, lot: str = ""
    ) -> ActView:
        """Return how far an act on a column is. Raises NotThere if nothing was ever decided for
        the machine.
        """

        def work(connection: Connection) -> ActView:
            state = state_of(connection, machine_id)
            known = next((one for one in state.goods_acts if one.cause == cause), None)
            entered = connection.execute(
                select(goods_moves.c.version).where(
                    goods_moves.c.kind == kind.value, goods_moves.c.cause == cause
                )
            ).one_or_none()
            key = (loading_place(cause), product, lot)
            waiting = balances_at(connection, [key], lock=False).get(key, 0)
            return ActView(
                version=state.version,
                column=column_named(state, column),
                done=entered is not None or (known is not None and known.done),
                refused=known is not None and not known.done,
                waiting=waiting,
                decided_at=decided.version if (decided := entered or known) else None,
            )

        return await self._db.read(work)

    async def believed(self, machine_id: str, column: str, product: str, version: int) -> int:
        """Return how many our books had in a column at a version of its machine; at the present one
        if it is 0. Raises NotThere or NotPossible (COUNT_TOO_OLD, VERSION_TO_COME).
        """

        def work(connection: Connection) -> int:
            state = state_of(connection, machine_id)
            if version > state.version:
                raise NotPossible(
                    "VERSION_TO_COME",
                    f"machine {machine_id} has version {state.version}, not {version} yet",
                    machine=machine_id,
                )
            now = column_named(state, column)
            if now is None or now.product != product:
                raise NotThere("column", f"{machine_id}/{column} with {product}")
            since: Sequence[Row[Any]] = ()
            if 0 < version < state.version:
                since = _moves_since(connection, machine_id, version)
            place = column_place(MachineId(machine_id), column)
            believed = now.stock
            for row in since:
                if row.product == product:
                    believed -= row.quantity if row.to_place == place else 0
                    believed += row.quantity if row.from_place == place else 0
            return believed

        return await self._db.read(work)

    async def moves(
        self, wanted: MovesWanted, *, before: int | None, limit: int, down_to: int = 0
    ) -> list[GoodsMoveView]:
        """Return the newest ``limit`` moves, those with a lower id than ``before`` if there is one,
        and no lower one than ``down_to``.
        """
        query = moves_page(wanted, before, limit, down_to)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [move_view(row) for row in rows]

    async def looked(self, wanted: MovesWanted, *, before: int | None) -> Looked:
        """Return how far the page of these moves behind ``before`` looks."""
        query = looked_at(wanted, before)
        if query is None:
            return Looked()
        row = await self._db.read(lambda connection: connection.execute(query).one())
        return looked(wanted, row.down_to, row.moves, row.newest_ms)

    async def check_known(self, names: known.Names) -> None:
        """Raise NotThere of the first name that nobody knows."""
        await self._db.read(lambda connection: known.check(connection, names))

    async def balances(
        self, *, place: str = "", machine_id: str = "", product: str = "", after: Key, limit: int
    ) -> list[GoodsBalanceView]:
        """Return the first ``limit`` balances behind a key, of one place, machine or product."""
        return await self._db.read(
            lambda connection: page_of(connection, place, machine_id, product, after, limit)
        )


def move_view(row: Row[Any]) -> GoodsMoveView:
    """Return one row of the moves."""
    return GoodsMoveView(**{one.name: getattr(row, one.name) for one in fields(GoodsMoveView)})


def move_reversed(move_id: int) -> NotPossible:
    """Return the answer to whoever takes back what somebody has taken back."""
    return NotPossible(
        "MOVE_REVERSED",
        f"goods move {move_id} was taken back already: ListGoodsMoves shows by which",
        goods_move=str(move_id),
    )


def _keys(errand: Errand) -> list[Key]:
    places = [place for place in (errand.from_place, errand.to_place) if place not in words.NOWHERE]
    return [(place, line.product, line.lot) for place in places for line in errand.lines]


def _part_of(errand: Errand) -> visit_rows.Part:
    return visit_rows.Part(
        visit=errand.visit,
        machine_id=errand.machine_id,
        from_place=errand.from_place,
        to_place=errand.to_place,
    )


def _check_home(connection: Connection, errand: Errand, reverses: int, *, lock: bool) -> None:
    """Raise NotPossible (VISIT_CLOSED) if whoever closed the visit meanwhile has counted without
    the goods that come back. What is on its way out of a column arrives all the same.
    """
    on_its_way = errand.from_place.startswith(f"{words.LOADING}:")
    if not (on_its_way or _was_done(connection, errand)):
        visit_rows.check_home(connection, errand.to_place, reverses, lock=lock)


def _was_done(connection: Connection, errand: Errand) -> bool:
    c = goods_moves.c
    found = select(c.id).where(c.kind == errand.kind.value, c.cause == f"{errand.cause}/0")
    return connection.scalar(found) is not None


def _after(errand: Errand, there: Mapping[Key, int]) -> dict[Key, int]:
    """Return what is where afterwards. Raises NotPossible if somebody would take what is not
    there.
    """
    after = dict(there)
    for line in errand.lines:
        for place, change in (
            (errand.from_place, -line.quantity),
            (errand.to_place, line.quantity),
        ):
            if place in words.NOWHERE:
                continue
            key = (place, line.product, line.lot)
            after[key] = after.get(key, 0) + change
            if after[key] < 0:
                lot = f" of lot {line.lot}" if line.lot else " without a lot"
                raise NotPossible(
                    "NOT_ENOUGH_GOODS",
                    f"{place} has {there.get(key, 0)} {line.product}{lot}, not {line.quantity}: "
                    "ListGoodsBalances says what is where",
                    place=place,
                    product=line.product,
                )
    return after


def move_rows(errand: Errand, deed: Deed) -> list[dict[str, Any]]:
    """Return an errand's moves as rows."""
    actor = deed.actor if isinstance(deed.actor, str) else deed.actor.name
    return [
        {
            "at_ms": deed.now_ms,
            "kind": errand.kind.value,
            "cause": f"{errand.cause}/{number}",
            "product": line.product,
            "quantity": line.quantity,
            "from_place": errand.from_place,
            "to_place": errand.to_place,
            "machine_id": errand.machine_id,
            "lot": line.lot,
            "visit": errand.visit,
            "actor": actor,
            "reason": errand.reason,
            "reverses": errand.reverses,
        }
        for number, line in enumerate(errand.lines)
    ]


def _said(errand: Errand) -> str:
    lines = ", ".join(
        f"{line.quantity} {line.product}" + (f" of lot {line.lot}" if line.lot else "")
        for line in errand.lines
    )
    why = f": {errand.reason}" if errand.reason else ""
    column = f" for column {errand.column}" if errand.column else ""
    return f"{lines} from {errand.from_place} to {errand.to_place}{column}{why}"


def _views(keys: Sequence[Key], quantities: Mapping[Key, int]) -> list[GoodsBalanceView]:
    return [
        GoodsBalanceView(
            place=place,
            product=product,
            lot=lot,
            machine_id=whose(place),
            quantity=quantities.get(key, 0),
        )
        for key in keys
        for place, product, lot in (key,)
    ]


def state_of(connection: Connection, machine_id: str) -> MachineState:
    """Return what was decided last for a machine. Raises NotThere if nothing ever was."""
    c = machine_states.c
    wanted = select(c.format, c.body).where(c.machine_id == machine_id)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotThere("machine", machine_id)
    return codec.decode_state(row.format, row.body, only_reads=True)


def _moves_since(connection: Connection, machine_id: str, version: int) -> Sequence[Row[Any]]:
    newest = moves_page(MovesWanted(machine_id=machine_id), None, SINCE_MAX + 1)
    rows = connection.execute(newest).all()
    # The office's own moves for the machine stand among them, and have no version.
    older = any(row.version is not None and row.version <= version for row in rows)
    if len(rows) > SINCE_MAX and not older:
        raise NotPossible(
            "COUNT_TOO_OLD",
            f"more than {SINCE_MAX} moves of machine {machine_id} came since version {version}: "
            "count again",
            machine=machine_id,
        )
    return [row for row in rows if (row.version or 0) > version]
