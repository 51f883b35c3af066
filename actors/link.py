"""The port between a gateway and a host: plain values, in batches.

Gateway to host: ``exchange`` carries all that arrived while the last call was in flight; one call
at a time. Host to gateway: each ``Delivery`` has the next number, whether it comes back from
``exchange`` (answers) or from ``listen`` (everything else). A gateway hands deliveries on in the
order of their numbers. When a call fails, or a number does not come, the gateway ``attach``es again
(the host forgets what it had for the gateway), sends ``Connected`` for each of its streams and
repeats their unacknowledged frames. All of it is safe to repeat.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from actors.machine.command import CommandCancelled, CommandOrdered
from actors.machine.effects import MachineCommand
from actors.machine.events import (
    ConfigurationChanged,
    Connected,
    Disconnected,
    FrameReceived,
    GoodsCounted,
    GoodsMoved,
    PlanogramAcknowledged,
    RefundQueryAsked,
    RefundRetryAsked,
    RefundWrittenOff,
    StockCounted,
    VendRefundAsked,
    VendSettled,
)
from actors.machine.ids import MachineId, StreamId
from actors.machine.incident import IncidentClosed
from actors.ports import InboxItem


class FromMachine(Struct, frozen=True, kw_only=True):
    """Something came from, or happened to, a machine's stream."""

    machine_id: MachineId
    event: Connected | Disconnected | PlanogramAcknowledged | FrameReceived


class Notified(Struct, frozen=True, kw_only=True):
    """A notification was saved; this is a wake-up and may be lost."""

    item: InboxItem


class Reload(Struct, frozen=True, kw_only=True):
    """Have the host load the machine from the database again, whatever memory has: the way out of a
    halt, and safe on a machine that works.
    """


AdminEvent = (
    ConfigurationChanged
    | StockCounted
    | IncidentClosed
    | GoodsMoved
    | GoodsCounted
    | CommandOrdered
    | CommandCancelled
    | RefundRetryAsked
    | RefundQueryAsked
    | RefundWrittenOff
    | VendRefundAsked
    | VendSettled
)


class Commanded(Struct, frozen=True, kw_only=True):
    """An administrator's act that the actor must decide on. Answered by ``CommandDone`` with the
    same ``command_id`` once saved.

    A ``Reload`` is the host's own matter; it is answered once all that waited for the machine is
    decided and saved.
    """

    machine_id: MachineId
    command_id: str
    event: AdminEvent | Reload


ToHost = FromMachine | Notified | Commanded


class ToMachine(Struct, frozen=True, kw_only=True):
    """Commands for a stream, in order, and the acknowledgement of its frames. ``ack`` None
    acknowledges nothing (nothing was saved).
    """

    machine_id: MachineId
    stream_id: StreamId
    ack: int | None
    commands: tuple[MachineCommand, ...] = ()


class CloseReason:
    """Why a host ends a stream; the gateway maps each to a gRPC status."""

    SUPERSEDED = "SUPERSEDED"
    UNKNOWN_MACHINE = "UNKNOWN_MACHINE"
    OVERLOADED = "OVERLOADED"
    HALTED = "HALTED"
    RETIRED = "RETIRED"
    BOOT_SUPERSEDED = "BOOT_SUPERSEDED"
    TAKEOVERS = "TAKEOVERS"
    DISABLED = "DISABLED"


class StreamClosed(Struct, frozen=True, kw_only=True):
    """End this stream. ``reason`` is one of CloseReason."""

    machine_id: MachineId
    stream_id: StreamId
    reason: str


class CommandDone(Struct, frozen=True, kw_only=True):
    """The act was decided and saved (``refusal`` empty), or why not. ``notes`` are the decision's,
    or a halted machine's error.
    """

    command_id: str
    refusal: str = ""
    notes: tuple[str, ...] = ()


class PartitionsMoved(Struct, frozen=True, kw_only=True):
    """The host serves ``gained`` from now on, and ``left`` no more; neither: the layout has
    changed. A hint: the database says where they are.
    """

    gained: tuple[int, ...] = ()
    left: tuple[int, ...] = ()


MOVED = "MOVED"
"""The refusal of an act whose machine is not this host's, or not any more: nothing was done, unless
by a COMMIT that was not answered. It is told again at the new place, which each act is made for.
"""

FromHost = ToMachine | StreamClosed | CommandDone | PartitionsMoved


class Delivery(Struct, frozen=True, kw_only=True):
    """The ``number``-th batch for a gateway since it attached, counted from 1. Number 0 with
    nothing in it is an idle answer.
    """

    number: int
    messages: tuple[FromHost, ...]


class Figure(Struct, frozen=True, kw_only=True, array_like=True):
    """One of a host's figures, as Prometheus has it: a family of series. ``kind`` is its type
    there; a sample is a name, labels and a value.
    """

    name: str
    text: str
    kind: str
    samples: tuple[tuple[str, dict[str, str], float], ...]


class LinkBroken(Exception):
    """The call did not come back, or the host does not know this attachment: attach again. What was
    sent may or may not have arrived.
    """


class HostLink(Protocol):
    """A gateway's way to one host. Every method raises LinkBroken."""

    async def attach(self, gateway_id: str) -> str:
        """Open the link and return the attachment's name, to be given with each call."""
        ...

    async def exchange(self, attachment: str, messages: Sequence[ToHost]) -> Delivery:
        """Give the host a batch; return once all of it was decided and saved (or refused), with
        what is ready for this gateway.
        """
        ...

    async def listen(self, attachment: str) -> Delivery:
        """Return what is ready for this gateway as soon as there is something, or an idle answer
        after some seconds.
        """
        ...

    async def figures(self) -> Sequence[Figure]:
        """Return what the host counted and timed since it was started; whoever asks."""
        ...
