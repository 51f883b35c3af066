"""What one stream waits for, since when, and when that has been too long; and which streams are to
be looked at next.

Flows in: that the machine was heard, that nothing is read, that the stream ends. Flows out: why the
stream must end now, if it must, and when to ask again. ``Looks`` keeps the streams in the order of
that time, so that nobody looks at twenty thousand of them twice a second. Times are seconds of a
monotonic clock.
"""

import heapq
import itertools
import math
from typing import Generic, Protocol, TypeVar

from gateway.rpc import statuses
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.statuses import Refusal

_STALE_KEPT = 1_024


class Waits:
    """Of one stream, which waits for Hello, then for Welcome, then for the machine, or for the host
    to catch up.
    """

    __slots__ = (
        "_limits",
        "ended_at",
        "greeted",
        "heard_at",
        "joined",
        "reading",
        "since",
        "welcomed",
    )

    def __init__(self, limits: EdgeLimits, now: float) -> None:
        self._limits = limits
        self.greeted = False
        """Whether Hello has come. How long it waits for its turn is no matter of ours."""
        self.joined = False
        """Whether the machine is known and its host was told."""
        self.welcomed = False
        """Whether Welcome was queued, which the host is waited for."""
        self.heard_at = now
        """When the machine was last heard."""
        self.reading = True
        """Whether it is being read. Only then its silence counts."""
        self.since = now
        """Since when Hello, Welcome or the host is waited for."""
        self.ended_at: float | None = None
        """Since when the stream ends."""

    def over(self, now: float) -> Refusal | None:
        """Return why the stream must end: no Hello, no answer of its host, or silence of the
        machine.
        """
        limits, waited_s = self._limits, now - self.since
        if not self.joined:
            late = not self.greeted and waited_s > limits.hello_timeout_s
            return statuses.HELLO_TIMEOUT if late else None
        host_late = not self.welcomed and waited_s > limits.welcome_timeout_s
        if host_late or (not self.reading and waited_s * 1000 > limits.silent_after_ms):
            return statuses.HOST_UNAVAILABLE
        if self.reading and (now - self.heard_at) * 1000 > limits.silent_after_ms:
            return statuses.SILENT
        return None

    def hang(self, writing_since: float, now: float) -> bool:
        """Return whether a write, or the ending itself, takes longer than it may."""
        since = writing_since if self.ended_at is None else self.ended_at
        return now - since > self._limits.write_timeout_s

    def next_at(self, writing_since: float, held_since: float) -> float:
        """Return when the first of all this may have taken too long. Infinite: there is no write,
        no fault that is held back.
        """
        limits = self._limits
        if self.ended_at is not None:
            return self.ended_at + limits.write_timeout_s
        times = [writing_since + limits.write_timeout_s, held_since + limits.faults_held_s]
        if not self.joined:
            return min(*times, math.inf if self.greeted else self.since + limits.hello_timeout_s)
        if not self.welcomed:
            times.append(self.since + limits.welcome_timeout_s)
        heard_at = self.heard_at if self.reading else self.since
        return min(*times, heard_at + limits.silent_after_ms / 1000)


class Watched(Protocol):
    """What is looked at. ``look_at``: when, as far as ``Looks`` knows; infinite: never."""

    look_at: float


W = TypeVar("W", bound=Watched)


class Looks(Generic[W]):
    """Streams by the time of their next look: one heap, at most one live entry for each."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, W]] = []
        self._numbers = itertools.count()
        self._live = 0

    def __len__(self) -> int:
        return len(self._heap)

    def ask(self, stream: W, at: float) -> None:
        """Look at the stream then, unless it is looked at before."""
        if at >= stream.look_at:
            return
        self._live += stream.look_at == math.inf
        stream.look_at = at
        heapq.heappush(self._heap, (at, next(self._numbers), stream))
        if len(self._heap) > 4 * self._live + _STALE_KEPT:
            self._heap = [entry for entry in self._heap if entry[0] == entry[2].look_at]
            heapq.heapify(self._heap)

    def forget(self, stream: W) -> None:
        """Look at it no more, until somebody asks."""
        if stream.look_at != math.inf:
            stream.look_at = math.inf
            self._live -= 1

    def due(self, now: float) -> list[W]:
        """Take out and return the streams whose time has come, earliest first."""
        streams: list[W] = []
        while self._heap and self._heap[0][0] <= now:
            at, _, stream = heapq.heappop(self._heap)
            if at == stream.look_at:
                self.forget(stream)
                streams.append(stream)
        return streams
