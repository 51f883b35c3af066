"""The certificates that machines have, in the order of their generations, and what is found when
one is used that should not be any more.

Flows in: a certificate that was issued, or the serial numbers of those that machines came with.
Flows out: what is kept, or the machines of which there are two. A machine uses the generation that
it used last, or the newest that it was given; who comes with any other has a copy. Once it is
enrolled, what a person made for it before is turned away.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from storage.books.audit_rows import AuditRow, write_audit_rows
from storage.database import dialects
from storage.database.engine import Database
from storage.fleet.answers import KeepingClock
from storage.office.certificate_denials import (
    OURS,
    deny,
    forget_ended,
    is_denied,
    is_turned_away,
)
from storage.tables import doubled_machines, machine_certificates, machines

LIVE_MAX = 16
"""So many certificates of one machine may be good at the same time; two or three are usual."""
LATE_MS = 2_000
"""Who came longer ago than this waited for SQL, and others may have been heard before them."""
ENROLLED_MAX = 100
"""So many of one machine that have not ended are kept at most when it is enrolled: each enrolment
leaves one that is denied, which every gateway must know until it ends.
"""
BACKDATED_MS = 3_600_000
"""A certificate counts from so long before it was made, for clocks that are behind."""
_C = machine_certificates.c


class NotInFleet(Exception):
    """The machine is not registered, or was retired."""


class Denied(Exception):
    """The machine, or the certificate that it shows, is turned away."""


class TooMany(Exception):
    """The machine has as many certificates as it may: it asked again and again with new keys."""


class TooOften(Exception):
    """The machine was enrolled again and again: nobody's gateways need know all that came of it."""


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
    enrolled_at_ms: int | None = None
    """When its machine was enrolled; the next certificate takes it over."""


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
    long before somebody can ask about it. The certificate counts between the two others; None:
    that cannot be read.
    """

    machine_id: str
    serial: str
    at_ms: int
    address: str = ""
    not_before_ms: int | None = None
    not_after_ms: int | None = None


class Certificates:
    """The machines' certificates of an installation. Which of them have ended goes by ``keeping``,
    not by one gateway's clock: what that forgot, or did not deny, would be good at all others.
    Without one nobody is sure, and none has. Raises StoreError when the database does not answer.
    """

    def __init__(self, db: Database, keeping: KeepingClock | None = None) -> None:
        self._db, self._keeping = db, keeping

    async def answered(
        self, machine_id: str, request_sha256: str, *, shown: str
    ) -> Certificate | None:
        """Return what was issued for this very request of a machine that shows the certificate
        ``shown``, by its serial, if it was. Who shows the answer has heard it, and asks anew.
        """
        return await self._db.read(
            lambda connection: _answered(connection, machine_id, request_sha256, shown)
        )

    async def renew(
        self, certificate: Certificate, present: Certificate, *, now_ms: int
    ) -> Certificate:
        """Keep a certificate that renews ``present``, and return it, or what was kept for the same
        request before. A present one that nobody kept, because a person issued it, is kept too.
        Raises Denied, TooMany or NotInFleet.
        """
        due_ms = await due_by(self._keeping)
        return await self._db.write(
            lambda connection: _renew(connection, certificate, present, now_ms, due_ms)
        )

    async def came(self, several: Collection[Came], *, now_ms: int) -> list[str]:
        """Note with which certificates machines came; return the machines of which something was
        denied for it: all that one has of which there are two, by the generations, or what is
        older than an enrolment and was made by hand. Usually it only reads.
        """
        new, older = await self._db.read(
            lambda connection: (
                [one for one, _ in _judged(connection, several, now_ms)],
                list(_older(connection, several)),
            )
        )
        if not new and not older:
            return []
        due_ms = await due_by(self._keeping)

        # Two gateways that ask about the same machines lock them in the same order.
        def work(connection: Connection) -> list[str]:
            denied = _deny_older(connection, sorted(older, key=_order), now_ms)
            return denied + _came(connection, sorted(new, key=_order), now_ms, due_ms)

        return await self._db.write(work)

    async def of(self, machine_id: str) -> list[CertificateView]:
        """Return a machine's certificates, the newest first; a few at most."""
        asked = (
            select(machine_certificates, is_denied().label("denied"))
            .where(_C.machine_id == machine_id)
            .order_by(_C.generation.desc())
        )
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(asked)]
        )


async def due_by(keeping: KeepingClock | None) -> int | None:
    """Return a time that is surely over; None: nobody is sure. Raises StoreError."""
    return None if keeping is None else await keeping.now_ms()


def _order(one: Came) -> tuple[str, int]:
    return one.machine_id, one.at_ms


def _older(connection: Connection, several: Collection[Came]) -> Iterator[Came]:
    """Yield those that nobody here issued, to machines that were enrolled after they were made. One
    that is newer a person made knowingly; or the database was restored, and has forgotten it.
    """
    named = {one.machine_id for one in several if one.not_before_ms is not None}
    if not named:
        return
    asked = (
        select(_C.machine_id, func.max(_C.enrolled_at_ms))
        .where(_C.machine_id.in_(named), _C.enrolled_at_ms.is_not(None))
        .group_by(_C.machine_id)
    )
    since = {row[0]: row[1] for row in connection.execute(asked)}
    before = [
        one
        for one in several
        if one.not_before_ms is not None
        and one.not_before_ms + BACKDATED_MS < since.get(one.machine_id, 0)
    ]
    if not before:
        return
    theirs = select(_C.machine_id, _C.serial).where(
        _C.machine_id.in_({one.machine_id for one in before})
    )
    ours = {(row.machine_id, row.serial) for row in connection.execute(theirs)}
    for one in before:
        if (one.machine_id, one.serial) not in ours:
            yield one


def _deny_older(connection: Connection, several: Sequence[Came], now_ms: int) -> list[str]:
    """Keep and deny them, each with a generation below all others, so that it is forgotten when it
    has ended.
    """
    denied: list[str] = []
    rows: list[AuditRow] = []
    for one in several:
        _lock(connection, one.machine_id)
        if not list(_older(connection, [one])) or is_turned_away(
            connection, one.machine_id, one.serial
        ):
            continue  # another gateway was first
        oldest = select(func.min(_C.generation)).where(_C.machine_id == one.machine_id)
        row = {
            "serial": one.serial,
            "machine_id": one.machine_id,
            "generation": min(connection.scalar(oldest) or 0, 1) - 1,
            "request_sha256": f"by hand {one.serial}",
            "chain": "",
            "issued_at_ms": one.not_before_ms,
            "not_after_ms": one.not_after_ms or now_ms,
            "used_at_ms": None,
            "enrolled_at_ms": None,
        }
        keep = dialects.insert_or_ignore(connection.dialect.name, machine_certificates, ("serial",))
        connection.execute(keep, [row])
        why = "made by hand before the machine was enrolled"
        ends_ms = one.not_after_ms or now_ms
        deny(connection, one.machine_id, [(one.serial, ends_ms)], why, now_ms=now_ms)
        denied.append(one.machine_id)
        said = f"certificate {one.serial} was used{_from(one)}: it was {why}, and is denied"
        rows.append(
            AuditRow(
                at_ms=now_ms,
                actor=OURS,
                action="OldCertificateDenied",
                machine_id=one.machine_id,
                detail=said,
            )
        )
    write_audit_rows(connection, rows)
    return denied


def _from(one: Came) -> str:
    return f" from {one.address}" if one.address else ""


def _answered(
    connection: Connection, machine_id: str, request_sha256: str, shown: str
) -> Certificate | None:
    """Return what the machine was given for this request since it was given what it shows. A key
    that stays may make the same request each time: what is older answered another one.
    """
    others = machine_certificates.alias("others")
    since = select(others.c.generation).where(
        others.c.machine_id == machine_id, others.c.serial == shown
    )
    given = (
        select(machine_certificates)
        .where(_C.machine_id == machine_id, _C.request_sha256 == request_sha256)
        .where(_C.generation > func.coalesce(since.scalar_subquery(), 0), ~is_denied())
        .order_by(_C.generation.desc())
        .limit(1)
    )
    row = connection.execute(given).one_or_none()
    return None if row is None else Certificate(**row._mapping)  # noqa: SLF001 - SQLAlchemy's own name for a row as a mapping


def add(connection: Connection, certificate: Certificate, *, due_ms: int | None) -> Certificate:
    """Keep the machine's next certificate and return it with its generation; forget those that
    have surely ended. One that has ended as this begins counts no more, though nobody is sure
    that it has: months may pass until somebody is. Raises TooMany, TooOften or NotInFleet.
    """
    known = select(machines.c.machine_id).where(
        machines.c.machine_id == certificate.machine_id, machines.c.retired_at_ms.is_(None)
    )
    if connection.scalar(known) is None:
        raise NotInFleet
    of_machine = _C.machine_id == certificate.machine_id
    newest: int = connection.scalar(select(func.max(_C.generation)).where(of_machine)) or 0
    if due_ms is not None:
        # Their denials first: without the certificate nobody knows when one has ended.
        forget_ended(connection, certificate.machine_id, due_ms=due_ms)
        over = and_(of_machine, _C.not_after_ms <= due_ms, _C.generation < newest)
        connection.execute(delete(machine_certificates).where(over))
    good = and_(of_machine, _C.not_after_ms > certificate.issued_at_ms)
    there = select(func.count()).select_from(machine_certificates).where(good)
    if (connection.scalar(there.where(~is_denied())) or 0) >= LIVE_MAX:
        raise TooMany
    if certificate.enrolled_at_ms is not None and (connection.scalar(there) or 0) >= ENROLLED_MAX:
        raise TooOften
    since: int | None = connection.scalar(select(func.max(_C.enrolled_at_ms)).where(of_machine))
    made = replace(
        certificate,
        generation=newest + 1,
        enrolled_at_ms=certificate.enrolled_at_ms or since,
    )
    row = {column.key: getattr(made, column.key) for column in machine_certificates.c}
    connection.execute(insert(machine_certificates), [row])
    return made


def end_older(connection: Connection, machine_id: str, *, now_ms: int, due_ms: int | None) -> int:
    """Deny what the machine has, because it is about to be given a new beginning; return how many
    that are. A renewal that is under way is waited for, and denied as well.
    """
    _lock(connection, machine_id)
    return _deny_all(connection, machine_id, "the machine was enrolled anew", now_ms, due_ms)


def _renew(
    connection: Connection,
    certificate: Certificate,
    present: Certificate,
    now_ms: int,
    due_ms: int | None,
) -> Certificate:
    _lock(connection, certificate.machine_id)
    # A gateway hears of a denial seconds after it was saved; a renewal would outlive it.
    if is_turned_away(connection, present.machine_id, present.serial):
        raise Denied
    before = _answered(
        connection, certificate.machine_id, certificate.request_sha256, present.serial
    )
    if before is not None:
        return before
    whose = connection.scalar(select(_C.machine_id).where(_C.serial == present.serial))
    if whose is None:
        add(connection, replace(present, used_at_ms=now_ms), due_ms=due_ms)
    elif whose == present.machine_id:
        _use(connection, present.serial, now_ms)
    # Else another CA gave another machine the same number: that row stays what it is.
    return add(connection, certificate, due_ms=due_ms)


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
        ~is_denied(),
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


def _came(
    connection: Connection, several: Sequence[Came], now_ms: int, due_ms: int | None
) -> list[str]:
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
            f"{_from(one)} after generation {row.used}, of "
            f"{row.newest}: two have keys of this machine, and both are denied"
        )
        _deny_all(connection, one.machine_id, "two have keys of this machine", now_ms, due_ms)
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


def _deny_all(
    connection: Connection, machine_id: str, why: str, now_ms: int, due_ms: int | None
) -> int:
    """Deny every certificate of the machine that may still be good; return how many those are."""
    asked = select(_C.serial, _C.not_after_ms).where(
        _C.machine_id == machine_id, _C.not_after_ms > (due_ms or 0), ~is_denied()
    )
    good = [(row.serial, row.not_after_ms) for row in connection.execute(asked)]
    deny(connection, machine_id, good, why, now_ms=now_ms)
    return len(good)


def _view(row: Row[tuple[object, ...]]) -> CertificateView:
    names = CertificateView.__dataclass_fields__
    return CertificateView(**{name: getattr(row, name) for name in names})
