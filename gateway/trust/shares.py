"""What one person has of the administrators' door: a few places at which calls are answered, and a
rate.

Flows in: each call of somebody who proves who they are. Flows out: its turn. Whoever calls more
waits, and is named among the offenders; whoever has more calls waiting than one connection can have
is refused. So nobody's calls, allowed or not, take the gateway from machines and payments, and
nobody's changes fill the books faster than this.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.fleet.errors import TOO_MANY_CALLS, CallRefused
from gateway.machines.token_bucket import TokenBucket

CALLS_AT_ONCE = 4
CALLS_WAITING_MAX = 100
"""More than one connection may have open, so that a script that does all at once is only slow."""
LOOKS_PER_S = 20
LOOKS_BURST = 1_200
CHANGE_COSTS = 4
"""A change costs so much as so many looks: it writes, and stays in the books."""
BYTES_PER_LOOK = 65_536
"""So many bytes of a request cost as much as one more look: they are read, and may be kept."""
PEOPLE_REMEMBERED_MAX = 2_000


@dataclass(slots=True, kw_only=True)
class _Share:
    """What one person has left, and who of theirs waits for a place."""

    calls: TokenBucket
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))
    open: int = 0


@dataclass(slots=True, kw_only=True)
class PersonShares:
    """Those of one door. ``monotonic``: seconds that only grow; ``slowed`` is told who has to wait
    because they called too often, or was refused.
    """

    monotonic: Callable[[], float]
    slowed: Callable[[str], None]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _of: OrderedDict[str, _Share] = field(default_factory=OrderedDict)

    @asynccontextmanager
    async def turn(
        self, person: str, *, changes: bool, stays: bool, size: int = 0
    ) -> AsyncIterator[None]:
        """Have the turn of one call of a person, of so many bytes, while the block lasts. One that
        ``stays``, because it tells what happens, gives its place to the next one. Raises
        CallRefused.
        """
        cost = (CHANGE_COSTS if changes else 1) + size // BYTES_PER_LOOK
        share = self._share(person)
        if share.open >= CALLS_AT_ONCE + CALLS_WAITING_MAX:
            self.slowed(person)
            raise CallRefused(TOO_MANY_CALLS.about(person=person))
        share.open += 1
        try:
            async with share.places:
                wait_s = share.calls.spend(self.monotonic(), cost)
                if wait_s:
                    self.slowed(person)
                    await self.pause(wait_s)
                if not stays:
                    yield
        finally:
            share.open -= 1
        if stays:
            yield

    def _share(self, person: str) -> _Share:
        """Return the person's. Whoever has not called for longest is forgotten, but for those whose
        calls are open.
        """
        share = self._of.pop(person, None) or _Share(
            calls=TokenBucket(rate=LOOKS_PER_S, burst=LOOKS_BURST, now=self.monotonic())
        )
        self._of[person] = share
        if len(self._of) > PEOPLE_REMEMBERED_MAX:
            idle = next((name for name, one in self._of.items() if not one.open), person)
            if idle != person:
                del self._of[idle]
        return share
