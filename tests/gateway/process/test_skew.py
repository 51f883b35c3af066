"""By how much our clock is ahead of Alipay's is known from Alipay's answers, or from two
notifications that agree.
"""

import datetime as dt

import pytest
from structlog.testing import capture_logs

from gateway.process.skew import KEPT_MS, PAID_AGAIN_MS, SAID_MS, Skew, process_skew

START_MS = 1_700_000_000_000
FAST_MS = 6 * 60_000
DAY_MS = 86_400_000


class Wrong:
    """A clock that is ``ahead_ms`` ahead of Alipay's."""

    def __init__(self, ahead_ms: int) -> None:
        self.ahead_ms = ahead_ms
        self.true_ms = START_MS

    def now_ms(self) -> int:
        """The time that our process believes."""
        return self.true_ms + self.ahead_ms


def test_nothing_is_known_before_anything_was_heard() -> None:
    """Nobody's payment is corrected by a guess."""
    skew = Skew(Wrong(FAST_MS))

    assert skew.ahead_ms() is None
    assert () == skew.sentences()


@pytest.mark.parametrize("ahead_ms", [FAST_MS, -FAST_MS, 3_600_000])
def test_an_answer_tells_how_far_the_clock_is_off(ahead_ms: int) -> None:
    """Within the time that the answer took, and a Date's whole second."""
    clock = Wrong(ahead_ms)
    skew = Skew(clock)
    skew.answered(clock.true_ms - 700, 400)
    found = skew.ahead_ms()

    assert found is not None
    assert abs(found - ahead_ms) <= 1_400
    assert skew.beyond
    (sentence,) = skew.sentences()
    assert (" ahead of " if ahead_ms > 0 else " behind ") in sentence
    told = skew.alipay_now() - dt.datetime.fromtimestamp(clock.true_ms / 1_000, dt.UTC)
    assert abs(told) <= dt.timedelta(seconds=1.4)


async def test_what_is_due_is_due_by_both_clocks() -> None:
    """The earlier one counts; and before Alipay's is known, when somebody paid last by it, which
    our own may be behind.
    """
    for ahead_ms in (FAST_MS, -FAST_MS):
        clock, paid = Wrong(ahead_ms), [None, START_MS - 5]
        skew = Skew(clock)

        async def paid_ms(said: list[int | None] = paid) -> int | None:
            return said.pop(0)

        agreed = skew.agreed(paid_ms)
        assert await agreed.now_ms() is None
        clock.true_ms += PAID_AGAIN_MS
        assert min(START_MS - 5, clock.now_ms()) == await agreed.now_ms()
        skew.answered(clock.true_ms, 0)
        now_ms = await agreed.now_ms()
        assert now_ms is not None
        assert 0 <= now_ms - clock.true_ms - min(0, ahead_ms) <= 1_000


@pytest.mark.parametrize("ahead_ms", [500 * DAY_MS, -500 * DAY_MS])
async def test_what_is_kept_is_dated_by_alipays_clock(ahead_ms: int) -> None:
    """However ours is wrong; before Alipay's is known, no earlier than the last payment."""
    clock = Wrong(ahead_ms)
    skew, paid = Skew(clock), [None, START_MS - 5]

    async def paid_ms() -> int | None:
        return paid.pop(0) if paid else START_MS - 5

    agreed = skew.agreed(paid_ms)
    assert clock.now_ms() == await agreed.likely_ms()
    clock.true_ms += PAID_AGAIN_MS
    assert max(START_MS - 5, clock.now_ms()) == await agreed.likely_ms()
    skew.answered(clock.true_ms, 0)
    assert abs(await agreed.likely_ms() - clock.true_ms) <= 1_000


async def test_who_paid_last_is_not_asked_for_each_act() -> None:
    """While Alipay is silent an act asks twice what time it is; SQL answers once in ten seconds."""
    clock, asked = Wrong(0), []

    async def paid_ms() -> int | None:
        asked.append(clock.true_ms)
        return START_MS - 5

    agreed = Skew(clock).agreed(paid_ms)
    for _ in range(100):
        assert START_MS - 5 == await agreed.now_ms()
        assert clock.true_ms == await agreed.likely_ms()
        clock.true_ms += PAID_AGAIN_MS // 50
    assert [START_MS, START_MS + PAID_AGAIN_MS] == asked


def test_clocks_that_may_be_the_same_are_the_same() -> None:
    """A slow answer and a whole second are no difference."""
    clock = Wrong(0)
    skew = Skew(clock)
    skew.answered(clock.true_ms - 4_500, 5_000)

    assert 0 == skew.ahead_ms()
    assert not skew.beyond


def test_one_old_notification_is_no_clock_that_is_ahead() -> None:
    """Two payments that agree are: the quickest of them counts."""
    clock = Wrong(FAST_MS)
    skew = Skew(clock)
    skew.notified("t1", clock.true_ms - 7_200_000)
    skew.notified("t1", clock.true_ms - 7_200_000)
    assert skew.ahead_ms() is None
    skew.notified("t2", clock.true_ms - 500)

    assert FAST_MS + 500 == skew.ahead_ms()


def test_an_answer_outweighs_old_notifications() -> None:
    """It bounds the difference from both sides."""
    clock = Wrong(0)
    skew = Skew(clock)
    for trade in ("t1", "t2"):
        skew.notified(trade, clock.true_ms - 7_200_000)
    skew.answered(clock.true_ms, 100)

    assert 0 == skew.ahead_ms()


@pytest.mark.parametrize("wrong_ms", [600_000, -600_000])
def test_one_answer_of_a_wrong_clock_moves_nothing(wrong_ms: int) -> None:
    """Neither a computer of Alipay's nor a notification among true answers makes payments late."""
    clock = Wrong(0)
    skew = Skew(clock)
    for _ in range(2):
        skew.answered(clock.true_ms - 700, 400)
    skew.answered(clock.true_ms + wrong_ms, 400)
    skew.notified("t1", clock.true_ms + wrong_ms)

    assert 0 == skew.ahead_ms()


def test_what_was_heard_long_ago_counts_no_more() -> None:
    """Clocks drift, and the computer's may have been set right before another start."""
    clock = Wrong(FAST_MS)
    skew = Skew(clock)
    skew.answered(clock.true_ms, 0)
    clock.true_ms += KEPT_MS + 1

    assert skew.ahead_ms() is None
    skew.notified("t1", None)
    assert skew.ahead_ms() is None


def test_a_difference_is_said_once_for_each_change() -> None:
    """The log is not filled by it."""
    clock = Wrong(SAID_MS * 3)
    skew = Skew(clock)
    with capture_logs() as lines:
        for _ in range(5):
            skew.answered(clock.true_ms, 0)
        clock.true_ms += KEPT_MS + 3 * SAID_MS + 1
        clock.ahead_ms = 0
        skew.answered(clock.true_ms, 0)

    assert 2 == len(lines)
    assert process_skew() is process_skew()
