"""Who wants the demo to end: signals, and children that end by themselves. Whatever hangs, it is
over after a bounded time.

Flows in: signals and the ends of processes. Flows out: the story's own result, or its
cancellation, or ChildFailed.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from gateway.demo.children import Child, ChildFailed, Children, NoAnswer
from gateway.process.signals import end_signals

Result = TypeVar("Result")

OVER_TIMEOUT_S = 120
"""From the first signal to the end, even if the loop itself hangs, as in a terminal that takes
nothing.
"""
CANCEL_TIMEOUT_S = 10
MOMENT_S = 0.5
"""Who asks a child may hear of its end before, or after, we do."""


class Interruptions:
    """The first signal lets the demo come to rest for a few seconds, if it has begun; the second
    ends it at once; a third one has no patience with the children either.
    """

    def __init__(self, children: Children) -> None:
        self.wanted = False
        self.began = False
        self._children = children
        self._loop = asyncio.get_running_loop()
        self._story: asyncio.Task[Any] | None = None
        self._count = 0
        self._last_resort: threading.Timer | None = None

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen to whatever asks for an end, while the block lasts."""
        before = {number: signal.signal(number, self._hear) for number in end_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if self._last_resort is not None:
                self._last_resort.cancel()

    def _hear(self, number: int, _: object) -> None:
        # The main thread runs this even while the loop hangs in a call.
        self.wanted = True
        if self._last_resort is None:
            # It lets go of the children's lifelines.
            self._last_resort = threading.Timer(OVER_TIMEOUT_S, os._exit, (128 + number,))
            self._last_resort.daemon = True
            self._last_resort.start()
        self._loop.call_soon_threadsafe(self._count_one)

    def _count_one(self) -> None:
        self._count += 1
        if self._story is not None and (self._count > 1 or not self.began):
            self._story.cancel()
        if self._count > 2 or (self._count > 1 and (self._story is None or self._story.done())):
            self._children.hurry()

    async def play(self, story: Coroutine[Any, Any, Result]) -> Result:
        """Run the story to its end. Raises CancelledError if somebody would not wait for it,
        ChildFailed if a child ended by itself.
        """
        self._story = task = asyncio.create_task(story)
        lost = asyncio.create_task(self._children.lost())
        try:
            await asyncio.wait([task, lost], return_when=asyncio.FIRST_COMPLETED)
            if not _explains_itself(task):
                await asyncio.wait([task, lost], timeout=MOMENT_S)
            if lost.done() and not _explains_itself(task):
                task.cancel()
                await asyncio.wait([task], timeout=CANCEL_TIMEOUT_S)
                raise ChildFailed(_said_of(lost.result()))
            return await task
        finally:
            lost.cancel()


def _said_of(lost: Child) -> str:
    number = -(lost.process.returncode or 0)
    if number > 0:
        return (
            f"{lost.name} was killed by signal {number}, and the demo ends with it; see {lost.log}"
        )
    return f"{lost.name} ended by itself; see {lost.log}"


def _explains_itself(story: "asyncio.Task[Any]") -> bool:
    """Tell whether the story is over, and not because somebody did not answer: that has a reason of
    its own.
    """
    if not story.done():
        return False
    error = None if story.cancelled() else story.exception()
    return error is None or (isinstance(error, ChildFailed) and not isinstance(error, NoAnswer))
