"""When a gateway looks at SQL for where partitions are: at its start, on a host's word, when a link
opens or breaks, and every two seconds while something is not where the layout says.

Flows in: words that something has changed. Flows out: what SQL says, given to ``follow``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from actors.leases import Standing
from actors.ports import StoreError

log = structlog.get_logger()

Look = Callable[[], Awaitable[Standing]]

_SOONEST_S = 0.02
_SOON_S = 0.2
_LONGEST_S = 2.0


class Follower:
    """``follow`` returns whether everything is at its place. ``run`` it as a task; ``ask`` for one
    more look.
    """

    def __init__(self, look: Look, follow: Callable[[Standing], bool]) -> None:
        self._look = look
        self._follow = follow
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Something may have changed."""
        self._asked.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        wait_s, before = _SOONEST_S, None
        while True:
            self._asked.clear()
            settled, standing = False, None
            try:
                standing = await self._look()
                settled = self._follow(standing)
            except StoreError as error:
                log.warning("where partitions are cannot be read", error=str(error))
            held = None if standing is None else standing.held
            wait_s = _SOONEST_S if settled or held != before else min(_LONGEST_S, 2 * wait_s)
            before = held
            with suppress(TimeoutError):
                async with asyncio.timeout(None if settled else wait_s):
                    await self._asked.wait()
            # A host may say the same of each message that it drops.
            await asyncio.sleep(min(wait_s, _SOON_S))
