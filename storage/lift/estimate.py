"""What the differences of an experiment's blocks say together. Pure.

The interval is Student's over the blocks. Beside it stands a p that needs no distribution: how
often a difference this large comes out if the arms of each block are swapped by chance, as they
were drawn by chance (all ways where there are few, else some thousands by the seed).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storage.lift.student import quantile

CONFIDENCE = 0.95
POWER = 0.8
"""An effect as large as the detectable one is found in so many of all such experiments."""
SIGNIFICANT = 0.05
BLOCKS_MIN = 6
"""Of fewer blocks no swapping gives a p below SIGNIFICANT: 2 in 64 is the least of six."""
EXACT_MAX = 12
DRAWS = 4_000
PERMILLE_MAX = 1_000_000_000
"""A million times as much: whoever sold nothing before may sell so much, and no message has room
for more.
"""
_CLOSE = 1e-12
_TABLE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """How much more is sold, as a share (0.08: 8 % more), the interval that holds the truth in 95
    of 100 experiments, the p of the swapping, and of how many blocks all of it is.
    """

    lift: float
    low: float
    high: float
    p: float
    blocks: int

    @property
    def significant(self) -> bool:
        """Whether chance alone makes so much in at most 5 of 100 experiments."""
        return self.p <= SIGNIFICANT


def judged(differences: Sequence[float], seed: str) -> Lift | None:
    """Return what the differences of all blocks (logarithms of ratios) say; None if they are too
    few to say anything.
    """
    if len(differences) < BLOCKS_MIN:
        return None
    mean = statistics.fmean(differences)
    half = quantile((1 + CONFIDENCE) / 2, len(differences) - 1) * _error(differences)
    return Lift(
        lift=math.expm1(mean),
        low=math.expm1(mean - half),
        high=math.expm1(mean + half),
        p=swapped(differences, seed),
        blocks=len(differences),
    )


def swapped(differences: Sequence[float], seed: str) -> float:
    """Return how often chance alone makes a mean as far from none, in either direction, as this."""
    seen = abs(math.fsum(differences)) * (1 - _CLOSE)
    if len(differences) <= EXACT_MAX:
        sums = _sums(differences)
        return sum(abs(one) >= seen for one in sums) / len(sums)
    draws = Random(f"swapped {seed}")  # noqa: S311 - anybody may draw it again
    tables = [
        _sums(differences[start : start + _TABLE]) for start in range(0, len(differences), _TABLE)
    ]
    count = 1  # the arms as they are, are one of the ways
    for _ in range(DRAWS):
        bits = draws.getrandbits(_TABLE * len(tables))
        drawn = 0.0
        for table in tables:
            drawn += table[bits % len(table)]
            bits >>= _TABLE
        count += abs(drawn) >= seen
    return count / (DRAWS + 1)


def _sums(differences: Sequence[float]) -> list[float]:
    """Return the sums of all ways to give each of them a sign."""
    sums = [0.0]
    for one in differences:
        sums = [there + sign * one for there in sums for sign in (1, -1)]
    return sums


def detectable(differences: Sequence[float]) -> float | None:
    """Return the smallest lift, as a share, that an experiment of such blocks finds in 80 of 100
    tries. ``differences`` are of a time without an experiment, so that their true mean is 0. None
    if there are too few.
    """
    if len(differences) < BLOCKS_MIN:
        return None
    error = math.sqrt(statistics.fmean(one * one for one in differences) / len(differences))
    freedom = len(differences) - 1
    return math.expm1((quantile((1 + CONFIDENCE) / 2, freedom) + quantile(POWER, freedom)) * error)


def permille(share: float) -> int:
    """Return a share in whole thousandths, the nearest: 0.082 is 82; PERMILLE_MAX at most."""
    return math.floor(min(1_000 * share, PERMILLE_MAX) + 0.5)


def _error(differences: Sequence[float]) -> float:
    return statistics.stdev(differences) / math.sqrt(len(differences))
