"""Visits as rows, and what may be part of one. In a transaction of the caller's.

A visit is one person's work at one machine: open until they say what became of all that they took
out of the van. What names a visit that nobody opened is only a note for people.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from actors.machine.goods import LOADING, VISIT
from storage.office.deeds import NotPossible, NotThere
from storage.tables import visits


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitView:
    """One visit, as it stands in its row; ``closed_at_ms`` is None as long as it is open."""

    id: int
    visit: str
    machine_id: str
    van: str
    revision: int
    opened_by: str
    opened_at_ms: int
    closed_by: str
    closed_at_ms: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something that is to be done on a visit: for a machine's column, unless that is empty."""

    visit: str
    machine_id: str
    from_place: str
    to_place: str


def visit_named(connection: Connection, visit: str, *, lock: bool = False) -> VisitView | None:
    """Return the visit of this name, if somebody opened it."""
    wanted = select(visits).where(visits.c.visit == visit)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else VisitView(**row._asdict())


def check(connection: Connection, part: Part, *, lock: bool) -> None:
    """Raise NotThere or NotPossible (VISIT_CLOSED, VISIT_ELSEWHERE) if this cannot be part of its
    visit. What was begun before it was closed can be ended, and what it left behind cleared away.
    """
    kinds = {place.partition(":")[0] for place in (part.from_place, part.to_place)}
    if not part.visit or part.from_place.startswith(f"{LOADING}:"):
        return
    there = visit_named(connection, part.visit, lock=lock)
    if there is None:
        if VISIT in kinds:
            raise NotThere("visit", part.visit)
        return
    clears_away = part.from_place.startswith(f"{VISIT}:") and LOADING not in kinds
    if there.closed_at_ms is not None and not clears_away:
        raise NotPossible(
            "VISIT_CLOSED",
            f"visit {part.visit} was closed by {there.closed_by}: OpenVisit begins another one",
            visit=part.visit,
        )
    if part.machine_id not in ("", there.machine_id):
        raise NotPossible(
            "VISIT_ELSEWHERE",
            f"visit {part.visit} is one to machine {there.machine_id}, not {part.machine_id}",
            visit=part.visit,
            machine=there.machine_id,
        )


def check_home(connection: Connection, place: str, move_id: int, *, lock: bool) -> None:
    """Raise NotPossible (VISIT_CLOSED) if goods that come back to ``place`` by taking a move back
    would be with a visit that is over, where nobody accounts for them any more.
    """
    kind, _, name = place.partition(":")
    there = visit_named(connection, name, lock=lock) if kind == VISIT else None
    if there is not None and there.closed_at_ms is not None:
        raise NotPossible(
            "VISIT_CLOSED",
            f"goods move {move_id} would put goods back to visit {name}, which was closed by "
            f"{there.closed_by}: UnloadColumn brings them into {there.van} if they are in a "
            "column, CountColumn or TransferGoods says where they are otherwise",
            visit=name,
            goods_move=str(move_id),
        )
