"""What the pure machine wants done (orders) and what a customer at its front can see happening
(happenings).

Flows out of ``machine``; ``client`` carries it out first in, first out: what follows from carrying
out one order goes behind those that wait. Amounts are integers in minor units, times are
milliseconds.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.simulator.memory import Line
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

# --- what a customer sees ---


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
class Asked:
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
    | Asked
    | PaymentAsked
    | Denied
    | VendStarted
    | VendEnded
    | SessionBegan
    | FundsChanged
    | SessionEnded
    | Greeted
    | Scolded
    | PowerLost
)


# --- what the machine wants done ---


@dataclass(frozen=True, slots=True)
class Send:
    """Write the frame to the stream that is up now. If that goes first, the frame is lost with it
    and sent again from the outbox.
    """

    frame: service_pb.ConnectRequest


@dataclass(frozen=True, slots=True)
class Write:
    """Put the line on flash, wait until it is really there, then tell ``Machine.written``."""

    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnMotor:
    """Turn the motor of the column once, then tell ``Machine.motor_stopped``."""

    vend_id: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """Open a new stream and, once it is welcome, close this one."""


@dataclass(frozen=True, slots=True)
class Redial:
    """Hang up and dial again: the stream is dead, although nobody said so."""

    reason: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart the firmware: this boot's numbering is beyond repair, a new boot begins at 1."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Let the people in front of the machine see it."""

    happening: Happening


Order = Send | Write | TurnMotor | Reopen | Redial | Restart | Tell
