"""What payers spend is told with an interval that holds the truth, and chance is called chance."""

import math
import statistics
from collections.abc import Callable
from functools import partial
from random import Random

import pytest

from storage.lift.estimate import Lift
from storage.lift.payers import ARM_MIN, LEFT_MIN, PayerSpent, adjusted, detectable, judged, redrawn
from tests.storage.lift.payer_worlds import PayerWorld, payers_of

TRUTH = 0.2
PERCENT = 40
Judge = Callable[[PayerWorld, int], Lift | None]


def by_payers(world: PayerWorld, seed: int, draws: int = 199) -> Lift | None:
    """As it is done."""
    return judged(world.treated, world.control, PERCENT, str(seed), draws)


def by_sales(world: PayerWorld, _seed: int) -> Lift:
    """The analysis that takes each sale for an observation, which is wrong."""
    one, other = world.treated_sales, world.control_sales
    mean = math.log(one / len(world.treated)) - math.log(other / len(world.control))
    error = math.sqrt(1 / one + 1 / other)
    p = 2 * (1 - statistics.NormalDist().cdf(abs(mean) / error))
    low, high = math.expm1(mean - 1.96 * error), math.expm1(mean + 1.96 * error)
    return Lift(lift=math.expm1(mean), low=low, high=high, p=p, blocks=one + other)


def is_honest(told: Judge, worlds: range, payers: int) -> bool:
    """Whether intervals hold the truth in 93 to 97 of 100 worlds, and what is not there is called
    significant in 7 at most.
    """
    held = called = 0
    for seed in worlds:
        # Of an interval nothing is drawn again.
        quick = partial(by_payers, draws=0) if told is by_payers else told
        some = quick(payers_of(seed, payers, PERCENT, TRUTH), seed)
        none = told(payers_of(seed, payers, PERCENT, 0.0), seed)
        assert some is not None
        assert none is not None
        held += some.low <= TRUTH <= some.high
        called += none.significant
    return 0.93 <= held / len(worlds) <= 0.97 and called / len(worlds) <= 0.07


def test_intervals_hold_the_truth() -> None:
    """In 200 worlds with a lift, and 200 without one."""
    assert is_honest(by_payers, range(200), 400)


@pytest.mark.slow
def test_intervals_hold_the_truth_in_many_worlds() -> None:
    """Of as many payers as a small operator has."""
    assert is_honest(by_payers, range(10_000, 11_000), 1_500)


def test_sales_are_no_payers() -> None:
    """An analysis by sales is caught by the same question."""
    assert not is_honest(by_sales, range(100), 400)


def test_what_is_detectable_is_found_in_eighty_of_a_hundred() -> None:
    """As it was told beforehand, from worlds without an offer."""
    past = [payers_of(seed, 400, PERCENT, 0.0) for seed in range(10)]
    told = [detectable([*one.treated, *one.control], 240, 160) for one in past]
    smallest = statistics.fmean(one for one in told if one is not None)
    assert 0.15 < smallest < 0.5
    lifts = [by_payers(payers_of(seed, 400, PERCENT, smallest), seed) for seed in range(100)]
    assert 70 <= sum(lift is not None and lift.significant for lift in lifts) <= 90


def test_what_was_spent_before_narrows_the_interval() -> None:
    """Who spent much before would have spent much anyway."""
    world = payers_of(1, 600, PERCENT, TRUTH)
    blind = [[PayerSpent(0, one.during) for one in arm] for arm in (world.treated, world.control)]
    told, without = by_payers(world, 1, 0), judged(blind[0], blind[1], PERCENT, "1", 0)
    assert told is not None
    assert without is not None
    assert 1.2 * (told.high - told.low) < without.high - without.low
    assert adjusted(blind[0]) == [one.during for one in blind[0]]
    spent = [*world.treated, *world.control]
    mean = statistics.fmean(one.during for one in spent)
    assert pytest.approx(mean) == statistics.fmean(adjusted(spent))


def test_few_payers_say_nothing() -> None:
    """In either arm; nor do those who spend nothing."""
    enough, few = [PayerSpent(5, 5)] * ARM_MIN, [PayerSpent(5, 5)] * (ARM_MIN - 1)
    left, gone = enough[:LEFT_MIN], enough[: LEFT_MIN - 1]
    nothing = [PayerSpent(5, 0)] * ARM_MIN
    assert judged(left, left, 50, "a", 1) is not None
    for treated, control in ((gone, enough), (enough, gone), (nothing, enough), (enough, nothing)):
        assert judged(treated, control, 50, "a", 1) is None
    for past, arms in (
        (few, (ARM_MIN, ARM_MIN)),
        (enough, (ARM_MIN - 1, ARM_MIN)),
        (enough, (ARM_MIN, 1)),
        (nothing, (ARM_MIN, ARM_MIN)),
    ):
        assert detectable(past, *arms) is None
    alike = judged(enough, enough, 50, "a", 9)
    assert alike is not None
    assert (0.0, 0.0, 0.0, 1.0) == (alike.lift, alike.low, alike.high, alike.p)


def test_who_spends_next_to_nothing_says_nothing() -> None:
    """An arm of which nobody bought anything is no number to divide by, though what was foretold
    is taken off; nor is what one payer spent. No interval is without an end, and none breaks down.
    """
    for seed in range(300):
        rng = Random(seed)
        idle = [PayerSpent(100 * rng.randrange(1, 50), 0) for _ in range(300)]
        treated, control = idle[:200], idle[200:]
        for one in rng.sample(range(200), 3):
            treated[one] = treated[one]._replace(during=500)
        for arms in ((treated, control), (control, treated)):
            assert judged(*arms, 33, "a", 1) is None
        control[0] = control[0]._replace(during=500)
        assert judged(treated, control, 33, "a", 1) is None
    half = [PayerSpent(100, 500 * (number % 2)) for number in range(400)]
    assert judged(half[:200], half[200:], 50, "a", 1) is not None
    came_and_went = [*[PayerSpent(100, 0)] * 300, PayerSpent(100, 500), PayerSpent(100, -499)]
    assert detectable(came_and_went, ARM_MIN, ARM_MIN) is None
    assert detectable(half, 200, 200) is not None


def test_everybody_is_drawn_again_with_the_share_of_the_offer() -> None:
    """By the seed, and near to what can be reckoned: of ten who are held out by halves each, all
    five of the first and none of the others are so in few of all ways.
    """
    spent = [1.0] * 5 + [0.0] * 5
    drawn = redrawn(spent, 5, 50, "a", 20_000)
    assert drawn == redrawn(spent, 5, 50, "a", 20_000)
    # 2 of 1,024 ways are as far apart, and 2 more in which nobody is in an arm.
    assert pytest.approx(4 / 1_024, abs=0.0015) == drawn
    assert 1.0 == redrawn([1.0] * 10, 5, 50, "a", 50)
    rare = redrawn([0.0] * 199 + [9.0], 199, 1, "a", 500)
    assert 0.1 < rare < 0.6
