"""What a process does by itself for as long as it lives. Whatever ends such a work although nobody
ended it is said and counted, and the work begins again: nobody else would miss it.

Flows in: works. Flows out: the tasks that do them, to be cancelled; how often each has ended by
itself, for ``/metrics``, and a sentence for as long as it rests, for ``/readyz``.
"""

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

_log = structlog.get_logger()

Work = Callable[[], Awaitable[object]]

AGAIN_AFTER_S = (1.0, 60.0)
"""How long a work rests after such an end, at first and at most."""
WENT_WELL_S = 300.0
"""Who went on for so long has not failed twice in a row."""


@dataclass(slots=True, kw_only=True)
class Works:
    """Those of one process. ``counts``: how often each has ended by itself. ``monotonic``: seconds
    that only grow.
    """

    again_after_s: tuple[float, float] = AGAIN_AFTER_S
    monotonic: Callable[[], float] = time.monotonic
    counts: Counter[str] = field(default_factory=Counter)
    _resting: dict[str, None] = field(default_factory=dict)

    def begin(self, name: str, work: Work, *, ends: bool = False) -> "asyncio.Task[None]":
        """Do it until the task is cancelled. ``ends``: it is done once it returns."""
        self.counts[name] += 0  # Prometheus sees no increase of a series that was not there
        return asyncio.create_task(self._kept(name, work, ends=ends), name=name)

    def sentences(self) -> tuple[str, ...]:
        """Return a sentence for each work that is not being done just now."""
        return tuple(
            f"'{name}' has ended by itself, and begins again within a minute: see the log"
            for name in self._resting
        )

    async def _kept(self, name: str, work: Work, *, ends: bool) -> None:
        first, most = self.again_after_s
        rests_s = first
        while True:
            began_s, why = self.monotonic(), await _done(work)
            if why is None and ends:
                return
            if self.monotonic() - began_s >= WENT_WELL_S:
                rests_s = first
            _log.error(
                "a work of this process has ended by itself, and begins again",
                work=name,
                after_s=rests_s,
                exc_info=why,
            )
            self.counts[name] += 1
            self._resting[name] = None
            try:
                await asyncio.sleep(rests_s)
            finally:
                self._resting.pop(name, None)
            rests_s = min(most, 2 * rests_s)


@functools.cache
def process_works() -> Works:
    """Return those of this process."""
    return Works()


async def _done(work: Work) -> BaseException | None:
    """Return why it ended; None: it returned. Only who cancels this task ends it with the task."""
    try:
        await work()
    except asyncio.CancelledError as error:
        task: asyncio.Task[Any] | None = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # What it waited for was cancelled, and nobody has cancelled the work.
        return error
    except Exception as error:  # noqa: BLE001 - whatever it is, the work begins again
        return error
    return None
