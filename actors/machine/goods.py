"""Goods: every item that comes, goes or turns up is one move, a line with the place that it left
and the place where it is now, so that nothing can appear or vanish.

A machine's own moves have one of its columns on one side; what is on the other side is a table:

| move | from | to |
|---|---|---|
| opened | FOUND | column |
| loaded | what is being loaded | column |
| unloaded | column | van, warehouse, or what was removed from the machine |
| sold, vend written off, cash sold | column | SOLD |
| counted | FOUND, or column | column, or LOST |
| tested, wasted, expired | column | TEST, WASTE, EXPIRED |
| reversed | where it had gone | where it had come from |

Two kinds more are the office's alone: received (SUPPLIER to a warehouse) and transferred. An item
of a vend that left a column which holds something else by now comes from FOUND: what the books had
of it has left the column before. So does what came with a planogram that another one replaced
before it was in force, and is removed: no column ever had it.
"""

import hashlib
from enum import StrEnum

from msgspec import Struct

from actors.machine.ids import MachineId


class GoodsKind(StrEnum):
    """Why goods moved."""

    RECEIVED = "RECEIVED"
    TRANSFERRED = "TRANSFERRED"
    OPENED = "OPENED"
    LOADED = "LOADED"
    UNLOADED = "UNLOADED"
    SOLD = "SOLD"
    VEND_WRITTEN_OFF = "VEND_WRITTEN_OFF"
    CASH_SOLD = "CASH_SOLD"
    COUNTED = "COUNTED"
    TESTED = "TESTED"
    WASTED = "WASTED"
    EXPIRED = "EXPIRED"
    REVERSED = "REVERSED"


SALES = (GoodsKind.SOLD, GoodsKind.VEND_WRITTEN_OFF, GoodsKind.CASH_SOLD)
"""What customers had: most of all moves."""

SUPPLIER = "SUPPLIER"
SOLD = "SOLD"
WASTE = "WASTE"
EXPIRED = "EXPIRED"
LOST = "LOST"
FOUND = "FOUND"
TEST = "TEST"

NOWHERE = frozenset({SUPPLIER, SOLD, WASTE, EXPIRED, LOST, FOUND, TEST})
"""Places that hold nothing which anybody could take: where goods come from or end. The name of a
real place has a colon, theirs have none.
"""
COLUMN, REMOVED, LOADING, WAREHOUSE, VAN = "COLUMN", "REMOVED", "LOADING", "WAREHOUSE", "VAN"
VISIT = "VISIT"
"""The kinds of real places, as their names begin."""


def column_place(machine_id: MachineId, column: str) -> str:
    """Return the name of a column as a place."""
    return f"{COLUMN}:{machine_id}/{column}"


def removed_place(machine_id: MachineId) -> str:
    """Return the place of what a new planogram left without a column: it stands at the machine, or
    somebody has it, until the office says where it went.
    """
    return f"{REMOVED}:{machine_id}"


def visit_place(visit: str) -> str:
    """Return the place of what somebody took out of a van for a visit, and has with them."""
    return f"{VISIT}:{visit}"


def loading_place(cause: str) -> str:
    """Return the place of what is on its way into a column by one act, and is nobody else's: the
    column's machine takes it from there, or refuses it.
    """
    return f"{LOADING}:{hashlib.sha256(cause.encode()).hexdigest()[:32]}"


class GoodsMove(Struct, frozen=True, kw_only=True):
    """``quantity`` items, above zero, of one product. ``kind`` and ``cause`` together are never
    used again. ``column``: the machine's column that it is about.

    What follows the places is for people: the lot if somebody named it, on which visit, who and
    why, which move this one takes back, and when it happened if that was earlier.
    """

    kind: GoodsKind
    cause: str
    column: str
    product: str
    quantity: int
    from_place: str
    to_place: str
    lot: str = ""
    visit: str = ""
    actor: str = ""
    reason: str = ""
    reverses: int | None = None
    happened_at_ms: int | None = None


class GoodsAct(Struct, frozen=True, kw_only=True, array_like=True):
    """Something that a person did with the goods of a column, or that was refused, and the version
    that it made.
    """

    cause: str
    version: int
    done: bool = True


GOODS_ACTS_KEPT = 8
"""One that was read before so many others were done is to be read again."""


def is_sound(move: GoodsMove) -> bool:
    """Return whether a move carries something from one place to another."""
    return move.quantity > 0 and move.from_place != move.to_place
