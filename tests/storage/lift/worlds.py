"""Fleets that exist only as numbers: what machines sell is drawn, and so is what is tried on them.

Means of machines differ much (a coefficient of variation of 0.6), days are good or bad for all of
them at once and for each by itself, machines drift, some are dark for a while, and what is sold is
counted in whole items.
"""

import math
from random import Random

from storage.insight import days
from storage.lift.assignment import Unit, paired, switchback
from storage.lift.differences import DAY_S, PrePost, SoldIn, switched
from storage.lift.differences import paired as pair_difference

FIRST, DAYS = 20260706, 28
SPREAD, DAY_NOISE, OWN_NOISE, DRIFT = 0.55, 0.15, 0.15, 0.12
LEVEL = math.log(18)
HALF = 0.5


def counted(rng: Random, mean: float) -> int:
    """As many as come by chance, if so many are usual."""
    return max(0, round(rng.gauss(mean, math.sqrt(mean))))


def pairs_of(seed: int, machines: int, lift: float) -> tuple[list[float], list[tuple[int, int]]]:
    """The differences of a world's pairs, and beside each what both arms sold in the time."""
    rng = Random(f"pairs {seed}")
    before, during = {}, {}
    levels = {f"VM-{number}": rng.gauss(LEVEL, SPREAD) for number in range(machines)}
    for name, level in levels.items():
        open_days = rng.choice([DAYS, DAYS, DAYS, rng.randint(14, DAYS)])
        mean = math.exp(level + rng.gauss(0, OWN_NOISE / math.sqrt(DAYS)))
        before[name] = SoldIn(counted(rng, mean * DAYS), DAYS * DAY_S)
        during[name] = (math.exp(level + rng.gauss(0, DRIFT)), open_days)
    units = [
        Unit(machine_id=name, site_type="STATION", sold=of.sold) for name, of in before.items()
    ]
    found, sold = [], []
    for pair in paired(units, str(seed)):
        both = []
        for (name,), factor in ((pair.treated, 1 + lift), (pair.control, 1.0)):
            mean, open_days = during[name]
            told = SoldIn(counted(rng, mean * factor * open_days), open_days * DAY_S)
            both.append(PrePost(before=before[name], during=told))
        difference = pair_difference(both[:1], both[1:], HALF)
        assert difference is not None
        found.append(difference)
        sold.append((int(both[0].during.sold), int(both[1].during.sold)))
    return found, sold


def neighbours_of(seed: int, sites: int, moved: float, *, known: bool) -> list[float]:
    """The differences of a world of two machines at each site, in which nobody buys more: such a
    share of what a machine sells is bought at its neighbour instead if that is the treated one.
    ``known``: it is told which machines stand together.
    """
    rng = Random(f"neighbours {seed}")
    names = [f"VM-{number:03}" for number in range(2 * sites)]
    level = {name: math.exp(rng.gauss(LEVEL, SPREAD)) * DAYS for name in names}
    before = {name: counted(rng, level[name]) for name in names}
    units = [
        Unit(
            machine_id=name,
            site_type="STATION",
            sold=before[name],
            site=str(number // 2) if known else "",
        )
        for number, name in enumerate(names)
    ]
    pairs = paired(units, str(seed))
    treated = {name for pair in pairs for name in pair.treated}
    usual = {name: level[name] * math.exp(rng.gauss(0, DRIFT)) for name in names}
    during = dict(usual)
    for one, other in zip(names[::2], names[1::2], strict=True):
        if (one in treated) != (other in treated):
            to, away = (one, other) if one in treated else (other, one)
            during[to] += moved * usual[away]
            during[away] -= moved * usual[away]
    told = {
        name: PrePost(
            before=SoldIn(before[name], DAYS * DAY_S),
            during=SoldIn(counted(rng, during[name]), DAYS * DAY_S),
        )
        for name in names
    }
    found = []
    for pair in pairs:
        on, off = ([told[name] for name in arm] for arm in (pair.treated, pair.control))
        difference = pair_difference(on, off, HALF)
        assert difference is not None
        found.append(difference)
    return found


def switches_of(seed: int, machines: int, lift: float) -> tuple[list[float], tuple[int, int]]:
    """The differences of a world's machines, and what was sold on and off in all."""
    rng = Random(f"switches {seed}")
    names = [f"VM-{number}" for number in range(machines)]
    treated = switchback(names, FIRST, DAYS, str(seed))
    factors = {
        d: math.exp(rng.gauss(0, DAY_NOISE))
        for d in days.between(FIRST, days.moved(FIRST, DAYS - 1))
    }
    by_machine, on, off = {}, 0, 0
    for name in names:
        level, mine = math.exp(rng.gauss(LEVEL, SPREAD)), set(treated[name])
        by_day = {}
        for d, factor in factors.items():
            own = math.exp(rng.gauss(0, OWN_NOISE))
            mean = level * factor * own * (1 + lift if d in mine else 1)
            share = rng.random() if rng.random() < 0.1 else 1.0
            number = counted(rng, mean * share)
            by_day[d] = SoldIn(number, int(share * DAY_S))
            on, off = (on + number, off) if d in mine else (on, off + number)
        by_machine[name] = by_day
    return list(switched(by_machine, treated, HALF).values()), (on, off)
