"""Which planogram a machine has handled, of those that it was told on one stream.

Flows in: the numbers of the frames with a planogram, and the machine's acknowledgements. Flows out:
what its host is to hear of it, once, and what the stream says if it must say Hello again.
"""

from actors.machine.events import Connected, PlanogramAcknowledged
from actors.machine.values import replace

KEPT = 8
"""An acknowledgement of a later one is one of those before it."""


class Planograms:
    """The planograms of one stream that the machine has not acknowledged."""

    __slots__ = ("_acknowledged", "_told")

    def __init__(self) -> None:
        self._acknowledged: int | None = None
        # The oldest first; no deque, which takes as much for none as for sixty.
        self._told: list[tuple[int, int]] = []

    def welcomed(self) -> None:
        """The host says Welcome, perhaps once more on this stream, having forgotten what it heard:
        the next acknowledgement is news again.
        """
        self._acknowledged = None

    def told(self, seq: int, version: int) -> None:
        """Frame ``seq`` has the planogram of this version."""
        self._told.append((seq, version))
        del self._told[:-KEPT]

    def handled(self, ack: int, said: Connected) -> tuple[Connected, PlanogramAcknowledged | None]:
        """Return what the stream says from now on, and what its host is to hear of the machine's
        acknowledgement, if that is news: the first one is, whatever its Hello said.
        """
        if not self._told:
            return said, None
        version = self._acknowledged
        while self._told and self._told[0][0] <= ack:
            version = self._told.pop(0)[1]
        if version is None or version == self._acknowledged:
            return said, None
        self._acknowledged = version
        return (
            replace(said, planogram_version=version),
            PlanogramAcknowledged(stream_id=said.stream_id, planogram_version=version),
        )
