"""Payers who exist only as numbers: what they buy is drawn, and so is who of them is held out.

Some buy many times as often as others, people buy more or less than they used to, some stop, and a
purchase is dear or cheap. Only who bought something before is there.
"""

import math
from random import Random
from typing import NamedTuple

from storage.lift.payers import PayerSpent

SPREAD, DRIFT, STOPS = 0.8, 0.4, 0.1
LEVEL = math.log(5)
PRICES = (300, 500, 500, 700, 1_200)


class PayerWorld(NamedTuple):
    """What both arms spent, and how many sales that was."""

    treated: list[PayerSpent]
    control: list[PayerSpent]
    treated_sales: int
    control_sales: int


def some(rng: Random, mean: float) -> int:
    """As many as come by chance, if so many are usual."""
    return max(0, round(rng.gauss(mean, math.sqrt(mean))))


def payers_of(seed: int, number: int, percent: int, lift: float) -> PayerWorld:
    """A world in which so many of a hundred are held out, and the others buy so much more."""
    rng = Random(f"payers {seed}")
    arms: tuple[list[PayerSpent], list[PayerSpent]] = ([], [])
    sales = [0, 0]
    there = 0
    while there < number:
        level = math.exp(rng.gauss(LEVEL, SPREAD))
        before = some(rng, level)
        if not before:
            continue
        there += 1
        arm = int(rng.random() * 100 < percent)
        goes_on = 0.1 if rng.random() < STOPS else math.exp(rng.gauss(0, DRIFT))
        during = some(rng, level * goes_on * (1 if arm else 1 + lift))
        price = rng.choice(PRICES)
        arms[arm].append(PayerSpent(before * price, during * price))
        sales[arm] += during
    return PayerWorld(*arms, *sales)
