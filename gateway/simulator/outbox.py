"""The frames that a machine has said and the backend has not acknowledged. Pure.

Flows in: frames without a number, and acknowledgements. Flows out: numbered frames to send, now or
again. At most 32 are numbered and unacknowledged; what is said beyond that waits its turn without a
number.
"""

from collections import deque

from gateway.v1 import machine_service_pb2 as service_pb

UNACKED_MAX = 32
WAITING_MAX = 256

Frame = service_pb.ConnectRequest


class MachineOutbox:
    """One boot's numbered frames. ``last_seq`` is the highest number given, ``acked_seq`` the
    highest acknowledged.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self.acked_seq = 0
        self.overflowed = 0
        """Frames that found even the waiting room full. They are counted and shown, never silently
        gone.
        """
        self._unacked: deque[Frame] = deque()
        self._waiting: deque[Frame] = deque()

    def __len__(self) -> int:
        return len(self._unacked) + len(self._waiting)

    @property
    def unacked(self) -> tuple[Frame, ...]:
        """The numbered frames, in order."""
        return tuple(self._unacked)

    def numbered(self, seq: int) -> Frame | None:
        """Return the unacknowledged frame with this number."""
        return next((frame for frame in self._unacked if frame.seq == seq), None)

    def put(self, frame: Frame) -> tuple[Frame, ...]:
        """Take a frame; return what may be sent now, with its number."""
        if len(self._waiting) >= WAITING_MAX:
            self.overflowed += 1
            return ()
        self._waiting.append(frame)
        return self._number()

    def acknowledge(self, seq: int) -> tuple[tuple[Frame, ...], tuple[Frame, ...]]:
        """Forget all up to ``seq``; return what was forgotten, and what got a number through it. A
        number never given is ignored.
        """
        seq = min(seq, self.last_seq)
        done: list[Frame] = []
        while self._unacked and self._unacked[0].seq <= seq:
            done.append(self._unacked.popleft())
        self.acked_seq = max(self.acked_seq, seq)
        return tuple(done), self._number()

    def from_seq(self, seq: int) -> tuple[Frame, ...] | None:
        """Return all numbered frames from ``seq`` on, or None if ``seq`` was acknowledged and
        forgotten.
        """
        if seq <= self.acked_seq:
            return None
        return tuple(frame for frame in self._unacked if frame.seq >= seq)

    def take_back(self, seq: int) -> Frame | None:
        """Remove a frame that the backend refused without using up its number; those behind it move
        up by one.
        """
        refused = self.numbered(seq)
        if refused is None:
            return None
        self._unacked.remove(refused)
        for frame in self._unacked:
            if frame.seq > seq:
                frame.seq -= 1
        self.last_seq -= 1
        self._number()
        return refused

    def _number(self) -> tuple[Frame, ...]:
        numbered: list[Frame] = []
        while self._waiting and len(self._unacked) < UNACKED_MAX:
            frame = self._waiting.popleft()
            self.last_seq += 1
            frame.seq = self.last_seq
            self._unacked.append(frame)
            numbered.append(frame)
        return tuple(numbered)
