"""How one machine is asked to move, before its gateway goes away or when its stream is old: once,
never in the middle of a vend, and with a time of its own.

Flows in: when its vends begin and end, and from when on it may go. Flows out: the MoveRequest that
is to be sent now, if any, and whether its time is over. Times are seconds of a monotonic clock.
"""

import math
from collections.abc import Callable

from gateway.machines import commanding
from gateway.v1.machine_service_pb2 import ConnectResponse


class Moving:
    """What one stream knows of its machine's leaving. ``window_s``: a machine that may go has this
    long for it. ``ages_at``: when its stream is old.
    """

    __slots__ = ("_monotonic", "_owed", "_window_s", "ages_at", "leaves_at", "vend_open")

    def __init__(
        self, *, window_s: float, monotonic: Callable[[], float], ages_at: float = math.inf
    ) -> None:
        self._window_s = window_s
        self._monotonic = monotonic
        self.vend_open = False
        """Whether a vend was asked for or approved and has no outcome; then nobody asks to move."""
        # From when to when the machine may move, to be said once the vend is over.
        self._owed: tuple[float, float] | None = None
        self.leaves_at = math.inf
        """When its time to move is over. It is asked once; until then infinite."""
        self.ages_at = ages_at
        """When it is asked because its stream is old; infinite once it was."""

    def ask(self, moves_at: float, ends_at: float) -> ConnectResponse | None:
        """Return the MoveRequest to be sent now; None if it was sent, or waits for a vend.
        ``ends_at``: when the drain closes whatever is left.
        """
        if self.leaves_at != math.inf:
            return None
        if self.vend_open:
            self._owed = (moves_at, ends_at)
            return None
        now = self._monotonic()
        not_before = max(now, moves_at)
        self.leaves_at = min(ends_at, not_before + self._window_s)
        return commanding.move_request(
            not_before_ms=round((not_before - now) * 1000),
            not_after_ms=round((self.leaves_at - now) * 1000),
        )

    def ask_if_old(self) -> ConnectResponse | None:
        """Return the MoveRequest of a stream that has become old; None as ``ask``."""
        now = self._monotonic()
        if now < self.ages_at:
            return None
        self.ages_at = math.inf
        return self.ask(now, math.inf)

    def vend_opened(self) -> None:
        """A vend was asked for or approved."""
        self.vend_open = True

    def vend_closed(self) -> ConnectResponse | None:
        """No vend is open; return the MoveRequest that waited for that."""
        self.vend_open = False
        owed, self._owed = self._owed, None
        return None if owed is None else self.ask(*owed)

    def is_over(self) -> bool:
        """Return whether the machine was asked, its time is over, and it does not sell: there is
        nowhere else for it.
        """
        return self._monotonic() >= self.leaves_at and not self.vend_open
