"""Names of things, and how ours are made.

Flows in: what the machine, Alipay or a saved counter supplies. Flows out: ids that are known before
they are first used, so that doing a thing twice under one id is doing it once. Nothing here is
random.

A counter alone names nothing for ever: a database that is restored from a backup counts again from
there, and machines, logs and exports remember what it counted before. So sessions and vends carry
a mark besides.
"""

import hashlib
from typing import NewType

MachineId = NewType("MachineId", str)
BootId = NewType("BootId", str)
StreamId = NewType("StreamId", str)
SessionId = NewType("SessionId", str)
RequestId = NewType("RequestId", str)
VendId = NewType("VendId", str)
TradeId = NewType("TradeId", str)
RefundId = NewType("RefundId", str)
Currency = NewType("Currency", str)

MACHINE_ID_PATTERN = "[A-Za-z0-9_-]{1,32}"
"""What a machine may be called, in the registry, in its Hello, in its certificate. It stands in the
ids of sessions and vends, and is Alipay's ``store_id`` where that may be so (``store_id_of``).
"""
MACHINE_ID_WORDS = "1 to 32 letters, digits, '_' or '-'"

REFUND_ID_LENGTH_MAX = 64
"""alipay.acquire.overseas.spot.refund: ``partner_refund_id`` is String(64)."""


MARK_BYTES = 4

STORE_DIGITS_MIN = 10
_MACHINE_ID_LENGTH_MAX = 32


def store_id_of(machine_id: MachineId) -> str:
    """Return the id of the store at Alipay that a machine is given when it is registered: letters,
    digits and underscores, at most 64 characters (docs/alipay.md 4.1); empty if its own id will do.

    A dash becomes an underscore, and a digest of the machine's id follows, since "VM-1" and "VM_1"
    are two machines. It is always longer than a machine's id may be, so it is no other one's own.
    """
    if "-" not in machine_id:
        return ""
    named = machine_id.replace("-", "_")
    digits = max(STORE_DIGITS_MIN, _MACHINE_ID_LENGTH_MAX - len(named))
    return f"{named}_{hashlib.sha256(machine_id.encode()).hexdigest()[:digits]}"


def mark_of(token: str, cause: str) -> str:
    """Return what a restored database does not give out again: 8 hexadecimal digits, or nothing if
    there is no ``token``.

    ``token`` is what the machine's last stream was told in its Welcome, new with each stream.
    ``cause`` is the machine's request or Alipay's trade that makes the thing: of streams that
    outlive the restore the token stays the same, and the cause does not. It is a digest, so that an
    id shows nobody the token.
    """
    if not token:
        return ""
    return hashlib.blake2b(f"{token}/{cause}".encode(), digest_size=MARK_BYTES).hexdigest()


def session_id(machine_id: MachineId, number: int, mark: str = "") -> SessionId:
    """Return the id of the machine's ``number``-th session."""
    return SessionId(_marked(f"{machine_id}-s{number}", mark))


def vend_id(machine_id: MachineId, number: int, mark: str = "") -> VendId:
    """Return the id of the machine's ``number``-th vend."""
    return VendId(_marked(f"{machine_id}-v{number}", mark))


def _marked(counted: str, mark: str) -> str:
    return f"{counted}-{mark}" if mark else counted


def refund_id(trade_id: TradeId, number: int, amount_minor: int) -> RefundId:
    """Return the id of the trade's ``number``-th refund, of this amount, at most 64 characters.

    It derives from Alipay's trade number, not from the machine, so that two databases under one
    partner id can never use the same refund id for different money. A restored database counts
    again from its backup: the same refund has its id again, and is done once; one of another amount
    has another id, for under the old one Alipay would refuse it for ever.
    """
    tail = f"R{number}_{amount_minor}"
    if len(trade_id) + len(tail) <= REFUND_ID_LENGTH_MAX:
        return RefundId(trade_id + tail)
    return RefundId(hashlib.sha256(trade_id.encode()).hexdigest()[:40] + tail)
