"""What the streams, the links and their callers agree on: the stream as a link sees it, the bounds,
the figures, the one error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from actors.machine.effects import MachineCommand
from actors.machine.events import Connected, FrameReceived
from actors.machine.ids import MachineId, StreamId


class LinkedStream(Protocol):
    """What the links need of a stream."""

    stream_id: StreamId
    machine_id: MachineId
    connected: Connected | None

    def unacked(self) -> Sequence[FrameReceived]:
        """Return the frames that the host has not acknowledged, in order."""
        ...

    def repeated(self, count: int) -> None:
        """So many messages of the stream were queued anew; nothing else waits for its answer."""
        ...

    def answered(self) -> None:
        """The host is done with one message of the stream."""
        ...

    def deliver(self, ack: int | None, commands: Sequence[MachineCommand]) -> None:
        """Commands and an acknowledgement for the machine."""
        ...

    def close(self, reason: str) -> None:
        """End the stream for one of ``CloseReason``."""
        ...


class HostUnavailable(Exception):
    """A command got no answer. ``sent`` tells whether it may have been carried out all the same:
    look before asking again.
    """

    def __init__(self, detail: str, *, sent: bool) -> None:
        outcome = (
            "its outcome is unknown: look at the machine before asking again"
            if sent
            else "nothing was sent: ask again later"
        )
        super().__init__(f"{detail}; {outcome}")
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """The bounds of the way to one host."""

    queue_max: int = 4_096
    """So many messages wait for the next exchange; then streams pause and commands are refused."""
    batch_max: int = 1_024
    attach_timeout_s: float = 10.0
    exchange_timeout_s: float = 30.0
    listen_timeout_s: float = 60.0
    gap_timeout_s: float = 5.0
    """How long a delivery waits for the one before it."""
    backoff_initial_s: float = 0.05
    backoff_max_s: float = 5.0
    stop_timeout_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStats:
    """What the way to one host looks like; the counts are since the start of the gateway."""

    host: int
    attached: bool
    streams: int
    queued: int
    commands_waiting: int
    exchanges: int
    messages: int
    attachments: int
    notifications_dropped: int
    undeliverable: int
