"""Which certificates are denied, and as whose.

Flows in: a machine's certificates that are to be denied by themselves, not by a person. Flows out:
rows of ``denials``, each for that machine alone: a number is unique to its CA, and another CA, or
whoever made certificates by hand, may have given it to others, too.

A row is called by the number, which programs before schema 0032 go by; where that name is taken,
by the number and the machine.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, Exists, and_, delete, exists, or_, select

from storage.database import dialects
from storage.tables import denials, machine_certificates

OURS = "vendgate"
"""Who denies what no person did, in the list of denials."""
CERTIFICATE = "CERTIFICATE"
_C, _OF_MACHINES = denials.c, machine_certificates.c


def name_of(serial: str, machine_id: str) -> str:
    """Return what a denial is called whose number is taken by another one."""
    return f"{serial} {machine_id}"


def serial_of(name: str) -> str:
    """Return the number that a denial's name begins with."""
    return name.partition(" ")[0]


def of_number(serial: str) -> ColumnElement[bool]:
    """All denials of certificates with this number, a hexadecimal one."""
    return and_(_C.kind == CERTIFICATE, or_(_C.name == serial, _C.name.like(f"{serial} %")))


def is_denied() -> Exists:
    """Whether a row of ``machine_certificates`` is denied, as its machine's or as anybody's."""
    own = _OF_MACHINES.serial.concat(" ").concat(_OF_MACHINES.machine_id)
    as_its = and_(_C.name == _OF_MACHINES.serial, _C.machine_id.in_(("", _OF_MACHINES.machine_id)))
    return exists().where(_C.kind == CERTIFICATE, or_(as_its, _C.name == own))


def is_turned_away(connection: Connection, machine_id: str, serial: str) -> bool:
    """Return whether the machine, or this certificate of it, is denied."""
    of_certificate = and_(
        of_number(serial), _C.kind == CERTIFICATE, _C.machine_id.in_(("", machine_id))
    )
    of_machine = and_(_C.kind == "MACHINE", _C.name == machine_id)
    asked = select(_C.kind).where(or_(of_certificate, of_machine)).limit(1)
    return connection.scalar(asked) is not None


def deny(
    connection: Connection,
    machine_id: str,
    certificates: Iterable[tuple[str, int]],
    why: str,
    *,
    now_ms: int,
) -> None:
    """Deny certificates of a machine, each a number and when it ends. It takes no room from what
    people deny: it goes when the certificates have ended.
    """
    add = dialects.insert_or_ignore(connection.dialect.name, denials, ("kind", "name"))
    for serial, not_after_ms in certificates:
        of_machine = select(_C.name).where(of_number(serial), _C.machine_id == machine_id)
        if connection.scalar(of_machine) is not None:
            continue
        row = {
            "kind": CERTIFICATE,
            "name": serial,
            "denied_by": OURS,
            "denied_at_ms": now_ms,
            "reason": f"{machine_id}: {why}",
            "machine_id": machine_id,
            "not_after_ms": not_after_ms,
        }
        connection.execute(add, [row])
        taken = select(_C.machine_id).where(_C.kind == CERTIFICATE, _C.name == serial)
        if connection.scalar(taken) != machine_id:
            connection.execute(add, [{**row, "name": name_of(serial, machine_id)}])


def forget_ended(connection: Connection, machine_id: str, *, due_ms: int) -> None:
    """Forget denials of the machine's certificates that have ended: TLS refuses those. ``due_ms``:
    a time that is surely over, by whichever gateway's clock, because others would let them in.
    """
    ended = select(_OF_MACHINES.serial).where(
        _OF_MACHINES.machine_id == machine_id, _OF_MACHINES.not_after_ms <= due_ms
    )
    own = and_(_C.machine_id == machine_id, _C.not_after_ms <= due_ms)
    of_a_program_before = and_(_C.machine_id == "", _C.name.in_(ended))
    gone = delete(denials).where(
        _C.kind == CERTIFICATE, _C.denied_by == OURS, or_(own, of_a_program_before)
    )
    connection.execute(gone)
