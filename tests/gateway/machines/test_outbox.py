"""What waits to be written to one machine."""

import asyncio
import math
from typing import Any, cast

from gateway.machines.outbox import Context, Outbox
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectResponse


class Sink:
    """A call that keeps what is written."""

    def __init__(self) -> None:
        self.frames: list[ConnectResponse] = []
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, frame: bytes) -> None:
        """Take a frame when open."""
        await self.open.wait()
        self.frames.append(ConnectResponse.FromString(frame))

    def seen(self) -> list[tuple[int, int, str | None]]:
        """seq, ack and payload of what was written."""
        return [
            (frame.seq, frame.ack, cast("str | None", frame.WhichOneof("payload")))
            for frame in self.frames
        ]


def a_frame() -> ConnectResponse:
    """Some frame."""
    return ConnectResponse(service_update=wire.ServiceUpdate())


async def written(outbox: Outbox, sink: Sink) -> list[tuple[int, int, str | None]]:
    """Write all that waits."""
    await outbox.write_all(cast("Context", sink), until=lambda: True)
    return sink.seen()


def an_outbox(**more: Any) -> Outbox:
    """An outbox for three frames."""
    return Outbox(**{"size_max": 3, "monotonic": lambda: 7.0, **more})


async def test_frames_are_numbered_as_they_leave() -> None:
    """Frames count from 1 and carry the last acknowledgement that was known when they were
    queued.
    """
    outbox = an_outbox()
    outbox.put(a_frame())
    outbox.put(a_frame())
    outbox.acknowledge(4)
    outbox.put(a_frame())
    assert [
        (1, 0, "service_update"),
        (2, 4, "service_update"),
        (3, 4, "service_update"),
    ] == await written(outbox, Sink())


async def test_acknowledgements_do_not_pile_up() -> None:
    """Many acknowledgements without frames are one frame without payload, and never go back."""
    outbox = an_outbox()
    for ack in (1, 3, 2):
        outbox.acknowledge(ack)
    assert [(1, 3, None)] == await written(outbox, Sink())


async def test_the_bound() -> None:
    """A full outbox takes no frame, but acknowledgements still."""
    outbox = an_outbox()
    assert [True, True, True, False] == [outbox.put(a_frame()) for _ in range(4)]
    outbox.acknowledge(9)
    assert [0, 0, 9] == [ack for _, ack, _ in await written(outbox, Sink())]


async def test_dropping() -> None:
    """What was dropped is not written."""
    outbox = an_outbox()
    outbox.put(a_frame())
    outbox.drop()
    assert [] == await written(outbox, Sink())


async def test_a_write_that_takes_long() -> None:
    """While a write is under way the time of its start can be seen, and not afterwards."""
    outbox, sink = an_outbox(), Sink()
    sink.open.clear()
    outbox.put(a_frame())
    ends = asyncio.create_task(outbox.write_all(cast("Context", sink), until=lambda: True))
    await asyncio.sleep(0)
    seen = [outbox.writing_since]
    sink.open.set()
    await ends
    seen.append(outbox.writing_since)
    assert [7.0, math.inf] == seen
    assert 1 == outbox.written
