"""How many places each of many may take at the same time.

Flows in: who takes one, under a name. Flows out: a place for as long as the block lasts, or
TooMany. Whoever has taken all of theirs takes none of others. Places that all share (``Places``)
are waited for, a short while; a request that itself waits for its caller is outside meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class TooMany(Exception):
    """Whoever asks has as many places already as one may."""


class Turnstile:
    """``most``: places for one name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def is_full(self, name: str) -> bool:
        """Return whether there is no place for one more of this name."""
        return self._taken.get(name, 0) >= self._most

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """Take a place. Raises TooMany."""
        if self.is_full(name):
            raise TooMany(name)
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]


class Full(Exception):
    """All places are taken, and stayed so for as long as one waits."""


class Places:
    """``most`` places in all, ``of_one`` for one name. Whoever finds none waits ``within_s``
    seconds at most, not more of a name than it may have places: a free place goes to the one whose
    name has the fewest, so that a crowd waits for itself and not others for it.
    """

    def __init__(self, most: int, *, of_one: int, within_s: float) -> None:
        self._most = most
        self._of_one = of_one
        self._within_s = within_s
        self._taken: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    async def take(self, name: str) -> "Place":
        """Take a place. Raises Full, or TooMany if it is the name that has all of its own."""
        if not self._has_room(name) or self._waiting:
            await self._wait(name)
        else:
            self._taken[name] += 1
        return Place(self, name)

    async def _wait(self, name: str) -> None:
        if sum(one == name for one, _ in self._waiting) >= self._of_one:
            raise TooMany(name)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, mine))
        self._hand_out()
        try:
            async with asyncio.timeout(self._within_s):
                await mine
        except BaseException as error:
            if mine.done() and not mine.cancelled():
                self.give_up(name)
            else:
                self._waiting.remove((name, mine))
            if not isinstance(error, TimeoutError):
                raise
            raise (TooMany(name) if self._taken[name] >= self._of_one else Full) from None

    def give_up(self, name: str) -> None:
        """Give a place back, and let in who waits."""
        self._taken[name] -= 1
        if not self._taken[name]:
            del self._taken[name]
        self._hand_out()

    def _hand_out(self) -> None:
        # Whose wait ended in this turn of the loop stands there until its task has heard of it.
        while some := [
            one for one in self._waiting if not one[1].done() and self._has_room(one[0])
        ]:
            name, mine = min(some, key=lambda one: self._taken[one[0]])
            self._waiting.remove((name, mine))
            self._taken[name] += 1
            mine.set_result(None)

    def _has_room(self, name: str) -> bool:
        return self._taken.total() < self._most and self._taken[name] < self._of_one


class Place:
    """The place of one request."""

    def __init__(self, places: Places, name: str) -> None:
        self._places = places
        self._name = name
        self._is_held = True

    def give_up(self) -> None:
        """Give it back; a second time does nothing."""
        if self._is_held:
            self._is_held = False
            self._places.give_up(self._name)

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[None]:
        """Be without a place while the block lasts, and take one again afterwards. Raises Full or
        TooMany.
        """
        self.give_up()
        yield
        await self._places.take(self._name)
        self._is_held = True


class BodyWaits:
    """At most so many wait for their callers at the same time. One more ends the longest wait: who
    is quick has ended by then.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: dict[asyncio.Timeout, None] = {}

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Wait within the block, not for longer than this. Raises TimeoutError."""
        if len(self._under_way) >= self._most:
            longest = next(iter(self._under_way))
            del self._under_way[longest]
            if not longest.expired():  # It may run out in this very turn of the loop.
                longest.reschedule(asyncio.get_running_loop().time())
        async with asyncio.timeout(seconds) as until:
            self._under_way[until] = None
            try:
                yield
            finally:
                self._under_way.pop(until, None)
