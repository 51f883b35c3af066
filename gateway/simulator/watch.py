"""Looking at a machine's front: a bounded queue of happenings for one onlooker.

Flows in: happenings, as the machine tells them. Flows out: the same, one at a time, to a coroutine
that waits.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gateway.simulator.happenings import Happening

UNREAD_MAX = 1024


class Watch:
    """One onlooker. Somebody who never looks forgets the oldest first."""

    def __init__(self, look_away: Callable[["Watch"], None]) -> None:
        self._look_away = look_away
        self._unread: deque[Happening] = deque(maxlen=UNREAD_MAX)
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._look_away(self)

    def see(self, happening: Happening) -> None:
        """Something happened."""
        self._unread.append(happening)
        self._news.set()

    async def until(self, *kinds: type[Happening], within_s: float) -> Happening | None:
        """Return the next happening of one of these kinds (none named: of any) and forget those
        before it; None if none comes in time.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    while self._unread:
                        happening = self._unread.popleft()
                        if not kinds or isinstance(happening, kinds):
                            return happening
                    self._news.clear()
                    await self._news.wait()
        return None
