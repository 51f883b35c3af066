"""What is said of districts is right as often as it says, and nearer to the truth than raw."""

import math
import statistics
from random import Random

from storage.insight.shrinkage import estimated, expected

WORLDS = 200
DISTRICTS = 12
BETWEEN, WITHIN = 0.35, 0.55
LEVEL = math.log(2_000)


def world(rng: Random) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The true levels of districts, and what their one to eight machines sell."""
    truth = {f"d{number}": rng.gauss(LEVEL, BETWEEN) for number in range(DISTRICTS)}
    return truth, {
        name: [math.exp(rng.gauss(level, WITHIN)) for _ in range(rng.randint(1, 8))]
        for name, level in truth.items()
    }


def test_intervals_hold_the_truth_and_what_is_drawn_in_is_nearer() -> None:
    """In 93 to 97 of 100 districts of 200 worlds; and of what is called HOT or COLD few are not."""
    inside, raw, drawn, called, wrong, new = 0, 0.0, 0.0, 0, 0, 0
    for seed in range(WORLDS):
        rng = Random(seed)
        truth, rates = world(rng)
        found = estimated(rates)
        assert found is not None
        for name, one in found.districts.items():
            level = truth[name]
            inside += math.log(one.low) <= level <= math.log(one.high)
            raw += (math.log(one.raw) - level) ** 2
            drawn += (math.log(one.mean) - level) ** 2
            if one.label != "NOT_KNOWN":
                called += 1
                wrong += (one.label == "HOT") != (level > LEVEL)
        _, low, high = expected(found, "d0")
        new += low <= math.exp(rng.gauss(truth["d0"], WITHIN)) <= high
    of = WORLDS * DISTRICTS
    assert 0.93 <= inside / of <= 0.97
    assert drawn < 0.7 * raw
    assert 0.1 < called / of < 0.5
    assert wrong < 0.1 * called
    assert 0.91 <= new / WORLDS <= 0.99


def test_few_say_nothing() -> None:
    """Two districts, or districts of one machine each, tell not how much they differ."""
    assert estimated({}) is None
    assert estimated({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]}) is None
    assert estimated({name: [1.0] for name in "abcdefgh"}) is None


def test_a_district_like_all_others_is_not_known() -> None:
    """One that sells ten times as much with several machines is hot; the others are not cold."""
    rng = Random(1)
    usual = {name: [math.exp(rng.gauss(LEVEL, 0.3)) for _ in range(4)] for name in "bcdefg"}
    hot = [10 * rate for rate in usual["b"]]
    found = estimated({"a": hot, **usual})
    assert found is not None
    assert "HOT" == found.districts["a"].label
    assert {"NOT_KNOWN"} >= {found.districts[name].label for name in "cdefg"} - {"COLD"}
    assert found.districts["a"].mean < found.districts["a"].raw
    nowhere = expected(found, "nowhere")
    assert nowhere[1] < statistics.median(map(statistics.median, usual.values())) < nowhere[2]


def test_machines_that_are_all_alike_are_an_accident() -> None:
    """And no division by nothing."""
    found = estimated({name: [100.0, 100.0] for name in "abcd"})
    assert found is not None
    assert {"NOT_KNOWN"} == {one.label for one in found.districts.values()}
