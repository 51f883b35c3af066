"""The way to one partition, led from one link to another. With hosts behind them it is seen in
``test_following``.
"""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from actors.link import ToHost
from actors.machine.ids import MachineId
from gateway.links.batched_link import BatchedLink
from gateway.links.linked import LinkedStream
from gateway.links.ways import Way
from tests.support.fake_stream import FakeStream, a_stream


class Link:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def open_stream(self, stream: LinkedStream) -> None:
        """A stream opens."""
        self.told.append(("open", stream))

    def close_stream(self, stream: LinkedStream, reason: str) -> None:
        """It ends."""
        self.told.append(("close", stream))

    def let_go(self, streams: Iterable[LinkedStream], is_theirs: Any) -> list[ToHost]:
        """It is another link's; one message waits."""
        assert is_theirs(MachineId("m1"))
        self.told.append(("let go", list(streams)))
        return cast("list[ToHost]", ["an end"])

    def ends_of(self, _is_theirs: Any) -> list[ToHost]:
        """Nobody's end is on its way."""
        return []

    def take_in(self, streams: Iterable[LinkedStream], ended: Sequence[ToHost]) -> None:
        """It is this link's."""
        self.told.append(("take in", [*streams, *ended]))


def a_way() -> tuple[Way, list[Link], FakeStream]:
    """A way, the links, of which it leads to the first, and a stream."""
    links = [Link(), Link()]
    way = Way(cast("BatchedLink", links[0]), lambda machine_id: machine_id == "m1")
    return way, links, a_stream("m1")


def test_what_is_open_moves() -> None:
    """And nothing else: a stream that has ended is not taken in by the new link."""
    way, (first, second), stream = a_way()
    over = a_stream("m1", 2)
    way.open_stream(over)
    way.open_stream(stream)
    way.close_stream(over, "GONE")
    assert 1 == len(way)
    way.lead(cast("BatchedLink", second))
    assert ("let go", [stream]) == first.told[-1]
    assert [("take in", [stream, "an end"])] == second.told
    way.close_stream(stream, "GONE")
    assert ("close", stream) == second.told[-1]
    assert 0 == len(way)


def test_a_way_that_leads_there_already_stays() -> None:
    """Nothing is announced twice for a word that comes twice."""
    way, (first, _), stream = a_way()
    way.open_stream(stream)
    way.lead(cast("BatchedLink", first))
    assert [("open", stream)] == first.told


def test_what_a_host_has_dropped_it_is_told_again() -> None:
    """Once it serves the partition, and once only; what another host drops is not its matter."""
    way, (first, second), stream = a_way()
    way.open_stream(stream)
    way.left(cast("BatchedLink", second))
    way.gained(cast("BatchedLink", first))
    assert [("open", stream)] == first.told
    way.left(cast("BatchedLink", first))
    way.lead(cast("BatchedLink", first))
    assert [("open", stream)] == first.told
    for _ in range(2):
        way.gained(cast("BatchedLink", first))
    assert [("let go", [stream]), ("take in", [stream, "an end"])] == first.told[1:]
    way.left(cast("BatchedLink", first))
    way.gained(cast("BatchedLink", second))
    way.gained(cast("BatchedLink", second))
    assert [("take in", [stream, "an end"])] == second.told
