"""An event loop whose clock jumps when there is nothing to do, so that a test with five-minute
waits takes no time.

In scope: code whose waiting all goes through the loop (``asyncio.sleep``, ``asyncio.timeout``,
``call_later``). A loop that waits for threads or sockets must be given ``patience_s``: so long, in
real time, it looks for them before the clock jumps.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

WALL_START_MS = 1_700_000_000_000
"""What the wall clock shows when the loop's clock shows zero."""

LOOK_EACH = 16
"""Of so many rounds of the loop that need not wait, one looks at the files."""


class Stuck(Exception):
    """Every task waits and no timer is set: without the outside world nothing will ever happen."""


class _JumpingSelector(selectors.DefaultSelector):
    """Looks at the real files first; when none is ready, the wait itself moves the clock. While
    callbacks wait, it looks seldom: each look is a system call, and nobody waits for its result.
    """

    def __init__(self, loop: "VirtualTimeLoop") -> None:
        super().__init__()
        self._loop = loop
        self._busy_rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, after moving the clock if nothing is."""
        if timeout is None:
            ready = super().select(self._loop.stuck_after_s)
            if not ready:
                raise Stuck("every task waits and no timer is set")
            return ready
        if timeout <= 0:
            self._busy_rounds += 1
            return [] if self._busy_rounds % LOOK_EACH else super().select(0)
        ready = super().select(min(timeout, self._loop.patience_s))
        if not ready and timeout > 0:
            self._loop.now_s += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``now_s`` is the loop's clock; it starts at zero."""

    def __init__(self, *, patience_s: float = 0.0, stuck_after_s: float = 5.0) -> None:
        self.now_s = 0.0
        self.patience_s = patience_s
        self.stuck_after_s = stuck_after_s
        super().__init__(_JumpingSelector(self))
        # A timer is due when the clock shows its time or is a hair short of it: sums of floats must
        # not make the loop spin.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return seconds since the loop was made, as far as anybody waited."""
        return self.now_s


class LoopClock:
    """A wall clock (``actors.ports.Clock``) that goes with the running loop's time. ``jump_ms``
    sets it ahead, as an operator might.
    """

    def __init__(self) -> None:
        self.jump_ms = 0

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return WALL_START_MS + self.jump_ms + round(asyncio.get_running_loop().time() * 1_000)


def run_virtual(work: Coroutine[Any, Any, T], *, patience_s: float = 0.0) -> T:
    """Run ``work`` on virtual time, for tests that are not coroutines themselves."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience_s=patience_s)) as runner:
        return runner.run(work)
