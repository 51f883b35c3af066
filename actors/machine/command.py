"""What a command is: something that a person orders of a machine, from when it was ordered until
the machine, or its deadline, ended it; and the facts that are told of it. Pure values.

What leaves for a machine is an effect (``effects.SendCommand``); what becomes of it is decided in
``ordering``.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from actors.machine.ids import BootId

COMMANDS_MAX = 4
"""So many may be open at a machine at once; one more is refused. Of those that lock or unlock there
may be as many beside them, and of one more the oldest makes room: a lock never waits for a machine.
"""
ENDED_COMMANDS_KEPT = 8
"""The last ones that ended, for answers that come again or late."""
LOCKS_MAX = 128
"""So many columns may be locked by commands: as many as a machine has."""


class CommandKind(StrEnum):
    """What is ordered."""

    REBOOT = "REBOOT"
    TEST_VEND = "TEST_VEND"
    REPORT = "REPORT"
    SHOW_IDENTITY = "SHOW_IDENTITY"
    LOCK_COLUMN = "LOCK_COLUMN"
    UNLOCK_COLUMN = "UNLOCK_COLUMN"


OF_A_COLUMN = frozenset({CommandKind.TEST_VEND, CommandKind.LOCK_COLUMN, CommandKind.UNLOCK_COLUMN})
LOCKING = frozenset({CommandKind.LOCK_COLUMN, CommandKind.UNLOCK_COLUMN})


class CommandStatus(StrEnum):
    """QUEUED: not sent. SENT: the machine has not answered. The others are its end: the machine
    did it, or said that it will not; nobody said anything in time, which its answer still changes;
    it was taken back before it was sent.
    """

    QUEUED = "QUEUED"
    SENT = "SENT"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


OPEN = frozenset({CommandStatus.QUEUED, CommandStatus.SENT})


class CommandWait(StrEnum):
    """What a command waits for. NOTHING: it has ended. STREAM: its machine is offline. FIRMWARE:
    another one, which knows commands. SESSION: a customer is there, or a vend is in doubt.
    TEST_VEND: another one is out. HOST: the machine's host has not sent it. ANSWER: it was sent.
    """

    NOTHING = "NOTHING"
    STREAM = "STREAM"
    FIRMWARE = "FIRMWARE"
    SESSION = "SESSION"
    TEST_VEND = "TEST_VEND"
    HOST = "HOST"
    ANSWER = "ANSWER"


class CommandOutcome(StrEnum):
    """What a machine says of a command: the wire's ``CommandOutcome``. UNKNOWN: nothing that we can
    read.
    """

    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class MachineReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a machine says that it is; None or empty: it does not know."""

    uptime_s: int | None = None
    firmware: str = ""
    free_flash_bytes: int | None = None
    signal_dbm: int | None = None
    temperature_c: int | None = None
    door_open: bool | None = None


class Command(Struct, frozen=True, kw_only=True, array_like=True):
    """One command. ``expires_at_ms``: until when it may be sent; ``deadline_at_ms``: when it ends
    without an answer, which of a test vend that was sent is as long after that as of a vend.
    """

    command_id: str
    kind: CommandKind
    column: str
    show_for_ms: int
    status: CommandStatus
    ordered_by: str
    ordered_at_ms: int
    expires_at_ms: int
    deadline_at_ms: int
    version: int
    """Of the state that it made when it was ordered; once it ended, when it did."""
    product: str = ""
    """Of a test vend: what was in the column when it was sent, or ordered if it was not."""
    sent_at_ms: int | None = None
    sent_in: BootId = BootId("")
    """The boot in which it was sent first."""
    told: bool = False
    """It was sent on the present stream."""
    superseded: bool = False
    """A later one locks or unlocks the same column, or the machine to which it was sent may be
    another device by now: it is sent no more.
    """
    ended_at_ms: int | None = None
    detail: str = ""
    evidence: str = ""
    """Of a test vend: what the sensors saw, in the words of ``evidence``."""
    dropped: bool = False
    """Of a test vend: an item fell."""
    report: MachineReport | None = None
    counted: bool = False
    """Of a test vend that expired: its column was counted since."""


def under_test(commands: Iterable[Command]) -> bool:
    """Tell whether a test vend is out, so that a motor may be turning for nobody."""
    for one in commands:
        if one.kind is CommandKind.TEST_VEND and one.status is CommandStatus.SENT:
            return True
    return False


# --- facts ---


class CommandAnswered(Struct, frozen=True, kw_only=True):
    """The machine says what became of a command. ``evidence``: of a test vend, in words;
    ``report``: of a report.
    """

    command_id: str
    outcome: CommandOutcome
    detail: str = ""
    evidence: str = ""
    report: MachineReport | None = None


class CommandOrdered(Struct, frozen=True, kw_only=True):
    """Somebody orders something of the machine. ``version`` is that of the state that SQL held when
    it was read there that nothing of this id had been ordered.
    """

    command_id: str
    kind: CommandKind
    version: int
    ordered_at_ms: int
    expires_at_ms: int
    column: str = ""
    show_for_ms: int = 0
    actor: str = ""


class CommandCancelled(Struct, frozen=True, kw_only=True):
    """Somebody takes a command back that was not sent yet."""

    command_id: str
    actor: str = ""
