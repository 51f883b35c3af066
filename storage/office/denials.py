"""Denials: which certificates, machines and people are turned away.

Flows in: what is to be denied or allowed, as a deed. Flows out: the denial, or all names that are
denied now, which is what gateways ask every few seconds; so there are few of them at most.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, tuple_

from storage.database.engine import Database
from storage.fleet.positions import InvalidPosition
from storage.office import deeds
from storage.office.certificates import OURS
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.tables import denials

DENIALS_MAX = 2_000
MACHINE = "MACHINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenialView:
    """A denial as it is kept. ``kind`` is CERTIFICATE, MACHINE or PERSON. Of one that is gone
    nothing else is known.
    """

    kind: str
    name: str
    denied_by: str = ""
    denied_at_ms: int | None = None
    reason: str = ""

    @property
    def position(self) -> str:
        """Where it stands in the list."""
        return f"{self.kind}:{self.name}"


class Denials:
    """The denials of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def deny(self, kind: str, name: str, reason: str, deed: Deed, *, by: str) -> DenialView:
        """Deny; again, it returns the first denial. Raises NotPossible (TOO_MANY_DENIALS)."""

        def plan(connection: Connection) -> DeedPlan[DenialView]:
            there = _denial(connection, kind, name)
            if there is not None:
                return DeedPlan(result=there)
            # What enrolments and doubles deny is bounded by the certificates that are good.
            of_people = select(func.count()).where(denials.c.denied_by != OURS)
            if (connection.scalar(of_people) or 0) >= DENIALS_MAX:
                raise NotPossible(
                    "TOO_MANY_DENIALS",
                    f"{DENIALS_MAX} denials are in force, which is the most: AllowAccess for "
                    "certificates that have ended, which nobody can use any more",
                )
            made = DenialView(
                kind=kind, name=name, denied_by=by, denied_at_ms=deed.now_ms, reason=reason
            )
            row = {column.key: getattr(made, column.key) for column in denials.c}
            return DeedPlan(
                result=made, writes=((insert(denials), [row]),), details=(_detail(made, reason),)
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: _kept(connection, kind, name)
        )

    async def allow(self, kind: str, name: str, reason: str, deed: Deed) -> DenialView:
        """End a denial and return it as it was. Raises NotThere."""

        def plan(connection: Connection) -> DeedPlan[DenialView]:
            there = _kept(connection, kind, name)
            gone = delete(denials).where(denials.c.kind == kind, denials.c.name == name)
            return DeedPlan(result=there, writes=((gone, ()),), details=(_detail(there, reason),))

        return await deeds.do(self._db, deed, plan, lambda _: DenialView(kind=kind, name=name))

    async def page(self, *, after: str, limit: int) -> list[DenialView]:
        """Return the next denials behind a position. Raises InvalidPosition."""
        kind, colon, name = after.partition(":")
        if after and not colon:
            raise InvalidPosition("The page token is none of ours: start again without one.")
        c = denials.c
        asked = select(denials).order_by(c.kind, c.name).limit(limit)
        if after:
            asked = asked.where(tuple_(c.kind, c.name) > (kind, name))
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(asked)]
        )

    async def names(self) -> list[tuple[str, str]]:
        """Return the kind and the name of all that is denied now."""
        asked = select(denials.c.kind, denials.c.name)
        return await self._db.read(
            lambda connection: [(row.kind, row.name) for row in connection.execute(asked)]
        )


def _denial(connection: Connection, kind: str, name: str) -> DenialView | None:
    asked = select(denials).where(and_(denials.c.kind == kind, denials.c.name == name))
    row = connection.execute(asked).one_or_none()
    return None if row is None else _view(row)


def _kept(connection: Connection, kind: str, name: str) -> DenialView:
    there = _denial(connection, kind, name)
    if there is None:
        raise NotThere("denial", f"{kind} {name}")
    return there


def _view(row: Row[tuple[object, ...]]) -> DenialView:
    return DenialView(**row._mapping)  # noqa: SLF001 - SQLAlchemy's own name for a row as a mapping


def _detail(denial: DenialView, reason: str) -> Detail:
    return Detail(
        said=f"{denial.kind.lower()} {denial.name}: {reason}",
        machine_id=denial.name if denial.kind == MACHINE else "",
    )
