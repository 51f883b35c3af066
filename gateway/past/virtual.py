"""Time that passes when there is nothing to do: a loop whose clock jumps to the next timer.

Flows in: timers. Flows out: ``PastLoop`` and its wall clock. What others give to a thread runs in
place, because a thread would be done at a moment that no clock shows; sockets are looked at seldom,
for a signal that ends the program.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple, Unpack

from actors.ports import Clock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
LOOK_EACH = 256
"""Of so many rounds of the loop one looks at the files."""
RESOLUTION_S = 1e-6
"""A timer is due when the clock is a hair short of it: else sums of floats make the loop spin."""


class NothingToWaitFor(RuntimeError):
    """Every task waits and no timer is set: nothing will ever happen."""


class _Jumping(selectors.DefaultSelector):
    """The wait itself moves the clock."""

    def __init__(self, loop: "PastLoop") -> None:
        super().__init__()
        self._loop = loop
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._rounds += 1
        ready = [] if self._rounds % LOOK_EACH else super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise NothingToWaitFor("every task waits and no timer is set")
        self._loop.now_s += max(0.0, timeout)
        return []


class PastLoop(asyncio.SelectorEventLoop):
    """``now_s`` is the loop's clock; it starts at zero."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__(_Jumping(self))
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        """Return the seconds that anybody has waited since the loop was made."""
        return self.now_s

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 - nobody's thread is needed
        func: Callable[[Unpack[Ts]], T],
        *args: *Ts,
    ) -> "asyncio.Future[T]":
        """Do it now."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the asker's
            done.set_exception(error)
        return done


class PastClock(Clock):
    """A wall clock that showed ``began_ms`` when the loop's showed zero."""

    def __init__(self, loop: PastLoop, began_ms: int) -> None:
        self._loop = loop
        self.began_ms = began_ms

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return self.began_ms + round(self._loop.now_s * 1_000)

    async def until(self, at_ms: int) -> None:
        """Wait until the clock shows it; not at all if it has passed."""
        await asyncio.sleep(max(0, at_ms - self.now_ms()) / 1_000)
