"""What a client's certificate says about whoever shows it.

Flows in: a call's authentication context, whose certificate TLS has verified. Flows out: the name,
the units, the serial number and for how long it counts. Which roles that gives is not decided here.
"""

import datetime as dt
import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

SERIAL_LENGTH_MAX = 40
"""Twenty bytes, as hexadecimal digits (RFC 5280, 4.1.2.2)."""
_UNREADABLE: tuple[str, tuple[str, ...], None, None] = ("", (), None, None)
_OF_A_MACHINE = re.compile(r"spiffe://[^/]*/machine(/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """``name``: its first URI, else its common name, else its fingerprint; ``serial`` is
    hexadecimal, in lower case. ``of_machine``: it names a machine.
    """

    name: str
    units: tuple[str, ...] = ()
    serial: str = ""
    not_before_ms: int | None = None
    not_after_ms: int | None = None
    of_machine: bool = False


def peer_of(auth_context: Mapping[str, Iterable[bytes]]) -> Peer | None:
    """Return what the certificate says; None on a connection without one."""
    uris = [uri.decode("utf-8", "replace") for uri in auth_context.get("peer_uri", ()) if uri]
    names = [one.decode("utf-8", "replace") for one in auth_context.get("x509_common_name", ())]
    pems = list(auth_context.get("x509_pem_cert", ()))
    named = next((name for name in (*uris, *names) if name), "")
    if not named and not pems:
        return None
    serial, units, not_before_ms, not_after_ms = _content(pems[0]) if pems else _UNREADABLE
    return Peer(
        name=named or f"sha256:{hashlib.sha256(pems[0]).hexdigest()[:32]}",
        units=units,
        serial=serial,
        not_before_ms=not_before_ms,
        not_after_ms=not_after_ms,
        of_machine=any(_OF_A_MACHINE.match(uri) for uri in uris),
    )


def serial_of(auth_context: Mapping[str, Iterable[bytes]]) -> str:
    """Return the serial number of the certificate; empty without one."""
    peer = peer_of(auth_context)
    return "" if peer is None else peer.serial


@functools.lru_cache(maxsize=1_024)
def _content(pem: bytes) -> tuple[str, tuple[str, ...], int | None, int | None]:
    """Return serial number, units, beginning and end, as far as they can be read. A connection has
    one certificate for all its calls.
    """
    try:
        read = x509.load_pem_x509_certificate(pem)
        serial = read.serial_number
        units = tuple(
            unit.value
            for unit in read.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
            if isinstance(unit.value, str)
        )
    except ValueError:  # TLS reads less strictly; its name counts, and it can be denied by that
        return _UNREADABLE
    return _number(serial), units, _ms(read.not_valid_before_utc), _ms(read.not_valid_after_utc)


def _number(serial: int) -> str:
    """Return a serial number as it is kept, which has room for as many digits as a CA may use. TLS
    takes longer ones, and negative ones: of those a digest tells them apart.
    """
    digits = f"{serial:x}"
    if serial >= 0 and len(digits) <= SERIAL_LENGTH_MAX:
        return digits
    return hashlib.sha256(digits.encode()).hexdigest()[:SERIAL_LENGTH_MAX]


def _ms(at: dt.datetime) -> int:
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
