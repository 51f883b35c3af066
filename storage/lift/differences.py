"""One number for each block of an experiment: how much more was sold where, or when, it was tried,
as a logarithm of a ratio. Pure.

Sales are divided by the time in which something could be sold, so that a machine that was dark or
empty does not pass for one that nobody wanted. ``half`` is half of what is usually sold at once: it
is added to each sum, so that nothing sold has a logarithm too.
"""

import math
import statistics
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

DAY_S = 86_400
_SHARE_MIN = 1e-9


class SoldIn(NamedTuple):
    """What was sold, in items or in minor units, and the seconds in which anything could be."""

    sold: float
    sellable_s: int


NOTHING = SoldIn(0.0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrePost:
    """A machine before the experiment and while it ran."""

    before: SoldIn
    during: SoldIn

    def grown(self, half: float) -> float | None:
        """Return the logarithm of its growth; None if it could not sell at some time of both."""
        before, during = rate(self.before, half), rate(self.during, half)
        return None if before is None or during is None else math.log(during / before)


def rate(of: SoldIn, half: float) -> float | None:
    """Return what was sold in a sellable day; None if there was no such time."""
    return (max(0.0, of.sold) + half) * DAY_S / of.sellable_s if of.sellable_s > 0 else None


def paired(treated: Iterable[PrePost], control: Iterable[PrePost], half: float) -> float | None:
    """Return how much more the treated machines of a pair have grown, those of an arm on the
    average; None if an arm has none of which it can be told.
    """
    one, other = (
        [grown for of in arm if (grown := of.grown(half)) is not None] for arm in (treated, control)
    )
    return statistics.fmean(one) - statistics.fmean(other) if one and other else None


def by_place(found: Mapping[str, float], places: Mapping[str, str]) -> dict[str, float]:
    """Return one difference for each place: that of its machines on the average."""
    mine: dict[str, list[float]] = {}
    for machine_id, difference in sorted(found.items()):
        mine.setdefault(places.get(machine_id, machine_id), []).append(difference)
    return {place: statistics.fmean(of) for place, of in mine.items()}


def switched(
    machines: Mapping[str, Mapping[int, SoldIn]],
    treated: Mapping[str, Collection[int]],
    half: float,
    places: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Return for each machine how much more it sold on its treated days than on its others, each
    day beside how good it was for the machines of *other* places: with its own among them, which
    are treated on the same days, some of what is sought would be taken away. ``places`` says which
    machines are together; one that it does not know is by itself. ``machines`` have those days only
    that count; a machine is left out that has none of one kind.
    """
    good = _good(machines)
    place_of = {one: (places or {}).get(one, one) for one in good}
    fleet: dict[int, list[float]] = {}
    mine: dict[tuple[str, int], list[float]] = {}
    for machine_id, by_day in good.items():
        for d, (how_good, share) in by_day.items():
            for there in (
                fleet.setdefault(d, [0.0, 0.0]),
                mine.setdefault((place_of[machine_id], d), [0.0, 0.0]),
            ):
                there[0] += how_good * share
                there[1] += share
    found = {}
    for machine_id, by_day in good.items():
        others = {}
        for d in by_day:
            own, own_share = mine[place_of[machine_id], d]
            if (share := fleet[d][1] - own_share) > _SHARE_MIN:
                others[d] = (fleet[d][0] - own) / share
        on = set(treated.get(machine_id, ()))
        difference = _difference(machines[machine_id], on, others, half)
        if difference is not None:
            found[machine_id] = difference
    return found


def _good(
    machines: Mapping[str, Mapping[int, SoldIn]],
) -> dict[str, dict[int, tuple[float, float]]]:
    """Return how good each day was for each machine, beside all of its days (1: as usual), and for
    what share of the day it could sell. One that sold nothing says nothing of days.
    """
    found = {}
    for machine_id, by_day in machines.items():
        sold = math.fsum(max(0.0, one.sold) for one in by_day.values())
        spent = sum(one.sellable_s for one in by_day.values())
        if sold > 0 and spent > 0:
            usual = sold / spent
            found[machine_id] = {
                d: (max(0.0, one.sold) / one.sellable_s / usual, one.sellable_s / DAY_S)
                for d, one in by_day.items()
                if one.sellable_s > 0
            }
    return found


def _difference(
    by_day: Mapping[int, SoldIn], on: Collection[int], others: Mapping[int, float], half: float
) -> float | None:
    sold, spent = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    for d, how_good in others.items():
        if how_good > 0:
            # As much time as was good counts: what was sold stays as it was counted.
            sold[d in on] += by_day[d].sold
            spent[d in on] += by_day[d].sellable_s * how_good
    if not (spent[True] > 0 and spent[False] > 0):
        return None
    treated, usual = ((max(0.0, sold[arm]) + half) / spent[arm] for arm in (True, False))
    return math.log(treated / usual)
