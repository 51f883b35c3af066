"""Who comes to which machine on a day, and what they want: by the hour, the weekday, the kind of
site and the machine. Pure: the same plan tells the same.

Of those who come some would not pay the usual price (``at_most_minor``): they look at it, and go
where it is not lower. So what is tried is known to nobody but by its prices, and its true lift is
the plan's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from gateway.past.plan import (
    HOT,
    TASTE,
    TRIED_MINOR,
    PastPlace,
    PastPlan,
    usual_prices,
)

HOUR_S = 3_600
APART_S = 180
"""Two customers of one machine come so far apart at least: it sees to one at a time."""
PEOPLE = 24
"""So many live or work near a machine; the first of them come most often."""
PASSERS_BY = 0.2
"""So many of all who come are seen once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody comes ``at_s`` seconds after the local day began and wants what is in ``column``;
    ``at_most_minor`` None: at whatever it costs.
    """

    at_s: int
    place: int
    buyer: str
    column: str
    at_most_minor: int | None = None

    def pays(self, price_minor: int) -> bool:
        """Whether they buy at this price."""
        return self.at_most_minor is None or price_minor <= self.at_most_minor


def visits(plan: PastPlan, day: int, weekday: int) -> Sequence[Visit]:
    """Return who comes on a day of the plan, in the order of time; ``weekday`` 0 is Monday."""
    found = [
        visit
        for number, place in enumerate(plan.places)
        for visit in _at(plan, number, place, day, weekday)
    ]
    return sorted(found, key=lambda visit: (visit.at_s, visit.place))


def expected(plan: PastPlan, place: PastPlace, day: int, weekday: int) -> float:
    """Return how many customers a machine has on a day, on the average, at its usual prices."""
    weekend = place.kind.weekend[weekday - 5] if weekday >= 5 else 1.0
    hot = plan.hot_factor if place.district.code == HOT and day >= plan.hot_day else 1.0
    return plan.visits_a_day * place.factor * weekend * hot


def _at(plan: PastPlan, number: int, place: PastPlace, day: int, weekday: int) -> list[Visit]:
    rng = Random(f"past {plan.seed} {place.machine_id} {day}")  # noqa: S311 - it may be lived again
    usual = expected(plan, place, day, weekday)
    moments = sorted(_moment(place, rng) for _ in range(_poisson(usual * (1 + plan.lift), rng)))
    found, free_s = [], 0
    for moment in moments:
        at_s = max(moment, free_s)
        free_s = at_s + APART_S
        found.append(_visit(plan, number, place, at_s, rng))
    return found


def _visit(plan: PastPlan, number: int, place: PastPlace, at_s: int, rng: Random) -> Visit:
    prices = usual_prices()
    waits = rng.random() < plan.lift / (1 + plan.lift)
    wanted = sorted(TRIED_MINOR) if waits else list(TASTE)
    product = rng.choices(wanted, [TASTE[one] for one in wanted])[0]
    return Visit(
        at_s=at_s,
        place=number,
        buyer=_buyer(place, rng),
        column=prices[product][0],
        at_most_minor=TRIED_MINOR[product] if waits else None,
    )


def _buyer(place: PastPlace, rng: Random) -> str:
    if rng.random() < PASSERS_BY:
        return f"passer-by-{rng.getrandbits(32):08x}"
    often = [1 / (1 + number) for number in range(PEOPLE)]
    return f"{place.machine_id}-{rng.choices(range(PEOPLE), often)[0]}".lower()


def _moment(place: PastPlace, rng: Random) -> int:
    hour = rng.choices(range(len(place.kind.hours)), place.kind.hours)[0]
    return (place.kind.first_h + hour) * HOUR_S + rng.randrange(HOUR_S)


def _poisson(mean: float, rng: Random) -> int:
    """Return a number that is ``mean`` on the average, of what comes by itself (Knuth)."""
    count, left = 0, rng.random()
    while left > math.exp(-mean):
        left *= rng.random()
        count += 1
    return count
