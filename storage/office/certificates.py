"""The certificates that machines have, in the order of their generations, and what is found when
one is used that should not be any more.

Flows in: a certificate that was issued, or the serial numbers of those that machines came with.
Flows out: what is kept, or the machines of which there are two. A machine uses the generation that
it used last, or the newest that it was given; who comes with any other has a copy.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Connection,
    Exists,
    Row,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from storage.books.audit_rows import AuditRow, write_audit_rows
from storage.database import dialects
from storage.database.engine import Database
from storage.tables import denials, doubled_machines, machine_certificates, machines

LIVE_MAX = 16
"""So many certificates of one machine may be good at the same time; two or three are usual."""
LATE_MS = 2_000
"""Who came longer ago than this waited for SQL, and others may have been heard before them."""
OURS = "vendgate"
"""Who denies what no person did, in the list of denials."""
_C = machine_certificates.c


class NotInFleet(Exception):
    """The machine is not registered, or was retired."""


class Denied(Exception):
    """The machine, or the certificate that it shows, is turned away."""


class TooMany(Exception):
    """The machine has as many certificates as it may: it asked again and again with new keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate of a machine. ``serial`` is hexadecimal; ``chain`` PEM, empty if it was
    issued by hand. ``generation`` counts from 1 for each machine; 0: not kept yet.
    """

    serial: str
    machine_id: str
    request_sha256: str
    chain: str
    issued_at_ms: int
    not_after_ms: int
    generation: int = 0
    used_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """A certificate as people read it. ``denied``: it is turned away."""

    serial: str
    machine_id: str
    generation: int
    issued_at_ms: int
    not_after_ms: int
    used_at_ms: int | None
    denied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A machine came with a certificate, from an address. ``at_ms``: when it did, which may be
    long before somebody can ask about it.
    """

    machine_id: str
    serial: str
    at_ms: int
    address: str = ""


class Certificates:
    """The machines' certificates of an installation. Raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def kept(self, machine_id: str, request_sha256: str) -> Certificate | None:
        """Return what was issued for this very request, if it was."""
        return await self._db.read(lambda connection: kept(connection, machine_id, request_sha256))

    async def renew(
        self, certificate: Certificate, present: Certificate, *, now_ms: int
    ) -> Certificate:
        """Keep a certificate that renews ``present``, and return it, or what was kept for the same
        request before. A present one that nobody kept, because a person issued it, is kept too.
        Raises Denied, TooMany or NotInFleet.
        """
        return await self._db.write(
            lambda connection: _renew(connection, certificate, present, now_ms)
        )

    async def came(self, several: Collection[Came], *, now_ms: int) -> list[str]:
        """Note with which certificates machines came; return the machines of which there are two,
        by the generations. All that such a machine has is denied by then. Usually it only reads.
        """
        new = await self._db.read(lambda connection: list(_judged(connection, several, now_ms)))
        if not new:
            return []
        # Two gateways that ask about the same machines lock them in the same order.
        again = sorted((one for one, _ in new), key=lambda one: (one.machine_id, one.at_ms))
        return await self._db.write(lambda connection: _came(connection, again, now_ms))

    async def of(self, machine_id: str) -> list[CertificateView]:
        """Return a machine's certificates, the newest first; a few at most."""
        asked = (
            select(machine_certificates, _is_denied().label("denied"))
            .where(_C.machine_id == machine_id)
            .order_by(_C.generation.desc())
        )
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(asked)]
        )


def kept(connection: Connection, machine_id: str, request_sha256: str) -> Certificate | None:
    """Return what was issued to the machine for this request."""
    asked = select(machine_certificates).where(
        _C.machine_id == machine_id, _C.request_sha256 == request_sha256
    )
    row = connection.execute(asked).one_or_none()
    return None if row is None else Certificate(**row._mapping)  # noqa: SLF001 - SQLAlchemy's own name for a row as a mapping


def add(connection: Connection, certificate: Certificate) -> Certificate:
    """Keep the machine's next certificate and return it with its generation; forget those that
    have ended. Raises TooMany or NotInFleet.
    """
    known = select(machines.c.machine_id).where(
        machines.c.machine_id == certificate.machine_id, machines.c.retired_at_ms.is_(None)
    )
    if connection.scalar(known) is None:
        raise NotInFleet
    of_machine = _C.machine_id == certificate.machine_id
    newest: int = connection.scalar(select(func.max(_C.generation)).where(of_machine)) or 0
    over = and_(
        of_machine,
        _C.not_after_ms <= certificate.issued_at_ms,
        _C.generation < newest,
    )
    # Their denials first: without the certificate nobody knows when one has ended.
    _forget_ended(connection, certificate.machine_id, certificate.issued_at_ms)
    connection.execute(delete(machine_certificates).where(over))
    there = select(func.count()).where(of_machine, ~_is_denied())
    if (connection.scalar(there) or 0) >= LIVE_MAX:
        raise TooMany
    made = replace(certificate, generation=newest + 1)
    row = {column.key: getattr(made, column.key) for column in machine_certificates.c}
    connection.execute(insert(machine_certificates), [row])
    return made


def end_older(connection: Connection, machine_id: str, *, now_ms: int) -> int:
    """Deny what the machine has, because it is about to be given a new beginning; return how many
    that are.
    """
    return _deny_all(connection, machine_id, "the machine was enrolled anew", now_ms)


def _renew(
    connection: Connection, certificate: Certificate, present: Certificate, now_ms: int
) -> Certificate:
    _lock(connection, certificate.machine_id)
    # A gateway hears of a denial seconds after it was saved; a renewal would outlive it.
    if _is_turned_away(connection, present):
        raise Denied
    before = kept(connection, certificate.machine_id, certificate.request_sha256)
    if before is not None:
        return before
    whose = connection.scalar(select(_C.machine_id).where(_C.serial == present.serial))
    if whose is None:
        add(connection, replace(present, used_at_ms=now_ms))
    elif whose == present.machine_id:
        _use(connection, present.serial, now_ms)
    # Else another CA gave another machine the same number: that row stays what it is.
    return add(connection, certificate)


def _is_turned_away(connection: Connection, present: Certificate) -> bool:
    of_certificate = and_(denials.c.kind == "CERTIFICATE", denials.c.name == present.serial)
    of_machine = and_(denials.c.kind == "MACHINE", denials.c.name == present.machine_id)
    asked = select(denials.c.kind).where(or_(of_certificate, of_machine)).limit(1)
    return connection.scalar(asked) is not None


def _lock(connection: Connection, machine_id: str) -> None:
    """Let nobody else judge, deny or renew this machine's certificates until the end: what is
    renewed while the others are denied would not be.
    """
    rows = select(_C.serial).where(_C.machine_id == machine_id).order_by(_C.serial)
    connection.execute(rows.with_for_update()).all()


def _judged(
    connection: Connection, several: Collection[Came], now_ms: int
) -> Iterator[tuple[Came, Any]]:
    """Yield those about which there is something to be written: it is used for the first time, or
    it is a copy. What nobody keeps, or is denied, is left alone; so is whoever came before the
    machine went on to what it uses now, and is only heard of now.
    """
    others = machine_certificates.alias("others")
    of_machine = others.c.machine_id == _C.machine_id
    used = (
        select(func.max(others.c.generation))
        .where(of_machine, others.c.used_at_ms.is_not(None))
        .scalar_subquery()
    )
    newest = select(func.max(others.c.generation)).where(of_machine).scalar_subquery()
    since = select(func.max(others.c.used_at_ms)).where(of_machine).scalar_subquery()
    asked = select(
        _C.serial,
        _C.machine_id,
        _C.generation,
        func.coalesce(used, 0).label("used"),
        newest.label("newest"),
        since.label("since"),
    ).where(
        _C.serial.in_({one.serial for one in several}),
        ~_is_denied(),
        _C.generation != func.coalesce(used, 0),
    )
    # Serial numbers are unique to their CA, and machines may have theirs from several.
    found = {(row.machine_id, row.serial): row for row in connection.execute(asked)}
    for one in several:
        row = found.get((one.machine_id, one.serial))
        if row is None:
            continue
        # Clocks of two gateways are compared only where one of them has waited.
        is_late = one.at_ms < now_ms - LATE_MS and one.at_ms < (row.since or 0)
        if row.generation == row.newest or not is_late:
            yield one, row


def _is_denied() -> Exists:
    return exists().where(denials.c.kind == "CERTIFICATE", denials.c.name == _C.serial)


def _came(connection: Connection, several: Sequence[Came], now_ms: int) -> list[str]:
    doubled: list[str] = []
    rows: list[AuditRow] = []
    for one in several:
        _lock(connection, one.machine_id)
        found = list(_judged(connection, [one], now_ms))
        if not found:
            continue
        ((_, row),) = found
        if row.generation == row.newest:
            _use(connection, one.serial, now_ms)
            continue
        said = (
            f"certificate {one.serial} of generation {row.generation} was used"
            f"{f' from {one.address}' if one.address else ''} after generation {row.used}, of "
            f"{row.newest}: two have keys of this machine, and both are denied"
        )
        _deny_all(connection, one.machine_id, "two have keys of this machine", now_ms)
        told = dialects.insert_or_ignore(
            connection.dialect.name, doubled_machines, ("machine_id", "found_at_ms")
        )
        item = {"machine_id": one.machine_id, "found_at_ms": now_ms}
        connection.execute(told.values({**item, "serial": one.serial, "said": said}))
        doubled.append(one.machine_id)
        rows.append(
            AuditRow(
                at_ms=now_ms,
                actor=OURS,
                action="MachineDoubled",
                machine_id=one.machine_id,
                detail=said,
            )
        )
    write_audit_rows(connection, rows)
    return doubled


def _use(connection: Connection, serial: str, now_ms: int) -> None:
    """Note that the machine uses it; when it did so first stays."""
    first = update(machine_certificates).where(_C.serial == serial, _C.used_at_ms.is_(None))
    connection.execute(first.values(used_at_ms=now_ms))


def _deny_all(connection: Connection, machine_id: str, why: str, now_ms: int) -> int:
    """Deny every certificate of the machine that is still good. It takes no room from what people
    deny: it goes when the certificates have ended.
    """
    good = select(_C.serial).where(
        _C.machine_id == machine_id, _C.not_after_ms > now_ms, ~_is_denied()
    )
    serials = connection.scalars(good).all()
    if serials:
        statement = dialects.insert_or_ignore(connection.dialect.name, denials, ("kind", "name"))
        row = {"kind": "CERTIFICATE", "denied_by": OURS, "denied_at_ms": now_ms}
        reason = f"{machine_id}: {why}"
        connection.execute(
            statement, [{**row, "name": serial, "reason": reason} for serial in serials]
        )
    return len(serials)


def _forget_ended(connection: Connection, machine_id: str, now_ms: int) -> None:
    """Forget denials of the machine's certificates that have ended: TLS refuses those."""
    ended = select(_C.serial).where(_C.machine_id == machine_id, _C.not_after_ms <= now_ms)
    gone = delete(denials).where(
        denials.c.kind == "CERTIFICATE", denials.c.denied_by == OURS, denials.c.name.in_(ended)
    )
    connection.execute(gone)


def _view(row: Row[tuple[object, ...]]) -> CertificateView:
    names = CertificateView.__dataclass_fields__
    return CertificateView(**{name: getattr(row, name) for name in names})
