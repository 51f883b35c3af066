"""When a stream has waited too long, and that nobody is looked at before."""

import math
from dataclasses import dataclass

import pytest

from gateway.machines.waits import Looks, Waits
from gateway.rpc import statuses
from gateway.rpc.limits import EdgeLimits

LIMITS = EdgeLimits(
    hello_timeout_s=10, welcome_timeout_s=15, silent_after_ms=60_000, write_timeout_s=5
)
HELD = LIMITS.faults_held_s
NEVER = math.inf


def waits(*, joined: bool = False, welcomed: bool = False) -> Waits:
    """A stream that was opened at 100 s."""
    made = Waits(LIMITS, 100.0)
    made.joined, made.welcomed = joined, welcomed
    return made


@pytest.mark.parametrize(
    ("stream", "at_s", "refusal"),
    [
        (waits(), 110.0, statuses.HELLO_TIMEOUT),
        (waits(joined=True), 115.0, statuses.HOST_UNAVAILABLE),
        (waits(joined=True, welcomed=True), 160.0, statuses.SILENT),
    ],
)
def test_each_wait_has_its_end(stream: Waits, at_s: float, refusal: statuses.Refusal) -> None:
    """The next look is when it may be over, and a moment later it is."""
    assert at_s == stream.next_at(NEVER, NEVER)
    assert stream.over(at_s) is None
    assert refusal is stream.over(at_s + 0.001)


def test_a_machine_that_is_heard_is_looked_at_later() -> None:
    """Its silence counts from the last that was heard of it."""
    stream = waits(joined=True, welcomed=True)
    stream.heard_at = 130.0
    assert 190.0 == stream.next_at(NEVER, NEVER)
    assert stream.over(190.0) is None


def test_a_machine_that_is_not_read_is_not_silent() -> None:
    """Then it is its host that keeps everybody waiting."""
    stream = waits(joined=True, welcomed=True)
    stream.reading, stream.since, stream.heard_at = False, 120.0, 10.0
    assert 180.0 == stream.next_at(NEVER, NEVER)
    assert stream.over(180.0) is None
    assert statuses.HOST_UNAVAILABLE is stream.over(180.001)


def test_a_write_and_held_faults_are_looked_at_in_their_time() -> None:
    """Whichever comes first."""
    stream = waits(joined=True, welcomed=True)
    assert 107.0 == stream.next_at(102.0, 101.0)
    assert 101.0 + HELD == stream.next_at(NEVER, 101.0)
    assert [False, True] == [stream.hang(102.0, now) for now in (107.0, 107.1)]
    assert not stream.hang(NEVER, 1e9)


def test_an_ending_is_looked_at_until_it_is_over() -> None:
    """What else was waited for counts no more; the ending itself may hang."""
    stream = waits(joined=True)
    stream.ended_at = 104.0
    assert 109.0 == stream.next_at(101.0, 101.0)
    assert [False, True] == [stream.hang(NEVER, now) for now in (109.0, 109.1)]


@dataclass(eq=False)
class Looked:
    """A stream that is looked at."""

    look_at: float = NEVER


def test_nobody_is_looked_at_early() -> None:
    """Streams come in the order of their times, once for each time that they asked."""
    looks, early, late = Looks[Looked](), Looked(), Looked()
    looks.ask(late, 20.0)
    looks.ask(early, 10.0)
    assert [] == looks.due(9.9)
    assert [early, late] == looks.due(20.0)
    assert [] == looks.due(1e9)


def test_the_earlier_look_counts() -> None:
    """Who asks for a later one is looked at all the same, and only once."""
    looks, stream = Looks[Looked](), Looked()
    for at in (20.0, 10.0, 30.0):
        looks.ask(stream, at)
    assert [stream] == looks.due(10.0)
    assert [] == looks.due(20.0)
    looks.ask(stream, 15.0)
    assert [stream] == looks.due(20.0)


def test_who_is_gone_is_not_looked_at() -> None:
    """Until it asks again."""
    looks, stream = Looks[Looked](), Looked()
    looks.ask(stream, 10.0)
    looks.forget(stream)
    looks.forget(stream)
    assert [] == looks.due(10.0)
    looks.ask(stream, 12.0)
    assert [stream] == looks.due(12.0)


def test_looks_that_do_not_count_any_more_are_given_up() -> None:
    """However many streams come and go, and however often each one asks."""
    looks, stays = Looks[Looked](), Looked()
    looks.ask(stays, 1e6)
    for number in range(10_000):
        passing = Looked()
        looks.ask(passing, 1e6 + number)
        looks.forget(passing)
        looks.ask(stays, 1e6 - number)
    assert len(looks) < 1_100
    assert [stays] == looks.due(1e9)
