"""What the pure machine wants done.

Flows out of ``machine``; ``board`` carries it out first in, first out: what follows from carrying
out one command goes behind those that wait.
"""

from dataclasses import dataclass

from gateway.simulator.happenings import Happening
from gateway.simulator.memory import JournalLine
from gateway.v1 import machine_service_pb2 as service_pb


@dataclass(frozen=True, slots=True)
class Send:
    """Write the frame to the stream that is up now. If that goes first, the frame is lost with it
    and sent again from the outbox.
    """

    frame: service_pb.ConnectRequest


@dataclass(frozen=True, slots=True)
class Write:
    """Put the line on flash, wait until it is really there, then tell ``Machine.written``."""

    line: JournalLine


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


Command = Send | Write | TurnMotor | Reopen | Redial | Restart | Tell
