"""What a customer at a machine's front can see happening, and how it reads in one line. Pure.

Flows out of ``machine``, by the command ``Tell``, to everybody who watches. Amounts are integers in
minor units, times are milliseconds.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.v1 import machine_pb2 as pb


class NotNow(StrEnum):
    """Why a button does nothing just now; the machine says so on its screen and asks nobody."""

    NO_POWER = "NO_POWER"
    OFFLINE = "OFFLINE"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    DOOR_OPEN = "DOOR_OPEN"
    BUSY = "BUSY"
    PAY_FIRST = "PAY_FIRST"
    NO_SUCH_COLUMN = "NO_SUCH_COLUMN"
    COLUMN_BLOCKED = "COLUMN_BLOCKED"
    TOO_MUCH_UNSAID = "TOO_MUCH_UNSAID"
    NO_SESSION = "NO_SESSION"
    NO_REQUEST = "NO_REQUEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """A button did nothing."""

    reason: NotNow
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendAsked:
    """The choice went to the backend."""

    request_id: str
    column: str
    price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAsked:
    """The screen asks for money for the choice."""

    request_id: str
    qr_payload: str
    amount_minor: int
    expires_in_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The choice was denied; also when the machine itself gave up waiting (reason UNSPECIFIED)."""

    request_id: str
    reason: pb.VendDeniedReason.ValueType
    funds_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VendStarted:
    """The approval was taken; the motor is next."""

    vend_id: str
    request_id: str
    column: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VendEnded:
    """The result is in the journal. ``cause`` is UNSPECIFIED if delivered."""

    vend_id: str
    request_id: str
    column: str
    delivered: bool
    cause: pb.VendFailureCause.ValueType


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBegan:
    """A customer has funds. ``expires_in_ms`` is None when a session is taken up again after a lost
    stream.
    """

    session_id: str
    funds_minor: int
    expires_in_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsChanged:
    """The funds of the session are other now."""

    session_id: str
    funds_minor: int
    expires_in_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """The stay is over. ``refund_minor`` is None if it ended while the machine was away, so that
    nobody told.
    """

    session_id: str
    reason: pb.EndSessionReason.ValueType
    refund_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityShown:
    """Somebody wants to know which machine this is."""

    for_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted:
    """A stream is up: Welcome came."""

    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scolded:
    """The backend refused a frame."""

    code: pb.ProtocolErrorCode.ValueType
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLost:
    """Dark."""


Happening = (
    TurnedAway
    | VendAsked
    | PaymentAsked
    | Denied
    | VendStarted
    | VendEnded
    | SessionBegan
    | FundsChanged
    | SessionEnded
    | IdentityShown
    | Greeted
    | Scolded
    | PowerLost
)


_ENUM_NAMES: dict[tuple[type, str], Callable[[Any], str]] = {
    (Denied, "reason"): pb.VendDeniedReason.Name,
    (VendEnded, "cause"): pb.VendFailureCause.Name,
    (SessionEnded, "reason"): pb.EndSessionReason.Name,
    (Scolded, "code"): pb.ProtocolErrorCode.Name,
}


def one_line(happening: Happening) -> str:
    """Return a happening as one line of text: its name and its fields."""
    words = [type(happening).__name__]
    for field in dataclasses.fields(happening):
        value = getattr(happening, field.name)
        name = _ENUM_NAMES.get((type(happening), field.name))
        words.append(f"{field.name}={name(value) if name else value}")
    return " ".join(words)
