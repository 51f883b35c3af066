"""Whether somebody knows what a list is filtered by. In a transaction of the caller's.

Flows in: the names of a list's filters, asked when the list found nothing. Flows out: nothing, or
NotThere of the first one that nobody knows, which is a typo: an empty list would look as if all was
well. A place of the office's has no row of its own: it is known once goods were there, or, of a
van, once a visit was made from it. Each question is one step along an index.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from actors.machine import goods as words
from storage.office.deeds import NotThere
from storage.tables import (
    goods_arrivals,
    goods_balances,
    goods_moves,
    machines,
    planogram_columns,
    products,
    visits,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a list is filtered by; empty is no filter. A ``lot`` has its ``product`` beside it."""

    machine_id: str = ""
    place: str = ""
    visit: str = ""
    product: str = ""
    lot: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A name, what it is of, and where it stands if somebody knows it."""

    what: str
    name: str
    found_by: tuple[Select[Any], ...]


def check(connection: Connection, names: Names) -> None:
    """Raise NotThere of the first name that nobody knows."""
    for asked in questions(names):
        if not any(connection.scalar(one.limit(1)) is not None for one in asked.found_by):
            raise NotThere(asked.what, asked.name)


def questions(names: Names) -> Iterator[Question]:
    """Return what is asked for, name by name."""
    if names.machine_id:
        yield _machine(names.machine_id)
    if names.place:
        yield from _place(names.place)
    if names.visit:
        yield _visit(names.visit)
    if names.lot:
        c = goods_moves.c
        seen = select(c.id).where(c.lot == names.lot, c.lot != "", c.product == names.product)
        yield Question("lot", f"{names.lot} of {names.product}", (seen,))
    elif names.product:
        yield _product(names.product)


def _machine(machine_id: str) -> Question:
    c = machines.c.machine_id
    return Question("machine", machine_id, (select(c).where(c == machine_id),))


def _product(product: str) -> Question:
    """A planogram may have one that the catalogue does not."""
    found = (
        select(one).where(one == product)
        for one in (products.c.product, planogram_columns.c.product, goods_balances.c.product)
    )
    return Question("product", product, tuple(found))


def _visit(visit: str) -> Question:
    """One that nobody opened is a note at moves."""
    c = goods_moves.c
    noted = select(c.id).where(c.visit == visit, c.visit != "")
    return Question("visit", visit, (select(visits.c.id).where(visits.c.visit == visit), noted))


def _place(place: str) -> Iterator[Question]:
    held = tuple(
        select(one.c.place).where(one.c.place == place) for one in (goods_balances, goods_arrivals)
    )
    kind, _, rest = place.partition(":")
    machine_id, _, column = rest.partition("/")
    match kind:
        case words.COLUMN:
            c = planogram_columns.c
            planned = select(c.column).where(c.machine_id == machine_id, c.column == column)
            yield _machine(machine_id)
            yield Question("column", f"{machine_id}/{column}", (planned, *held))
        case words.REMOVED:
            yield _machine(rest)
        case words.VISIT:
            yield _visit(rest)
        case _:
            visited = select(visits.c.id).where(visits.c.van == place)
            yield Question("place", place, (*held, visited))
