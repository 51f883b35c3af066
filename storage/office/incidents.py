"""Faults of machines, as their actors wrote them down, and what machines usually sell. Reads only.

Flows in: which ones are asked for. Flows out: pages, newest first, and sums of what was sold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select, tuple_

from actors.machine.state import VendStatus
from storage.books.audit_rows import Outcome
from storage.database.engine import Database
from storage.fleet import positions
from storage.tables import audit, incidents, vends

SOLD_MAX = 5_000
"""So many vends of a machine are looked at, at most: one that sold more has less time behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """One incident. ``ended_at_ms`` None: it is open; then ``ending`` is empty."""

    incident_id: str
    machine_id: str
    code: str
    column: str
    detail: str
    times: int
    opened_at_ms: int
    last_at_ms: int
    ended_at_ms: int | None
    ending: str
    ended_by: str
    reason: str

    @property
    def position(self) -> str:
        """Where it stands in its list."""
        return positions.position(self.opened_at_ms, self.incident_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Takings:
    """What was sold, by column, in minor units, within ``span_ms``."""

    by_column: Mapping[str, int]
    span_ms: int


class Incidents:
    """Asks a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(
        self, *, machine_id: str, only_open: bool, after: str, limit: int
    ) -> list[IncidentView]:
        """Return the next incidents behind a position, newest first. Raises InvalidPosition."""
        asked = incidents_page(machine_id, only_open=only_open, after=after).limit(limit)
        return await self._db.read(lambda connection: _views(connection, asked))

    async def named(self, incident_id: str) -> IncidentView | None:
        """Return one incident."""
        asked = select(incidents).where(incidents.c.incident_id == incident_id)
        found = await self._db.read(lambda connection: _views(connection, asked))
        return found[0] if found else None

    async def disabled_at_ms(self, machine_id: str) -> int | None:
        """Return since when a person has disabled the machine; None if the audit log names none."""
        return await self._db.read(lambda connection: connection.scalar(_disabled(machine_id)))

    async def takings(self, machine_id: str, *, since_ms: int, now_ms: int) -> Takings:
        """Return what the machine sold since then."""
        return await self._db.read(
            lambda connection: _takings(connection, machine_id, since_ms, now_ms)
        )


def _disabled(machine_id: str) -> Select[Any]:
    """Who disables it again changes nothing: the first one counts after it was enabled last."""
    c = audit.c
    done = (c.machine_id == machine_id, c.outcome != Outcome.REFUSED)
    enabled = select(func.max(c.id)).where(*done, c.action == "EnableMachine").scalar_subquery()
    return select(func.min(c.at_ms)).where(
        *done, c.action == "DisableMachine", c.id > func.coalesce(enabled, 0)
    )


def _views(connection: Connection, asked: Select[Any]) -> list[IncidentView]:
    return [IncidentView(**row._mapping) for row in connection.execute(asked)]  # noqa: SLF001 - a public name of SQLAlchemy's


def incidents_page(machine_id: str, *, only_open: bool, after: str) -> Select[Any]:
    """Return the query for a page of incidents, newest first. Raises InvalidPosition."""
    c = incidents.c
    asked = select(incidents).order_by(c.opened_at_ms.desc(), c.incident_id.desc())
    if machine_id:
        asked = asked.where(c.machine_id == machine_id)
    if only_open:
        asked = asked.where(c.ended_at_ms.is_(None))
    if after:
        behind = tuple_(*map(literal, positions.parse(after)))
        asked = asked.where(tuple_(c.opened_at_ms, c.incident_id) < behind)
    return asked


def _takings(connection: Connection, machine_id: str, since_ms: int, now_ms: int) -> Takings:
    c = vends.c
    newest = (
        select(c.column, c.price_minor, c.status, c.requested_at_ms)
        .where(c.machine_id == machine_id, c.requested_at_ms >= since_ms)
        .order_by(c.requested_at_ms.desc())
        .limit(SOLD_MAX)
        .subquery()
    )
    n = newest.c
    told = connection.execute(
        select(
            *(n.column, n.status, func.count().label("vends")),
            func.sum(n.price_minor).label("minor"),
            func.min(n.requested_at_ms).label("first_ms"),
        ).group_by(n.column, n.status)
    ).all()
    is_cut = sum(row.vends for row in told) == SOLD_MAX
    begin_ms = min(row.first_ms for row in told) if is_cut else since_ms
    return Takings(
        by_column={
            row.column: int(row.minor) for row in told if row.status == VendStatus.SUCCEEDED.value
        },
        span_ms=max(1, now_ms - begin_ms),
    )
