"""An interval holds the truth as often as it says, and chance alone is called by its name."""

import math
import statistics
from collections.abc import Callable

import pytest

from storage.experiments.history import ITEMS_MIN
from storage.lift.estimate import BLOCKS_MIN, Lift, detectable, judged, permille, swapped
from tests.storage.lift.worlds import HALF, neighbours_of, pairs_of, switches_of

WORLDS = 400
TRUTH = 0.08


def of_pairs(seed: int, lift: float) -> Lift:
    """What is told of a world of twelve pairs."""
    found = judged(pairs_of(seed, 24, lift)[0], str(seed))
    assert found is not None
    return found


def of_switches(seed: int, lift: float) -> Lift:
    """What is told of a world of twelve machines that switch."""
    found = judged(switches_of(seed, 12, lift)[0], str(seed))
    assert found is not None
    return found


def of_sales(seed: int, lift: float) -> Lift:
    """The analysis that takes each sale for an observation, which is wrong."""
    _, sold = pairs_of(seed, 24, lift)
    treated, control = (sum(one[place] for one in sold) for place in (0, 1))
    mean, error = math.log(treated / control), math.sqrt(1 / treated + 1 / control)
    p = 2 * (1 - statistics.NormalDist().cdf(abs(mean) / error))
    low, high = math.expm1(mean - 1.96 * error), math.expm1(mean + 1.96 * error)
    return Lift(lift=math.expm1(mean), low=low, high=high, p=p, blocks=len(sold))


def is_honest(told: Callable[[int, float], Lift]) -> bool:
    """Whether intervals hold the truth in 93 to 97 of 100 worlds, and what is not there is called
    significant in 7 at most.
    """
    some = [told(seed, TRUTH) for seed in range(WORLDS)]
    none = [told(seed, 0.0) for seed in range(WORLDS)]
    held = sum(one.low <= TRUTH <= one.high for one in some) / WORLDS
    called = sum(one.significant for one in none) / WORLDS
    return 0.93 <= held <= 0.97 and called <= 0.07


@pytest.mark.parametrize("told", [of_pairs, of_switches])
def test_intervals_hold_the_truth(told: Callable[[int, float], Lift]) -> None:
    """In 400 worlds with a lift, and 400 without one."""
    assert is_honest(told)


@pytest.mark.parametrize(("usual", "told"), [(1, 0.208), (ITEMS_MIN, 0.300), (100, 0.300)])
def test_a_lift_of_few_items_is_told_too_small(usual: float, told: float) -> None:
    """So machines of fewer than ITEMS_MIN are not drawn: where 30 more are sold of 100, and items
    come by chance, growth is told as large as it is, from there on.
    """

    def logarithm(mean: float) -> float:
        """What comes of a logarithm on the average."""
        chances = (
            (count, math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)))
            for count in range(400)
        )
        return math.fsum(chance * math.log(count + HALF) for count, chance in chances)

    assert told == round(math.expm1(logarithm(1.3 * usual) - logarithm(usual)), 3)


def test_sales_are_no_units() -> None:
    """An analysis by sales is caught by the same question."""
    assert not is_honest(of_sales)


def test_customers_who_go_next_door_are_no_lift() -> None:
    """Machines of one site are in one arm; drawn one by one they would tell of a lift in nearly
    every world in which nobody buys more.
    """
    called = {}
    for known in (True, False):
        worlds = [neighbours_of(seed, 24, 0.1, known=known) for seed in range(WORLDS)]
        lifts = [judged(world, str(seed)) for seed, world in enumerate(worlds)]
        called[known] = sum(lift is not None and lift.significant for lift in lifts)
    assert called[True] / WORLDS <= 0.07
    assert called[False] / WORLDS > 0.5


def test_what_is_detectable_is_found_in_eighty_of_a_hundred() -> None:
    """As it was told beforehand, from worlds without an experiment."""
    before = detectable(switches_of(0, 12, 0.0)[0])
    assert before is not None
    smallest = statistics.fmean(
        detectable(switches_of(seed, 12, 0.0)[0]) or 0 for seed in range(20)
    )
    assert 0.02 < smallest < 0.15
    seen = sum(of_switches(seed, smallest).significant for seed in range(100))
    assert 70 <= seen <= 90


def test_shares_are_whole_thousandths() -> None:
    """The nearest, below zero too; and no more than a message has room for, which would keep all
    experiments from being told.
    """
    assert 1_000_000_000 == permille(math.expm1(22)) < 2**31
    assert [82, 1, 0, -82, -1] == [permille(one) for one in (0.0824, 0.0006, 0.0, -0.082, -0.0006)]


def test_few_blocks_say_nothing() -> None:
    """And six at least can say something."""
    assert judged([0.1] * (BLOCKS_MIN - 1), "a") is None
    assert detectable([0.1] * (BLOCKS_MIN - 1)) is None
    six = judged([0.1, 0.11, 0.12, 0.13, 0.14, 0.15], "a")
    assert six is not None
    assert (2 / 64, 6, True) == (six.p, six.blocks, six.significant)
    assert six.low < six.lift < six.high


def test_swapping_is_counted_whole_or_drawn() -> None:
    """Whole up to twelve blocks; drawn beyond, near to it and by the seed."""
    assert 1.0 == swapped([0.0] * 8, "a")
    assert 0.5 == swapped([1.0, 1.0], "a")
    mixed = [0.3, -0.1, 0.2, 0.05, -0.02, 0.11, 0.07, -0.2, 0.15, 0.01, 0.02, 0.1]
    drawn = swapped([*mixed, 0.0], "a")
    assert abs(drawn - swapped(mixed, "a")) < 0.02
    assert drawn == swapped([*mixed, 0.0], "a")
    assert swapped([1.0] * 13, "a") < 0.001
