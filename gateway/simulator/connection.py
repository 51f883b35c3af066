"""A machine's talk with the backend over one boot, whatever streams carry it: which frames are
numbered, acknowledged and sent again, and when the next one is due. Pure.

Flows in: frames to say, what the backend acknowledges and refuses, the time (monotonic
milliseconds). Flows out: commands. What the frames mean is the business of ``machine``.
"""

from collections.abc import Sequence
from random import Random

from gateway.simulator.commands import Command, Redial, Reopen, Restart, Send
from gateway.simulator.frames import heartbeat
from gateway.simulator.outbox import Frame, MachineOutbox
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

SILENT_BEATS_MAX = 3
"""The gateway acknowledges every Heartbeat; silent for this many intervals, the stream is dead."""
UNTOLD_ACKS_MAX = 16
"""After this many handled frames a Heartbeat carries the ack, although nothing else is to be
said.
"""


class Connection:
    """Both directions of one boot. ``online``: a stream is up and welcome. ``reconnect``: (initial,
    max) milliseconds, once the backend gave guidance.
    """

    def __init__(self, *, boot_id: str, rng: Random) -> None:
        self.online = False
        self.outbox = MachineOutbox()
        self.reconnect: tuple[int, int] | None = None
        self._boot_id = boot_id
        self._rng = rng
        self._heartbeat_ms = 0
        self._sent_at_ms = 0
        self._heard_at_ms = 0
        self._handled_seq = 0
        self._told_ack = 0
        self._resent: tuple[int, int] = (0, 0)
        """The first and the last number that were sent again by the backend's wish."""
        self._move_at_ms: int | None = None

    # --- streams come and go ---

    def objection(self, welcome: pb.Welcome) -> list[Command]:
        """Return what is to be done if the backend has numbers that this boot never gave."""
        if welcome.last_seq <= self.outbox.last_seq:
            return []
        reason = f"the backend has seq {welcome.last_seq} of boot {self._boot_id}"
        return [Restart(f"{reason}, which was never sent")]

    def welcomed(self, frame: service_pb.ConnectResponse, now_ms: int) -> tuple[Frame, ...]:
        """Begin to talk on a new stream; return the frames that the backend has saved."""
        welcome = frame.welcome
        self.online = True
        self._handled_seq, self._told_ack = frame.seq, 0
        self._resent = (0, 0)
        self._move_at_ms = None
        self._heard_at_ms = now_ms
        self._heartbeat_ms = welcome.heartbeat_interval_ms
        if welcome.HasField("reconnect"):
            self.reconnect = (welcome.reconnect.initial_ms, welcome.reconnect.max_ms)
        done, _ = self.outbox.acknowledge(max(welcome.last_seq, frame.ack))
        return done

    def lost(self) -> None:
        """Wait for the next stream; what is unacknowledged stays in the outbox."""
        self.online = False
        self._move_at_ms = None

    def asked_to_move(self, move: pb.MoveRequest, now_ms: int) -> None:
        """Choose a moment in the first half of the time given, so that a second try still fits."""
        latest_ms = max(move.not_before_ms, (move.not_before_ms + move.not_after_ms) // 2)
        self._move_at_ms = now_ms + self._rng.randint(move.not_before_ms, latest_ms)

    # --- what the backend says ---

    def heard(
        self, frame: service_pb.ConnectResponse, now_ms: int
    ) -> tuple[tuple[Frame, ...], list[Command]]:
        """Note that the backend spoke; return the frames that it has saved, and what may be sent
        for it.
        """
        self._handled_seq, self._heard_at_ms = frame.seq, now_ms
        done, more = self.outbox.acknowledge(frame.ack)
        return done, self.send(more, now_ms)

    def acknowledge(self, now_ms: int) -> list[Command]:
        """Send a Heartbeat if the backend has waited too long for an acknowledgement."""
        if self._handled_seq - self._told_ack < UNTOLD_ACKS_MAX:
            return []
        return self.send([heartbeat()], now_ms)

    def send_again(self, error: pb.ProtocolError, now_ms: int) -> list[Command]:
        """Send all frames from the number on that the backend expects, once for each gap."""
        expected = error.expected_seq
        asked, through = self._resent
        if expected == asked and error.seq <= through:
            return []  # this frame was on its way before the resend
        frames = self.outbox.from_seq(expected)
        if frames is None:
            return [Restart(f"the backend wants seq {expected} again, which it had acknowledged")]
        self._resent = (expected, self.outbox.last_seq)
        return self.send(frames, now_ms)

    # --- what the machine says ---

    def say(self, frame: Frame, now_ms: int) -> list[Command]:
        """Put the frame into the outbox and send what may be sent now."""
        return self.send(self.outbox.put(frame), now_ms)

    def send(self, frames: Sequence[Frame], now_ms: int) -> list[Command]:
        """Send copies that bear the present acknowledgement; without a stream nothing leaves."""
        if not self.online or not frames:
            return []
        commands: list[Command] = []
        for frame in frames:
            copy = service_pb.ConnectRequest()
            copy.CopyFrom(frame)
            copy.ack = self._handled_seq
            commands.append(Send(copy))
        self._sent_at_ms, self._told_ack = now_ms, self._handled_seq
        return commands

    # --- time ---

    def tick(self, now_ms: int, *, busy: bool) -> list[Command]:
        """Do what is due. A machine that is ``busy`` with a vend does not move."""
        commands: list[Command] = []
        if self._move_at_ms is not None and not busy and now_ms >= self._move_at_ms:
            self._move_at_ms = None
            commands.append(Reopen())
        if self.online and self._heartbeat_ms:
            if now_ms >= self._heard_at_ms + SILENT_BEATS_MAX * self._heartbeat_ms:
                self._heard_at_ms = now_ms
                commands.append(Redial(f"nothing was heard for {SILENT_BEATS_MAX} heartbeats"))
            elif now_ms >= self._sent_at_ms + self._heartbeat_ms:
                commands += self.send([heartbeat()], now_ms)
        return commands

    def next_tick_at_ms(self, *, busy: bool) -> int | None:
        """Return when ``tick`` has something to do next; None if never."""
        due = [] if busy or self._move_at_ms is None else [self._move_at_ms]
        if self.online and self._heartbeat_ms:
            due.append(self._sent_at_ms + self._heartbeat_ms)
            due.append(self._heard_at_ms + SILENT_BEATS_MAX * self._heartbeat_ms)
        return min(due, default=None)
