"""Denials: which certificates, machines and people are turned away.

Flows in: what is to be denied or allowed, as a deed. Flows out: the denial, or all names that are
denied now, which is what gateways ask every few seconds; so there are few of them at most.

A certificate is denied as whoever's it is, or as one machine's: its number may be another CA's,
too, and ``hit`` tells who is known to have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, tuple_, union, update

from storage.database.engine import Database
from storage.fleet.positions import InvalidPosition
from storage.office import deeds
from storage.office.certificate_denials import (
    CERTIFICATE,
    OURS,
    name_of,
    of_number,
    serial_of,
)
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.tables import denials, machine_certificates

DENIALS_MAX = 2_000
MACHINE = "MACHINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenialView:
    """A denial as it is kept. ``kind`` is CERTIFICATE, MACHINE or PERSON. ``machine_id``: a
    certificate is denied as this machine's alone. Of one that is gone nothing else is known.
    """

    kind: str
    name: str
    machine_id: str = ""
    denied_by: str = ""
    denied_at_ms: int | None = None
    reason: str = ""
    position: str = field(default="", compare=False)
    """Where it stands in the list."""


class Denials:
    """The denials of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def deny(
        self, kind: str, name: str, reason: str, deed: Deed, *, by: str, machine_id: str = ""
    ) -> DenialView:
        """Deny; again, it returns the first denial. Raises NotPossible (TOO_MANY_DENIALS)."""

        def plan(connection: Connection) -> DeedPlan[DenialView]:
            kept = _rows(connection, kind, name)
            for there in kept:
                if there.machine_id == machine_id:
                    return DeedPlan(result=_view(there))
            # What enrolments and doubles deny is bounded by the certificates that are good.
            of_people = select(func.count()).where(denials.c.denied_by != OURS)
            if (connection.scalar(of_people) or 0) >= DENIALS_MAX:
                raise NotPossible(
                    "TOO_MANY_DENIALS",
                    f"{DENIALS_MAX} denials are in force, which is the most: AllowAccess for "
                    "certificates that have ended, which nobody can use any more",
                )
            called, writes = _place(kept, name, machine_id)
            made = DenialView(
                kind=kind,
                name=name,
                machine_id=machine_id,
                denied_by=by,
                denied_at_ms=deed.now_ms,
                reason=reason,
                position=f"{kind}:{called}",
            )
            row = {
                "kind": kind,
                "name": called,
                "machine_id": machine_id,
                "denied_by": by,
                "denied_at_ms": deed.now_ms,
                "reason": reason,
            }
            return DeedPlan(
                result=made,
                writes=(*writes, (insert(denials), [row])),
                details=(_detail(made, reason),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: _kept(connection, kind, name, machine_id)
        )

    async def allow(
        self, kind: str, name: str, reason: str, deed: Deed, *, machine_id: str = ""
    ) -> DenialView:
        """End a denial and return it as it was; of a certificate that is denied as one machine's
        alone the machine may be left out. Raises NotThere, NotPossible (SEVERAL_DENIALS).
        """

        def plan(connection: Connection) -> DeedPlan[DenialView]:
            there = _kept(connection, kind, name, machine_id)
            called = there.position.removeprefix(f"{kind}:")
            gone = delete(denials).where(denials.c.kind == kind, denials.c.name == called)
            return DeedPlan(result=there, writes=((gone, ()),), details=(_detail(there, reason),))

        gone = DenialView(kind=kind, name=name, machine_id=machine_id)
        return await deeds.do(self._db, deed, plan, lambda _: gone)

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

    async def names(self) -> list[tuple[str, str, str]]:
        """Return the kind and the name of all that is denied now, and of a certificate the machine
        whose alone it is, if it is one's.
        """
        asked = select(denials.c.kind, denials.c.name, denials.c.machine_id)
        return await self._db.read(
            lambda connection: [
                (row.kind, _name(row.kind, row.name), row.machine_id)
                for row in connection.execute(asked)
            ]
        )

    async def hit(self, serial: str) -> list[str]:
        """Return the machines that are known to have, or to have had, a certificate with this
        number: by what gateways issued or renewed, and by what is denied. A few at most, unless
        somebody gives all the same number.
        """
        issued = select(machine_certificates.c.machine_id).where(
            machine_certificates.c.serial == serial
        )
        denied = select(denials.c.machine_id).where(of_number(serial), denials.c.machine_id != "")
        asked = union(issued, denied)
        return await self._db.read(lambda connection: sorted(connection.scalars(asked)))


Write = tuple[Any, Sequence[dict[str, Any]]]


def _place(
    kept: Sequence[Row[tuple[object, ...]]], name: str, machine_id: str
) -> tuple[str, tuple[Write, ...]]:
    """Return what a new denial is called, and what makes room for it: the bare number is the name
    of the one that counts for everybody, because programs before schema 0032 know no other.
    """
    taken = [row for row in kept if row.name == name]
    if not taken:
        return name, ()
    if machine_id:
        return name_of(name, machine_id), ()
    (other,) = taken
    its_own = {"name": name_of(name, other.machine_id)}
    aside = update(denials).where(denials.c.kind == CERTIFICATE, denials.c.name == name)
    return name, ((aside.values(its_own), ()),)


def _rows(connection: Connection, kind: str, name: str) -> Sequence[Row[tuple[object, ...]]]:
    """Return the denials of this name; of a number there may be several."""
    of_name = and_(denials.c.kind == kind, denials.c.name == name)
    asked = select(denials).where(of_number(name) if kind == CERTIFICATE else of_name)
    return connection.execute(asked.order_by(denials.c.name)).all()


def _kept(connection: Connection, kind: str, name: str, machine_id: str) -> DenialView:
    rows = _rows(connection, kind, name)
    meant = [row for row in rows if row.machine_id == machine_id]
    if not meant and not machine_id:
        meant = list(rows)
    if not meant:
        raise NotThere("denial", f"{kind} {name} {machine_id}".strip())
    if len(meant) > 1:
        raise NotPossible(
            "SEVERAL_DENIALS",
            f"certificate {name} is denied as that of {len(meant)} machines, "
            f"{meant[0].machine_id} is one: say with machine_id which of them is meant",
        )
    return _view(meant[0])


def _name(kind: str, name: str) -> str:
    return serial_of(name) if kind == CERTIFICATE else name


def _view(row: Row[tuple[object, ...]]) -> DenialView:
    return DenialView(
        kind=row.kind,
        name=_name(row.kind, row.name),
        machine_id=row.machine_id,
        denied_by=row.denied_by,
        denied_at_ms=row.denied_at_ms,
        reason=row.reason,
        position=f"{row.kind}:{row.name}",
    )


def _detail(denial: DenialView, reason: str) -> Detail:
    whose = f" of {denial.machine_id}" if denial.machine_id else ""
    return Detail(
        said=f"{denial.kind.lower()} {denial.name}{whose}: {reason}",
        machine_id=denial.name if denial.kind == MACHINE else denial.machine_id,
    )
