"""Time: the one place where the gateway and its hosts read it.

A long-lived process takes one :class:`SteadyClock` (``process_clock``), so that no wait begins or
ends because somebody set the computer's clock. A command that runs once takes a
:class:`SystemClock`.
"""

import functools
import time
from collections.abc import Callable

from actors.ports import Clock


class SystemClock(Clock):
    """The computer's own clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000


class SteadyClock(Clock):
    """The computer's clock as it was at the start, and from there on only what has passed since:
    it never steps, whatever is done to the computer's clock.

    ``wall_ms`` reads that clock, ``passed_ns`` the time since some moment; the latter also counts
    what the computer slept, where the system can tell.
    """

    def __init__(
        self,
        *,
        wall_ms: Callable[[], int] | None = None,
        passed_ns: Callable[[], int] | None = None,
    ) -> None:
        self._wall_ms = wall_ms or SystemClock().now_ms
        self._passed_ns = passed_ns or _passed_ns
        self._began_ms = self._wall_ms()
        self._began_ns = self._passed_ns()

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return self._began_ms + (self._passed_ns() - self._began_ns) // 1_000_000

    def stepped_ms(self) -> int:
        """Return by how much the computer's clock was set since the start; positive: ahead."""
        return self._wall_ms() - self.now_ms()


@functools.cache
def process_clock() -> SteadyClock:
    """Return the clock of this process: its gateway and its host have the same one."""
    return SteadyClock()


def _passed_ns() -> int:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if boottime is None else time.clock_gettime_ns(boottime)
