"""Back-off of tries at a store that is away."""

import random

from actors.host.store_health import StoreHealth


class Time:
    """A clock that a test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def store_health(time: Time, seed: int = 1) -> StoreHealth:
    """Waits from 1 s to 8 s."""
    return StoreHealth(first_s=1.0, longest_s=8.0, rng=random.Random(seed), time_s=time)


def test_waits_double_up_to_the_longest_each_cut_by_chance() -> None:
    """Between a half and the whole of 1, 2, 4, 8, 8 seconds."""
    time = Time()
    away = store_health(time)
    for longest in (1, 2, 4, 8, 8):
        away.failed()
        assert longest / 2 <= away.wait_s <= longest
        time.now_s += away.wait_s


def test_failures_side_by_side_count_once() -> None:
    """Sixteen loads that fail together do not make the next wait long."""
    away = store_health(Time())
    for _ in range(16):
        away.failed()

    assert away.wait_s <= 1


def test_after_it_is_over_it_begins_anew() -> None:
    """No wait, no duration, and the next failure is a first one."""
    time = Time()
    away = store_health(time)
    away.failed()
    time.now_s += 30
    assert (True, 30) == (away.away, away.away_s)
    away.answered()

    assert (False, 0, 0) == (away.away, away.away_s, away.wait_s)
    away.failed()
    assert away.wait_s <= 1


def test_hosts_do_not_come_back_in_step() -> None:
    """Chance makes their waits differ."""
    waits = set()
    for seed in range(10):
        away = store_health(Time(), seed)
        away.failed()
        waits.add(away.wait_s)

    assert 10 == len(waits)
