"""What waits to be written to one machine: bounded, numbered as it leaves, acknowledgements carried
along.

Flows in: frames and acknowledgements, from anywhere on the loop. Flows out: bytes, by the one task
that runs ``write_all``.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import grpc.aio

from gateway.v1.machine_service_pb2 import ConnectResponse

Context = grpc.aio.ServicerContext[Any, Any]


class Outbox:
    """The frames to one machine. Each waits with the acknowledgement that may leave with it, never
    with a later one.
    """

    __slots__ = (
        "_awaited",
        "_began",
        "_frames",
        "_monotonic",
        "_seq",
        "_size_max",
        "ack",
        "writing_since",
        "written",
    )

    def __init__(
        self,
        *,
        size_max: int,
        monotonic: Callable[[], float],
        began: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.ack = 0
        """The highest seq of the machine that its host acknowledged."""
        self.written = 0
        self.writing_since = math.inf
        """When the write that is under way began; infinite if none is."""
        # No deque: an empty one takes 600 bytes, and there are thousands that are empty.
        self._frames: list[tuple[ConnectResponse | None, int]] = []
        self._size_max = size_max
        self._seq = 0
        self._monotonic = monotonic
        # Told when a write begins.
        self._began = began
        # What the writer waits for while there is nothing to write; done once there is something.
        # An Event would be a coroutine and a queue more for each frame.
        self._awaited: asyncio.Future[None] | None = None

    @property
    def last_seq(self) -> int:
        """The number of the last frame that was queued, which it gets as it leaves."""
        return self._seq + len(self._frames)

    @property
    def room(self) -> int:
        """How many frames more may wait."""
        return self._size_max - len(self._frames)

    def put(self, response: ConnectResponse) -> bool:
        """Queue a frame; False if there is no room, and then nothing is queued."""
        if len(self._frames) >= self._size_max:
            return False
        self._frames.append((response, self.ack))
        self.wake()
        return True

    def acknowledge(self, ack: int) -> None:
        """Let the last frame that waits carry the acknowledgement, or queue one without payload.
        Takes no room.
        """
        self.ack = max(self.ack, ack)
        if self._frames:
            self._frames[-1] = (self._frames[-1][0], self.ack)
        else:
            self._frames.append((None, self.ack))
            self.wake()

    def drop(self) -> None:
        """Forget what waits."""
        self._frames.clear()

    def wake(self) -> None:
        """Let the writer look at its surroundings again."""
        awaited, self._awaited = self._awaited, None
        if awaited is not None and not awaited.done():
            awaited.set_result(None)

    async def write_all(self, context: Context, *, until: Callable[[], bool]) -> None:
        """Write what comes, in order, until nothing waits and ``until`` is true."""
        loop = asyncio.get_running_loop()
        while True:
            while self._frames:
                frame = self._next_frame()
                self.writing_since = self._monotonic()
                self._began(self.writing_since)
                await context.write(frame)
                self.writing_since = math.inf
                self.written += 1
            if until():
                return
            self._awaited = loop.create_future()
            await self._awaited

    def _next_frame(self) -> bytes:
        """Take out what is written next, and give it its number."""
        response, ack = self._frames.pop(0)
        if response is None:
            response = ConnectResponse()
        self._seq += 1
        response.seq = self._seq
        response.ack = ack
        return response.SerializeToString()
