"""What a link needs of a machine's stream, and what it tells of itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard

from actors.link import CloseReason, FromMachine, ToHost
from actors.machine.effects import MachineCommand
from actors.machine.events import Connected, Disconnected, FrameReceived
from actors.machine.ids import MachineId, StreamId

KNOWN_TO_THE_HOST = {
    CloseReason.SUPERSEDED,
    CloseReason.BOOT_SUPERSEDED,
    CloseReason.TAKEOVERS,
    CloseReason.UNKNOWN_MACHINE,
    CloseReason.RETIRED,
    CloseReason.DISABLED,
}
"""Why a host itself ended the stream's turn; it need not hear of the end."""


class LinkedStream(Protocol):
    """What a link needs of a machine's stream: ``gateway.machines.stream.Stream``, which stands
    above the links and may not be imported here.
    """

    stream_id: StreamId
    machine_id: MachineId
    connected: Connected | None

    def unacked(self) -> Sequence[FrameReceived]:
        """Return the frames that the host has not acknowledged, in order."""
        ...

    def repeated(self, count: int) -> None:
        """Exactly ``count`` messages of the stream wait for their answers: they were sent again."""
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
    broken: str = ""
    """Why there is no attachment; empty if there is one, or was none yet."""


def is_disconnected(message: ToHost) -> TypeGuard[FromMachine]:
    """Return whether it says that a stream has ended."""
    return isinstance(message, FromMachine) and isinstance(message.event, Disconnected)


def by_machine(messages: Iterable[ToHost]) -> dict[MachineId, list[ToHost]]:
    """Return what is said of machines' streams, for each machine in its order."""
    found: dict[MachineId, list[ToHost]] = {}
    for message in messages:
        if isinstance(message, FromMachine):
            found.setdefault(message.machine_id, []).append(message)
    return found
