"""The way from a gateway to the machines of one partition, wherever they are at the moment.

Flows in: the partition's streams, wake-ups and commands. Flows out: the same to the link of the
host that has the partition. When it moves, its streams move to another link without noticing: the
new one announces them and repeats what is not acknowledged, as a link does after it broke. Nobody
is told that they have gone, because they have not.
"""

import asyncio
from collections.abc import Callable

from actors.link import CommandDone, Commanded, Notified, ToHost
from actors.machine.events import FrameReceived, PlanogramAcknowledged
from actors.machine.ids import MachineId, StreamId
from gateway.links.batched_link import BatchedLink
from gateway.links.linked import LinkedStream

_ENDED_MAX = 1_024
"""Of more streams that ended while their partition was nobody's its next host hears by itself, when
it misses them.
"""


class Way:
    """Streams hold it from their Hello to their end; ``lead`` it to another link at any time.
    ``is_ours`` tells whether a machine is one of the partition's.
    """

    __slots__ = ("_dropped", "_ended", "_is_ours", "_led", "_streams", "link")

    def __init__(self, link: BatchedLink, is_ours: Callable[[MachineId], bool]) -> None:
        self._is_ours = is_ours
        self.link = link
        """Of the host that has the partition, as far as this gateway knows."""
        self._streams: dict[StreamId, LinkedStream] = {}
        # Whether the host to which it leads has dropped what it was told of them, or forgot it.
        self._dropped = False
        # Ends of streams that it may have dropped, to be told to the next one.
        self._ended: dict[int, ToHost] = {}
        # Set when it leads elsewhere.
        self._led = asyncio.Event()

    def __len__(self) -> int:
        return len(self._streams)

    def open_stream(self, stream: LinkedStream) -> None:
        """See BatchedLink."""
        self._streams[stream.stream_id] = stream
        self.link.open_stream(stream)

    def close_stream(self, stream: LinkedStream, reason: str) -> None:
        """See BatchedLink."""
        self._streams.pop(stream.stream_id, None)
        self.link.close_stream(stream, reason)

    def submit(self, stream: LinkedStream, frame: FrameReceived | PlanogramAcknowledged) -> None:
        """See BatchedLink."""
        self.link.submit(stream, frame)

    async def room(self) -> None:
        """Return once the link to which it leads has room, also if it leads elsewhere meanwhile:
        the queue of a host that is dead empties for nobody.
        """
        while not self.link.has_room.is_set():
            waits = [asyncio.create_task(event.wait()) for event in (self.link.has_room, self._led)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()

    def notify(self, message: Notified) -> None:
        """See BatchedLink."""
        self.link.notify(message)

    async def command(self, message: Commanded, *, timeout_s: float) -> CommandDone:
        """See BatchedLink."""
        return await self.link.command(message, timeout_s=timeout_s)

    def lead(self, link: BatchedLink) -> None:
        """Lead to this link from now on."""
        if link is not self.link:
            self._hand_over(link)

    def left(self, link: BatchedLink) -> None:
        """The host of this link says that it does not serve the partition."""
        if link is not self.link:
            return
        self._dropped = True
        for message in link.ends_of(self._is_ours):
            self._ended[id(message)] = message
        while len(self._ended) > _ENDED_MAX:
            del self._ended[next(iter(self._ended))]

    def gained(self, link: BatchedLink) -> None:
        """The host of this link says that it serves the partition from now on. SQL may have said so
        before it was ready: what it was told then it must hear again.
        """
        if link is not self.link or self._dropped:
            self._hand_over(link)

    def _hand_over(self, link: BatchedLink) -> None:
        before, self.link, self._dropped = self.link, link, False
        led, self._led = self._led, asyncio.Event()
        led.set()
        streams = list(self._streams.values())
        for message in before.let_go(streams, self._is_ours):
            self._ended[id(message)] = message
        ended, self._ended = self._ended, {}
        link.take_in(streams, list(ended.values()))
