"""What is asked for at the same moment is done together: one transaction, one COMMIT, for many
callers.

Flows in: items, one for each caller. Flows out: what came of each, a value or an error of its own.
What comes while a transaction is under way goes into the next one, so a caller who is alone waits
for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import IntegrityError

from actors.ports import StoreError

Item = TypeVar("Item")
Made = TypeVar("Made")


class Gathered(Generic[Item, Made]):
    """Calls ``together`` with at most ``most`` items; it returns what came of each, in their order.

    When it raises over a constraint, or over what is no StoreError, it is called again with each
    item alone, so that an error is its own item's. Any other StoreError is everybody's.
    ``waiting_max``: who comes when so many wait is told to come later, by a StoreError.
    """

    def __init__(
        self,
        together: Callable[[Sequence[Item]], Awaitable[Sequence[Made | Exception]]],
        *,
        most: int,
        waiting_max: int = 10_000,
    ) -> None:
        self._together = together
        self._most = most
        self._waiting_max = waiting_max
        self._waiting: deque[tuple[Item, asyncio.Future[Made]]] = deque()
        self._doing: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Made:
        """Return what came of the item, or raise it. What was begun runs to its end even if the
        caller is cancelled.
        """
        if len(self._waiting) >= self._waiting_max:
            raise StoreError(f"{self._waiting_max} others wait already: ask later.")
        made: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, made))
        if self._doing is None:
            self._doing = asyncio.create_task(self._go_on())
        return await made

    async def _go_on(self) -> None:
        try:
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._do([pair for pair in some if not pair[1].done()])
        finally:  # cancelled with its loop: nobody shall wait for it
            self._doing = None
            while self._waiting:
                self._waiting.popleft()[1].cancel()

    async def _do(self, pairs: Sequence[tuple[Item, asyncio.Future[Made]]]) -> None:
        if not pairs:
            return
        try:
            outcomes = await self._together([item for item, _ in pairs])
        except asyncio.CancelledError:
            for _, made in pairs:
                made.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - each caller is told
            if len(pairs) > 1 and _is_one_items(error):
                for pair in pairs:
                    await self._do([pair])
                return
            outcomes = [error] * len(pairs)
        for (_, made), outcome in zip(pairs, outcomes, strict=True):
            if made.done():  # its caller has gone
                continue
            if isinstance(outcome, Exception):
                made.set_exception(outcome)
            else:
                made.set_result(outcome)


def _is_one_items(error: Exception) -> bool:
    return not isinstance(error, StoreError) or isinstance(error.__cause__, IntegrityError)
