"""Student's t distribution with whole degrees of freedom. Pure.

Its distribution function is a finite sum then (Abramowitz and Stegun, Handbook of Mathematical
Functions, 26.7.3 and 26.7.4); the quantile is found in it by halving.
"""

import math
from functools import lru_cache

FREEDOM_MAX = 10_000
_HALVINGS = 100


def within(t: float, freedom: int) -> float:
    """Return how probable it is that a t of so many degrees of freedom is between -t and t, for t
    of 0 or more. Raises ValueError outside of 1 to FREEDOM_MAX degrees.
    """
    if not 1 <= freedom <= FREEDOM_MAX:
        raise ValueError(f"1 to {FREEDOM_MAX} degrees of freedom, not {freedom}")
    angle = math.atan2(t, math.sqrt(freedom))
    cosine = math.cos(angle)
    # The sum of cosines' powers, each the one before by a fraction: odd powers from the first, or
    # even ones from none.
    term = cosine if freedom % 2 else 1.0
    terms = []
    for power in range(freedom % 2, freedom - 1, 2):
        terms.append(term)
        term *= cosine * cosine * (power + 1) / (power + 2)
    summed = math.sin(angle) * math.fsum(terms)
    return 2 / math.pi * (angle + summed) if freedom % 2 else summed


@lru_cache(maxsize=1_024)
def quantile(below: float, freedom: int) -> float:
    """Return the t below which a share ``below`` (0.5 to 1, without the ends) of all is. Raises
    ValueError outside of that.
    """
    if not 0.5 < below < 1:
        raise ValueError(f"a share above 0.5 and below 1, not {below}")
    wanted = 2 * below - 1
    high = 1.0
    while within(high, freedom) < wanted:
        high *= 2
    low = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if within(middle, freedom) < wanted:
            low = middle
        else:
            high = middle
    return high
