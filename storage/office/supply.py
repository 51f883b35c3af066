"""For how long the goods in a column last, by what was sold out of it. Pure.

What a column sells is taken for a Poisson process: so many sales in so much time. An empty column
sells nothing, so that one which was often empty sold less than was wanted.
"""

from dataclasses import dataclass

Z = 1.6449
"""The normal deviate of 95 %: 5 % of what may be lie below the interval, and 5 % above it."""
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """How many hours the stock lasts: as was sold, and at the fastest and slowest with which what
    was sold agrees. None: nothing says that it will ever be sold.
    """

    hours: int | None
    hours_low: int
    hours_high: int | None


def supply(stock: int, sold: int, span_ms: int) -> Supply:
    """Return how long ``stock`` lasts if ``sold`` were sold in ``span_ms``, which is above 0.

    The interval of the mean of a Poisson count n, 90 %, is Byar's approximation of the exact one
    (Breslow and Day, Statistical Methods in Cancer Research II, 1987, page 69)::

        n (1 - 1/(9 n) - z/(3 sqrt n))^3   to   m (1 - 1/(9 m) + z/(3 sqrt m))^3, with m = n + 1

    For n = 0 the lower end is 0. For n = 7 it is 3.28 to 13.14; exact are 3.29 to 13.15.
    """
    least, most = rates(sold)
    hours = stock * span_ms / HOUR_MS
    return Supply(
        hours=int(hours / sold) if sold else None,
        hours_low=int(hours / most),
        hours_high=int(hours / least) if least > 0 else None,
    )


def rates(sold: int) -> tuple[float, float]:
    """Return between how many sales in the same time the truth lies, as ``supply`` says."""
    least = 0.0
    if sold:
        least = sold * (1 - 1 / (9 * sold) - Z / (3 * sold**0.5)) ** 3
    more = sold + 1
    return max(0.0, least), more * (1 - 1 / (9 * more) + Z / (3 * more**0.5)) ** 3


def expected(stock: int, sold: int, span_ms: int, ahead_ms: int) -> int:
    """Return how many are likely to be left after ``ahead_ms`` more, to the next whole one."""
    return max(0, stock - (2 * sold * ahead_ms + span_ms) // (2 * span_ms))
