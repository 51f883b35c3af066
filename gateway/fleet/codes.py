"""Waits for the codes of machines that were just registered, with one look for all who wait.

Flows in: machine ids, one by one, each with how long its caller waits. Flows out: nothing but that
the time has come to read the machine again: Alipay has answered, or the caller's patience ended. A
look of each caller's own, ten times a second, cost more than all the rest of a registration.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence

from actors.ports import StoreError

Look = Callable[[Sequence[str]], Awaitable[Collection[str]]]
LOOK_EVERY_S = 0.05
AT_ONCE_MAX = 500


class CodeWatch:
    """``look`` returns those of the machines about whose codes Alipay has answered."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, machine_id: str, within_s: float) -> None:
        """Return once Alipay has answered, at the latest after ``within_s``. Raises StoreError when
        nobody can say.
        """
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((machine_id, answered))
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking())
        try:
            await asyncio.wait({answered}, timeout=max(0.0, within_s))
            if answered.done():
                answered.result()
        finally:
            answered.cancel()

    async def _keep_looking(self) -> None:
        try:
            while self._waiting:
                await self._look_once()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self._looking = None

    async def _look_once(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(AT_ONCE_MAX, len(self._waiting)))]
        some = [pair for pair in some if not pair[1].done()]
        if not some:
            return
        try:
            known = await self._look(sorted({machine_id for machine_id, _ in some}))
        except StoreError as error:
            for _, answered in some:
                if not answered.done():
                    answered.set_exception(error)
            return
        for machine_id, answered in some:
            if answered.done():  # its caller has gone
                continue
            if machine_id in known:
                answered.set_result(None)
            else:
                self._waiting.append((machine_id, answered))
