"""A stream without gRPC, for tests of the links."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from actors.machine.effects import MachineCommand
from actors.machine.events import Connected, FrameReceived, ReaderEnabled
from actors.machine.ids import BootId, MachineId, StreamId


@dataclass
class FakeStream:
    """Remembers what it was told."""

    machine_id: MachineId
    stream_id: StreamId
    connected: Connected | None
    window: list[FrameReceived] = field(default_factory=list)
    pending: int = 1
    acks: list[int | None] = field(default_factory=list)
    commands: list[MachineCommand] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    broken: bool = False

    def unacked(self) -> Sequence[FrameReceived]:
        """Return what was not acknowledged."""
        return self.window

    def repeated(self, count: int) -> None:
        """Wait for so many answers."""
        self.pending = count

    def answered(self) -> None:
        """Wait for one answer less."""
        self.pending -= 1

    def deliver(self, ack: int | None, commands: Sequence[MachineCommand]) -> None:
        """Take what the host says."""
        if self.broken:
            raise RuntimeError("as scripted")
        self.acks.append(ack)
        self.commands.extend(commands)
        self.window = [frame for frame in self.window if ack is None or frame.seq > ack]

    def close(self, reason: str) -> None:
        """Be ended."""
        self.closed.append(reason)

    def frame(self, seq: int) -> FrameReceived:
        """A frame of this stream, kept until it is acknowledged."""
        frame = FrameReceived(stream_id=self.stream_id, seq=seq, fact=ReaderEnabled())
        self.window.append(frame)
        self.pending += 1
        return frame


def a_stream(machine_id: str = "m1", number: int = 1) -> FakeStream:
    """A stream that said Hello."""
    stream_id = StreamId(f"g1-{number}")
    connected = Connected(stream_id=stream_id, opened_at_ms=number, boot_id=BootId("b1"))
    return FakeStream(machine_id=MachineId(machine_id), stream_id=stream_id, connected=connected)
