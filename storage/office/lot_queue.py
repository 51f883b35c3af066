"""How many of a lot are in a column, as far as its moves tell: a column is first in, first out, and
what somebody read the lot from when they took it out is not in it, wherever it stood.

Flows in: the column's loads, what was taken out under a lot, its stock, all read elsewhere. Flows
out: a number. Pure. Where the moves do not tell, more of the lot is in the column rather than less:
what follows is that nobody buys it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LotMove:
    """So many of a lot went into a column, or out of it; a later move has a higher ``id``."""

    id: int
    lot: str
    quantity: int


def left_of(lot: str, loads: Sequence[LotMove], taken: Iterable[LotMove], stock: int) -> int:
    """Return how many of the lot are left of ``loads`` (in any order, those that were taken back
    left out) when ``stock`` items are in the column. Of what was ``taken`` under its lot the newest
    load before it that has some left has fewer: older ones of the same lot were sold before.
    """
    newest_first = sorted(loads, key=lambda one: one.id, reverse=True)
    left = {one.id: one.quantity for one in newest_first}
    for gone in sorted(taken, key=lambda one: one.id):
        rest = gone.quantity
        for load in newest_first:
            if load.lot == gone.lot and load.id < gone.id:
                some = min(rest, left[load.id])
                left[load.id] -= some
                rest -= some
    found = 0
    for load in newest_first:
        there = min(stock, left[load.id])
        stock -= there
        found += there if load.lot == lot else 0
    return found
