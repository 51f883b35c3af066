"""What waits for one gateway: the host's side of an attachment, and receipts of its exchanges.

Flows in: messages that may leave. Flows out: numbered deliveries, with the gateway's next call. A
full outbox breaks the attachment: the gateway can always attach again, and what is owed is then
sent.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from actors.link import Delivery, FromHost
from actors.machine.ids import MachineId, StreamId


class Receipt:
    """Counts the messages of one exchange that are neither saved nor refused."""

    __slots__ = ("_closed", "_left", "_settled")

    def __init__(self) -> None:
        self._left = 0
        self._closed = False
        self._settled: asyncio.Future[None] | None = None

    def expect(self) -> None:
        """One more message is on its way."""
        self._left += 1

    def settle(self) -> None:
        """One message is saved or refused."""
        self._left -= 1
        if self._left <= 0:
            self.release()

    def release(self) -> None:
        """Let the exchange return with what there is."""
        self._closed = True
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    async def wait(self, timeout_s: float) -> None:
        """Return once all messages are settled, or ``release`` was called, or the time is over."""
        if self._closed or self._left <= 0:
            return
        self._settled = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled
        except TimeoutError:
            return  # the rest comes through listen


class Attachment:
    """One opening of the link by one gateway. ``streams``: whose Connected came through it."""

    __slots__ = (
        "_calls",
        "_messages",
        "_messages_max",
        "_number",
        "_ready",
        "broken",
        "gateway_id",
        "heard_at_s",
        "name",
        "streams",
    )

    def __init__(self, *, name: str, gateway_id: str, messages_max: int, now_s: float) -> None:
        self.name = name
        self.gateway_id = gateway_id
        self.streams: set[tuple[MachineId, StreamId]] = set()
        self.broken = False
        self.heard_at_s = now_s
        self._messages: deque[FromHost] = deque()
        self._messages_max = messages_max
        self._number = 0
        self._ready = asyncio.Event()
        self._calls = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: FromHost) -> bool:
        """Add a message for the gateway, and call ``announce`` afterwards. Return False if the
        attachment is broken, perhaps by this message.
        """
        if self.broken:
            return False
        if len(self._messages) >= self._messages_max:
            self.close()
            return False
        self._messages.append(message)
        return True

    def announce(self) -> None:
        """Wake the gateway's ``listen``, if there is something left to take."""
        if self._messages:
            self._ready.set()

    def close(self) -> None:
        """Break the attachment: its calls raise LinkBroken, and what was in it is forgotten."""
        self.broken = True
        self._messages.clear()
        self._ready.set()

    def take(self) -> Delivery:
        """Return all that is ready as the next delivery, or an idle answer."""
        if not self._messages:
            return Delivery(number=0, messages=())
        messages = tuple(self._messages)
        self._messages.clear()
        self._number += 1
        return Delivery(number=self._number, messages=messages)

    async def wait(self, timeout_s: float) -> None:
        """Return once there is something to take, the attachment is broken, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._messages and not self.broken:
                    self._ready.clear()
                    await self._ready.wait()
        except TimeoutError:
            return

    @contextmanager
    def call(self) -> Iterator[None]:
        """Hold the gateway for alive while a call of it is here."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            self.heard_at_s = asyncio.get_running_loop().time()

    def silent_for_s(self, now_s: float) -> float:
        """Return for how long the gateway has had no call here."""
        return 0.0 if self._calls else now_s - self.heard_at_s
