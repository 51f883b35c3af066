"""Bugs about partitions that move; ``planted`` tells in a sentence what each of them means."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from actors.host import loop, moves
from actors.link import PartitionsMoved, ToHost
from gateway.links import batched_link
from gateway.links.linked import LinkedStream


def goes_on_deciding() -> Any:
    """A host forgets nothing of a partition that it has given up."""
    return patch.object(loop.TurnLoop, "_disown", lambda _self, _partition: [])


def frames_are_not_repeated() -> Any:
    """A stream is announced to its new host, and what the old one dropped is not said again."""

    def bug(
        self: batched_link.BatchedLink, streams: Iterable[LinkedStream], _: Sequence[ToHost]
    ) -> None:
        for stream in streams:
            self._streams[stream.stream_id] = stream
            self._announced.add(stream.stream_id)
            if self.attached:
                stream.repeated(1)
                self._announce(stream)

    return patch.object(batched_link.BatchedLink, "take_in", bug)


def what_is_owed_stays_behind() -> Any:
    """Who gets a partition waits for its machines to say something."""

    async def bug(self: moves.Moves, numbers: Sequence[int]) -> None:
        gained = await self._tenure.gain(numbers)
        served = self._served()
        self._loop.ownership = replace(served, epochs={**served.epochs, **gained.epochs})
        self._gateways.tell(PartitionsMoved(gained=tuple(gained.epochs)))

    return patch.object(moves.Moves, "_gain", bug)
