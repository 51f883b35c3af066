"""Lists of moves: which of them are asked for, along which index they are found, and how far one
page looks. Queries only; ``storage.office.goods`` runs them.

A list goes along one index from the newest move on. What that index does not know (a column beside
its machine, a kind, a time) is looked for among the next ``LOOKED_MAX`` moves of it alone, so that
a page costs the same whatever is asked for: it may be short, or empty, and not be the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
)

from actors.machine import goods as words
from storage.tables import goods_moves
from storage.tables.goods import COMES_FROM_OFFICE, GOES_TO_OFFICE, IS_NO_SALE

LOOKED_MAX = 5_000
"""So many moves one page looks at, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovesWanted:
    """Which moves a list shows. At most one of ``machine_id``, ``visit``, ``lot`` with its
    ``product``, and ``place`` is there: moves from or to it, one of the office's or a column. Of
    these, or of all, those of one ``kind``, and from ``from_ms`` on and before ``until_ms``.
    """

    machine_id: str = ""
    visit: str = ""
    lot: str = ""
    product: str = ""
    place: str = ""
    kind: str = ""
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How far one page looks: no further than the move ``down_to``; ``more``: what is behind it may
    be asked for too.
    """

    down_to: int = 0
    more: bool = False


def moves_page(
    wanted: MovesWanted, before: int | None, limit: int, down_to: int = 0
) -> Select[Any]:
    """Return the query for a page of moves, the newest first: those with a lower id than ``before``
    if there is one, and no lower one than ``down_to``.
    """
    c = goods_moves.c
    rest = [*_beside(wanted), *([c.id >= down_to] if down_to else [])]
    return _along(wanted, before, limit, rest)


def looked_at(wanted: MovesWanted, before: int | None) -> Select[Any] | None:
    """Return the query for how far a page looks: ``down_to``, how many ``moves`` that are, and the
    ``newest_ms`` among them; None if the index knows all that is asked for.
    """
    if not _beside(wanted):
        return None
    next_ones = _along(wanted, before, LOOKED_MAX, []).subquery()
    of: list[ColumnElement[Any]] = [
        func.min(next_ones.c.id).label("down_to"),
        func.count().label("moves"),
        func.max(next_ones.c.at_ms).label("newest_ms"),
    ]
    return select(*of)


def looked(wanted: MovesWanted, down_to: int | None, moves: int, newest_ms: int | None) -> Looked:
    """Return how far a page looks. Behind so many moves that are all too old nothing is new: no
    clock is so far behind for so long.
    """
    too_old = wanted.from_ms is not None and newest_ms is not None and newest_ms < wanted.from_ms
    return Looked(down_to=down_to or 0, more=moves >= LOOKED_MAX and not too_old)


def _along(
    wanted: MovesWanted, before: int | None, limit: int, rest: Sequence[ColumnElement[bool]]
) -> Select[Any]:
    c = goods_moves.c
    behind = [] if before is None else [c.id < before]
    some = [
        select(goods_moves).where(*way, *behind, *rest).order_by(c.id.desc()).limit(limit)
        for way in _ways(wanted)
    ]
    if len(some) == 1:
        return some[0]
    # Each has a limit of its own, so that each goes along its index and few are sorted together. No
    # move is in two of them: none ends where it began.
    both = union_all(*(select(one.subquery()) for one in some)).subquery()
    return select(both).order_by(both.c.id.desc()).limit(limit)


def _ways(wanted: MovesWanted) -> list[list[Any]]:
    """Return what is asked of each index; the conditions of partial ones are repeated, so that
    databases see that they may be used.
    """
    c = goods_moves.c
    if wanted.machine_id:
        return [[c.machine_id == wanted.machine_id]]
    if wanted.visit:
        return [[c.visit == wanted.visit, c.visit != ""]]
    if wanted.lot:
        return [[c.lot == wanted.lot, c.product == wanted.product, c.lot != ""]]
    if machine_id := machine_of(wanted.place):
        return [[c.machine_id == machine_id]]
    if wanted.place:
        return [
            [c.from_place == wanted.place, text(COMES_FROM_OFFICE)],
            [c.to_place == wanted.place, text(GOES_TO_OFFICE)],
        ]
    if wanted.kind and wanted.kind not in words.SALES:
        return [[c.kind == wanted.kind, text(IS_NO_SALE)]]
    return [[]]


def _beside(wanted: MovesWanted) -> list[ColumnElement[bool]]:
    """Return what is asked for that the index of ``_ways`` does not know."""
    c = goods_moves.c
    found: list[ColumnElement[bool]] = []
    # Made something else than the column, so that no database goes along all that are of the kind.
    kind = func.coalesce(c.kind, "")
    if machine_of(wanted.place):
        found.append(or_(c.from_place == wanted.place, c.to_place == wanted.place))
    one_way = any((wanted.machine_id, wanted.visit, wanted.lot, wanted.place))
    if wanted.kind and (one_way or wanted.kind in words.SALES):
        found.append(kind == wanted.kind)
    if wanted.from_ms is not None:
        found.append(c.at_ms >= literal(wanted.from_ms, c.at_ms.type))
    if wanted.until_ms is not None:
        found.append(c.at_ms < literal(wanted.until_ms, c.at_ms.type))
    return [and_(*found)] if found else []


def machine_of(place: str) -> str:
    """Return the machine of a column's place; empty if it is none."""
    kind, _, rest = place.partition(":")
    return rest.partition("/")[0] if kind == words.COLUMN else ""
