"""Lets people know of a process whose clock is not Alipay's: one row, renewed while it is so, and
taken away when it is right again or the process ends.

Flows in: what :mod:`gateway.process.skew` knows, looked at from time to time, however many
notifications told of it. Flows out: the row. A database that is away is told again.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import structlog

from actors.ports import Clock, StoreError
from gateway.process.skew import Skew
from gateway.process.works import process_works

log = structlog.get_logger()

LOOK_S = 10.0
RENEW_S = 300.0
"""So often what is said already is said again, and what others left behind is cleared away."""
_LAST_WORD_S = 2.0


class Clocks(Protocol):
    """Where it is told: ``storage.fleet.wrong_clocks``."""

    async def told(self, teller: str, *, ahead_ms: int, at_ms: int) -> None:
        """The clock is wrong."""

    async def right(self, teller: str, *, at_ms: int) -> None:
        """It is right."""


def teller() -> str:
    """Return this process's name: one that is started again is another one."""
    return f"{socket.gethostname()[:96]}/{os.getpid()}"


class ClockWatch:
    """Tells of one process. ``monotonic`` gives seconds."""

    def __init__(
        self,
        skew: Skew,
        clocks: Clocks,
        *,
        clock: Clock,
        name: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._skew = skew
        self._clocks = clocks
        self._clock = clock
        self._name = name
        self._monotonic = monotonic
        self._said: bool | None = None
        self._said_s = 0.0

    async def look(self) -> None:
        """Say what is new, or what was said long ago. Raises StoreError."""
        ahead_ms = self._skew.ahead_ms()
        if ahead_ms is None:
            return
        wrong = self._skew.beyond
        if wrong == self._said and self._monotonic() - self._said_s < RENEW_S:
            return
        at_ms = self._clock.now_ms() - ahead_ms
        if wrong:
            await self._clocks.told(self._name, ahead_ms=ahead_ms, at_ms=at_ms)
        else:
            await self._clocks.right(self._name, at_ms=at_ms)
        self._said, self._said_s = wrong, self._monotonic()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                log.info("what the clock is like is not written down yet", error=str(error))
            await asyncio.sleep(LOOK_S)

    async def end(self) -> None:
        """Take the row away, if there is one: this process judges nothing by its clock any more."""
        if self._said:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_LAST_WORD_S):
                    at_ms = self._clock.now_ms() - (self._skew.ahead_ms() or 0)
                    await self._clocks.right(self._name, at_ms=at_ms)


@asynccontextmanager
async def clock_watched(watch: ClockWatch) -> AsyncIterator[None]:
    """Let the watch run."""
    task = process_works().begin("clock-watch", watch.run)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watch.end()
