"""What is said of a wrong clock is said once, renewed, and taken back."""

import asyncio

from actors.ports import StoreError
from gateway.process.clock_watch import RENEW_S, ClockWatch, clock_watched, teller
from gateway.process.skew import Skew
from tests.support.edge import NOW_MS, FixedClock, Spans
from tests.support.patience import until


class Told:
    """Remembers what was said; ``away``: the database does not answer."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []
        self.away = False

    async def told(self, teller: str, *, ahead_ms: int, at_ms: int) -> None:
        """The clock is wrong."""
        self._say(f"{teller} {ahead_ms}", at_ms)

    async def right(self, teller: str, *, at_ms: int) -> None:
        """It is right."""
        self._say(f"{teller} right", at_ms)

    def _say(self, words: str, at_ms: int) -> None:
        if self.away:
            raise StoreError("away")
        self.said.append((words, at_ms))


def watched(clock: FixedClock, spans: Spans) -> tuple[Skew, Told, ClockWatch]:
    skew, told = Skew(clock), Told()
    return skew, told, ClockWatch(skew, told, clock=clock, name="p", monotonic=spans)


async def test_it_is_told_once_and_renewed() -> None:
    """Whatever number of notifications and answers tell of it; the time told is Alipay's."""
    clock, spans = FixedClock(), Spans()
    skew, told, watch = watched(clock, spans)
    await watch.look()
    assert [] == told.said
    for trade in range(50):
        skew.answered(NOW_MS - 361_000, 0)
        skew.notified(f"t{trade}", NOW_MS - 361_000)
        await watch.look()
    ahead_ms = skew.ahead_ms()
    assert ahead_ms is not None
    wrong = (f"p {ahead_ms}", NOW_MS - ahead_ms)
    assert [wrong] == told.said
    spans.at_s += RENEW_S
    await watch.look()
    await watch.look()
    assert [wrong, wrong] == told.said


async def test_it_is_taken_back_when_the_clock_is_right() -> None:
    """And when the process ends with a clock that was wrong."""
    clock, spans = FixedClock(), Spans()
    skew, told, watch = watched(clock, spans)
    for _ in range(3):
        skew.answered(NOW_MS - 361_000, 0)
    await watch.look()
    for _ in range(9):
        skew.answered(NOW_MS, 0)
    await watch.look()
    assert ("p right", NOW_MS) == told.said[-1]
    await watch.end()
    assert 2 == len(told.said)
    for _ in range(9):
        skew.answered(NOW_MS + 361_000, 0)
    await watch.look()
    await watch.end()
    assert [False, True] == [words == "p right" for words, _ in told.said[2:]]


async def test_a_database_that_is_away_is_told_again() -> None:
    """The watch lives on, and its end waits for nobody."""
    clock, spans = FixedClock(), Spans()
    skew, told, watch = watched(clock, spans)
    skew.answered(NOW_MS - 361_000, 0)
    told.away = True
    async with clock_watched(watch):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        told.away = False
        await watch.look()
        await until(lambda: 1 == len(told.said))
    assert "p right" == told.said[-1][0]


def test_each_process_has_its_name() -> None:
    """It fits its column."""
    assert 0 < len(teller()) <= 128
