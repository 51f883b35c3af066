"""Moves of goods that were a mistake, and how far it is to take them back.

Flows in: the id of a move. Flows out: the move, the one that takes it back if there is one, and
under which name the next attempt is told to a machine's actor. Nothing is written here: the
office's places are ``Goods.carry``'s, a column is its actor's.

All who take one move back do the same act, named by the move, so that an actor does it once however
many ask. An actor's refusal is for good, and so ends an attempt: the next one has another number.
"""

import itertools
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from actors.machine.goods import COLUMN, LOADING, NOWHERE, GoodsKind
from storage.database.engine import Database
from storage.fleet.loadings import is_loading
from storage.office import visit_rows
from storage.office.deeds import NotPossible, NotThere
from storage.office.goods import Errand, GoodsLine, GoodsMoveView, move_view, state_of
from storage.tables import goods_moves

_OF_SALES = frozenset(
    {GoodsKind.SOLD.value, GoodsKind.VEND_WRITTEN_OFF.value, GoodsKind.CASH_SOLD.value}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalView:
    """A move, and ``by``, the one that takes it back. ``cause`` names the present attempt.
    ``brought``: of a load, the move that brought the goods from the office to the act's own place,
    if that is still to be taken back too. ``home``: where the goods are in the end.
    """

    move: GoodsMoveView
    by: GoodsMoveView | None
    cause: str
    home: str
    brought: GoodsMoveView | None = None

    @property
    def column(self) -> str:
        """The column that it is about; empty if both places are the office's."""
        for place in (self.move.from_place, self.move.to_place):
            if place.startswith(f"{COLUMN}:"):
                return place.partition("/")[2]
        return ""

    @property
    def into(self) -> bool:
        """Whether taking it back puts goods into the column."""
        return self.move.from_place.startswith(f"{COLUMN}:")

    @property
    def waits(self) -> bool:
        """Whether goods are to wait at a place of their own for the column: others could take them
        from where they are.
        """
        return self.into and self.move.to_place not in NOWHERE


def errand_back(move: GoodsMoveView, reason: str, machine_id: str = "") -> Errand:
    """Return what takes back a move between the office's places."""
    return Errand(
        cause=_cause(move.id),
        from_place=move.to_place,
        to_place=move.from_place,
        lines=[GoodsLine(product=move.product, lot=move.lot, quantity=move.quantity)],
        visit=move.visit,
        reason=reason,
        machine_id=machine_id,
        reverses=move.id,
    )


class Reversals:
    """What was taken back in an installation. Raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, move_id: int) -> ReversalView:
        """Return how far taking a move back is. Raises NotThere, or NotPossible
        (MOVE_STANDS) for one that nobody takes back, or (VISIT_CLOSED) for one whose goods would be
        with a visit that is over.
        """
        return await self._db.read(lambda connection: _found(connection, move_id))


def _found(connection: Connection, move_id: int) -> ReversalView:
    c = goods_moves.c
    row = connection.execute(select(goods_moves).where(c.id == move_id)).one_or_none()
    if row is None:
        raise NotThere("goods_move", str(move_id))
    move = move_view(row)
    _may_be_taken_back(move)
    by = _reversal(connection, move_id)
    first = _first_half(connection, move) if move.kind == GoodsKind.LOADED else None
    home = (first or move).from_place
    if by is None:  # one under way keeps its visit from being closed
        visit_rows.check_home(connection, home, move_id, lock=False)
    found = ReversalView(move=move, by=by, cause=_cause(move_id), home=home)
    if not found.column:
        return found
    open_ = first is not None and _reversal(connection, first.id) is None
    return replace(found, cause=_attempt(connection, found), brought=first if open_ else None)


def _may_be_taken_back(move: GoodsMoveView) -> None:
    if move.kind == GoodsKind.REVERSED:
        why = "takes another one back: enter what happened as a move of its own"
    elif move.kind in _OF_SALES:
        why = "is a sale's: RefundVend gives money back, CountColumn says what is in the column"
    elif move.kind != GoodsKind.LOADED and any(
        place.startswith(f"{LOADING}:") for place in (move.from_place, move.to_place)
    ):
        why = "is half of an act on a column: take back its LOADED move, if there is one"
    else:
        return
    raise NotPossible(
        "MOVE_STANDS",
        f"goods move {move.id} cannot be taken back, because it {why}",
        goods_move=str(move.id),
    )


def _first_half(connection: Connection, move: GoodsMoveView) -> GoodsMoveView:
    """Return the first half of a load."""
    c = goods_moves.c
    first = (
        c.kind == GoodsKind.TRANSFERRED.value,
        # Behind the act's name it has that of its request.
        # No range: a database may sort as its language does.
        c.cause.startswith(f"{move.cause}:", autoescape=True),
        is_loading(c.to_place),
        c.to_place == move.from_place,
    )
    return move_view(connection.execute(select(goods_moves).where(*first)).one())


def _reversal(connection: Connection, move_id: int) -> GoodsMoveView | None:
    wanted = select(goods_moves).where(
        # The second condition is that of the index.
        goods_moves.c.reverses == move_id,
        goods_moves.c.reverses.is_not(None),
    )
    row = connection.execute(wanted).one_or_none()
    return None if row is None else move_view(row)


def _attempt(connection: Connection, found: ReversalView) -> str:
    """Return the name of the attempt behind those that ended: their goods went back, or the actor
    remembers that it refused them. One that it forgot it may be asked again.
    """
    begin = f"{_cause(found.move.id)}/"
    if found.waits:
        attempts = (f"{begin}{number}" for number in itertools.count())
        return next(each for each in attempts if not _went_back(connection, each))
    refused = (
        int(act.cause.removeprefix(begin))
        for act in state_of(connection, found.move.machine_id).goods_acts
        if act.cause.startswith(begin) and not act.done
    )
    return f"{begin}{max(refused, default=-1) + 1}"


def _went_back(connection: Connection, attempt: str) -> bool:
    c = goods_moves.c
    back = (c.kind == GoodsKind.TRANSFERRED.value, c.cause == f"{attempt}/back/0")
    return connection.scalar(select(c.id).where(*back)) is not None


def _cause(move_id: int) -> str:
    return f"reverse:{move_id}"
