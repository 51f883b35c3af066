"""The world's time: a loop that has no outside, whose clock jumps to the next timer as soon as
nothing else is to be done.

Flows in: nothing. Flows out: ``WorldLoop``; it makes no system call for waiting, and it names the
two ways in which a world can hang.
"""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from gateway.process.clock import SteadyClock
from tests.support.virtual_time import WALL_START_MS, Stuck

SPINS_MAX = 200_000
"""So many rounds of the loop at one moment are no work but a mistake."""
ROUNDS_MAX = 2_000_000
"""No world needs so many rounds."""


class Spinning(Exception):
    """Something goes round without ever waiting."""


class _Nothing(selectors.BaseSelector):
    """Watches no file: the wait itself moves the clock."""

    def __init__(self, loop: "WorldLoop") -> None:
        self._loop = loop
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self._spins = 0
        self._rounds = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._rounds += 1
        if self._rounds > ROUNDS_MAX:
            raise Spinning(f"{ROUNDS_MAX} rounds, {self._loop.now_s:.3f} s")
        if timeout is None:
            raise Stuck("every task waits and no timer is set")
        if timeout > 0:
            self._loop.now_s += timeout
            self._spins = 0
        else:
            self._spins += 1
            if self._spins > SPINS_MAX:
                raise Spinning(f"{SPINS_MAX} rounds at {self._loop.now_s:.3f} s")
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class WorldLoop(asyncio.SelectorEventLoop):
    """``now_s`` is the clock; it starts at zero, when calendars show ``began_ms`` (milliseconds
    since 1970 UTC).
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.began_ms = WALL_START_MS
        super().__init__(_Nothing(self))
        self._clock_resolution = 1e-6  # sums of floats must not make the loop spin

    def time(self) -> float:
        """Return seconds since the world began."""
        return self.now_s


class WallClock:
    """One computer's wall clock (``actors.ports.Clock``). ``off_ms``: how wrong it is."""

    def __init__(self, loop: WorldLoop) -> None:
        self._loop = loop
        self.off_ms = 0

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC, as this computer believes."""
        return self._loop.began_ms + self.off_ms + round(self._loop.now_s * 1_000)

    def steady(self) -> SteadyClock:
        """Return the clock of a program that starts on this computer now."""
        return SteadyClock(
            wall_ms=self.now_ms, passed_ns=lambda: round(self._loop.now_s * 1_000_000) * 1_000
        )
