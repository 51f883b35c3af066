"""The numbered frames of one stream that its host has not acknowledged: what a new link repeats.

Flows in: frames as they are read, and what the host says of their numbers. Flows out: which of them
are news to the host. It never holds more than one frame under a number.
"""

from collections.abc import Collection, Sequence

from actors.machine.effects import RejectCode, RejectFrame
from actors.machine.events import FrameReceived, MachineFact, VendRequested, VendTurnedAway
from actors.machine.ids import RequestId, StreamId
from actors.machine.state import DenyReason
from actors.machine.values import replace

APPLIED_MAX = 16
"""Of so many frames it is remembered that the host applied them."""
REMARKED_MAX = 32
"""So many different remarks are made on one stream."""


class Window:
    """``forwarded``: the highest number that is in use, for telling the machine which one we
    expect.
    """

    __slots__ = ("_applied", "_frames", "_remarked", "_stream_id", "forwarded")

    def __init__(self, stream_id: StreamId) -> None:
        self.forwarded = 0
        self._stream_id = stream_id
        self._frames: dict[int, FrameReceived] = {}
        # What the last of the frames said that the host acknowledged, as hashes.
        self._applied: dict[int, int] = {}
        # Firmware that says a new thing says it in every frame; it is remarked once.
        self._remarked: set[str] = set()

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self) -> Sequence[FrameReceived]:
        """Return the frames in the order of their numbers."""
        return [self._frames[seq] for seq in sorted(self._frames)]

    def take(
        self, seq: int, fact: MachineFact, remarks: Sequence[str] = (), *, answers_come: bool
    ) -> FrameReceived | None:
        """Return the frame for the host; None if the same one waits for its acknowledgement
        already, and ``answers_come``.

        Other content under a number that waits is the core's to judge; what was sent first is what
        a new link repeats.
        """
        waiting = self._frames.get(seq)
        if waiting is not None and waiting.fact == fact and answers_come:
            return None
        if waiting is not None and _was_turned_away(waiting.fact, fact):
            return None
        received = FrameReceived(
            stream_id=self._stream_id, seq=seq, fact=fact, remarks=self._new(remarks)
        )
        self._frames.setdefault(seq, received)
        self.forwarded = max(self.forwarded, seq)
        return received

    def acknowledged(self, seq: int) -> None:
        """Forget all up to ``seq``."""
        for each in sorted([each for each in self._frames if each <= seq]):
            self._applied[each] = hash(self._frames.pop(each).fact)
        while len(self._applied) > APPLIED_MAX:
            del self._applied[next(iter(self._applied))]  # the oldest

    def applied(self, seq: int, fact: MachineFact) -> bool:
        """Return whether the host is known to have applied this very frame."""
        return self._applied.get(seq) == hash(fact)

    def refused(self, command: RejectFrame) -> None:
        """Forget what the host refused: sent again as it is, it would be refused again."""
        if command.code is RejectCode.OUT_OF_ORDER:
            # All from there on will come again, perhaps under other numbers.
            for each in [each for each in self._frames if each >= command.expected_seq]:
                del self._frames[each]
            self.forwarded = command.expected_seq - 1
        else:
            self._frames.pop(command.seq, None)

    def asks_for_goods(self) -> bool:
        """Return whether a request for goods is among them."""
        return bool(self.requests())

    def requests(self) -> list[RequestId]:
        """Return the requests for goods among them."""
        facts = [frame.fact for frame in self._frames.values()]
        return [fact.request_id for fact in facts if isinstance(fact, VendRequested)]

    def turn_away(self, over: Collection[RequestId], reason: DenyReason) -> list[RequestId]:
        """Return those of the requests that wait. From now on a new link is told of each that it
        was turned away, which uses its number up.
        """
        away: list[RequestId] = []
        for seq, frame in self._frames.items():
            if isinstance(frame.fact, VendRequested) and frame.fact.request_id in over:
                away.append(frame.fact.request_id)
                fact = VendTurnedAway(request_id=frame.fact.request_id, reason=reason)
                self._frames[seq] = replace(frame, fact=fact)
        return away

    def _new(self, remarks: Sequence[str]) -> tuple[str, ...]:
        if not remarks or len(self._remarked) >= REMARKED_MAX:
            return ()
        new = tuple(remark for remark in remarks if remark not in self._remarked)
        self._remarked.update(new)
        return new


def _was_turned_away(waiting: MachineFact, fact: MachineFact) -> bool:
    return (
        isinstance(waiting, VendTurnedAway)
        and isinstance(fact, VendRequested)
        and waiting.request_id == fact.request_id
    )
