"""What an offer changed, of payers: those to whom it was given, whether they used it or not, beside
those who were held out. Pure.

A payer is one observation, however often they bought. What they spent before takes away what would
have made them differ anyway: only what it does not foretell is compared. Beside Student's interval
stands a p that needs no distribution: how often a difference this large comes out if everybody is
drawn again as they were drawn, each by themselves with the offer's own share.
"""

import math
import statistics
from collections.abc import Sequence
from itertools import compress
from random import Random
from typing import NamedTuple

from storage.lift.estimate import CONFIDENCE, DRAWS, POWER, Lift
from storage.lift.student import quantile

ARM_MIN = 100
"""Of fewer payers in an arm a few who spend much decide, and intervals hold the truth too rarely.
"""
LEFT_MIN = 50
"""So many must be left in each at the end: that somebody is erased costs nobody the answer."""
ERROR_MAX = 0.5
"""Of what an arm spent on the average, squared and as a share of it. Of k payers who spend alike,
among others who spend nothing, it is 1/k: of fewer than two no ratio can be made.
"""
_FREEDOM_MAX = 1_000
"""Beyond, Student's t is the normal one to three digits."""
_CLOSE = 1e-12
_FULL = 200
"""So many of a byte's values are two whole hundreds: a share in hundredths is drawn exactly."""


class PayerSpent(NamedTuple):
    """What a payer spent in the time before, and in the time that counts; in minor units."""

    before: int
    during: int


class _Arm(NamedTuple):
    mean: float
    error: float
    """Of the mean, squared, as a share of its square; infinite if nothing was spent."""
    number: int


def judged(
    treated: Sequence[PayerSpent],
    control: Sequence[PayerSpent],
    percent: int,
    seed: str,
    draws: int = DRAWS,
) -> Lift | None:
    """Return what both arms say; ``percent`` of payers are held out by chance. None if one has
    fewer than LEFT_MIN, or spent so little that it may as well be nothing (ERROR_MAX).
    """
    if min(len(treated), len(control)) < LEFT_MIN:
        return None
    unforetold = adjusted([*treated, *control])
    arms = [_arm(unforetold[: len(treated)]), _arm(unforetold[len(treated) :])]
    spent = [_arm([float(one.during) for one in arm]) for arm in (treated, control)]
    if max(arm.error for arm in (*arms, *spent)) >= ERROR_MAX:
        return None
    one, other = arms
    error = one.error + other.error
    mean = math.log(one.mean / other.mean)
    freedom = _freedom(arms)
    half = quantile((1 + CONFIDENCE) / 2, freedom) * math.sqrt(error)
    return Lift(
        lift=math.expm1(mean),
        low=math.expm1(mean - half),
        high=math.expm1(mean + half),
        p=redrawn(unforetold, len(treated), percent, seed, draws),
        blocks=len(unforetold),
    )


def adjusted(spent: Sequence[PayerSpent]) -> list[float]:
    """Return what each payer spent in the time that counts, without what the time before foretells
    of it: as much more or less as those of all arms together spend by it. Their mean stays.
    """
    before = [float(one.before) for one in spent]
    mean = statistics.fmean(before)
    spread = math.fsum((one - mean) ** 2 for one in before)
    if not spread:
        return [float(one.during) for one in spent]
    slope = math.fsum((one.before - mean) * one.during for one in spent) / spread
    return [one.during - slope * (one.before - mean) for one in spent]


def redrawn(
    unforetold: Sequence[float], treated: int, percent: int, seed: str, draws: int = DRAWS
) -> float:
    """Return how often chance alone makes the means of both arms as far from one another, in either
    direction, as those of the first ``treated`` and of the others are.
    """
    number, whole = len(unforetold), math.fsum(unforetold)
    seen = abs(_apart(math.fsum(unforetold[treated:]), number - treated, whole, number))
    seen *= 1 - _CLOSE
    random = Random(f"redrawn {seed}")  # noqa: S311 - anybody may draw it again
    is_held_out = bytes(value % 100 < percent for value in range(256))
    beyond = bytes(range(_FULL, 256))
    count = 1  # the arms as they are, are one of the ways
    for _ in range(draws):
        held_out = b""
        while len(held_out) < number:
            some = random.randbytes(number * 4 // 3 + 64)
            held_out += some.translate(is_held_out, beyond)
        held_out = held_out[:number]
        few = held_out.count(1)
        drawn = sum(compress(unforetold, held_out))
        count += not 0 < few < number or abs(_apart(drawn, few, whole, number)) >= seen
    return count / (draws + 1)


def detectable(past: Sequence[PayerSpent], treated: int, control: int) -> float | None:
    """Return the smallest lift, as a share, that so many payers in both arms find in 80 of 100
    tries. ``past`` is of a time without the offer. None if that is too little, or what was spent
    in it may as well be nothing.
    """
    if min(len(past), treated, control) < ARM_MIN:
        return None
    unforetold = adjusted(past)
    mean = statistics.fmean(unforetold)
    if mean <= 0:
        return None
    spread = statistics.stdev(unforetold) / mean
    error = spread * math.sqrt(1 / treated + 1 / control)
    if error**2 >= 2 * ERROR_MAX:
        return None
    freedom = min(treated, control, _FREEDOM_MAX) - 1
    return math.expm1((quantile((1 + CONFIDENCE) / 2, freedom) + quantile(POWER, freedom)) * error)


def _apart(of: float, few: int, whole: float, number: int) -> float:
    """Return how much the mean of the others is above that of ``few``, which make ``of``."""
    return (whole - of) / (number - few) - of / few


def _arm(of: Sequence[float]) -> _Arm:
    mean = statistics.fmean(of)
    variance = math.fsum((one - mean) ** 2 for one in of) / (len(of) - 1)
    error = variance / len(of) / mean**2 if mean > 0 else math.inf
    return _Arm(mean=mean, error=error, number=len(of))


def _freedom(arms: Sequence[_Arm]) -> int:
    """Return the degrees of freedom of two arms that scatter differently (Welch and
    Satterthwaite).
    """
    error = math.fsum(arm.error for arm in arms)
    parts = math.fsum(arm.error**2 / (arm.number - 1) for arm in arms)
    return max(1, min(_FREEDOM_MAX, int(error**2 / parts))) if parts else _FREEDOM_MAX
