"""Who is in which arm of an experiment. Pure: the same seed and the same machines give the same.

Chance is a hash of the seed and the unit, so that anybody can make the assignment again. The seed
is the experiment's own: two experiments share no luck.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from storage.insight import days

FORTNIGHT = 14
"""So many days have each weekday twice: once in either arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A machine, the type of its site, how much it sold each sellable day before, and its site; one
    that stands at none is by itself.
    """

    machine_id: str
    site_type: str
    sold: float
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two machines, or the machines of two sites, that are as alike as there are; those of
    ``treated`` get what is tried.
    """

    treated: tuple[str, ...]
    control: tuple[str, ...]


def together(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    """Return the machines that are drawn together, under the first of their names: those of one
    site. In two arms they would take customers from one another, and whoever buys at the cheaper
    one instead would be told as a sale more.
    """
    first: dict[str, str] = {}
    found: dict[str, list[Unit]] = {}
    for unit in sorted(units, key=lambda unit: unit.machine_id):
        name = first.setdefault(unit.site, unit.machine_id) if unit.site else unit.machine_id
        found.setdefault(name, []).append(unit)
    return found


def paired(units: Iterable[Unit], seed: str) -> list[Pair]:
    """Return pairs of neighbours in the order of sales within each type of site; those that are
    left of the types are paired with one another. Of an odd number one is in no pair. Machines of
    one site are as one.
    """
    places = together(units)
    by_type: dict[str, list[Unit]] = {}
    for name, of in places.items():
        site_type, sold = of[0].site_type, math.fsum(unit.sold for unit in of)
        one = Unit(machine_id=name, site_type=site_type, sold=sold)
        by_type.setdefault(site_type, []).append(one)
    pairs: list[tuple[str, str]] = []
    left: list[Unit] = []
    for _, of in sorted(by_type.items()):
        ordered = _by_sales(of)
        if len(ordered) % 2:
            left.append(ordered.pop())
        pairs += _neighbours(ordered)
    pairs += _neighbours(_by_sales(left))
    names = {name: tuple(unit.machine_id for unit in of) for name, of in places.items()}
    return [
        Pair(treated=names[one], control=names[other])
        if _drawn(seed, one, other) % 2
        else Pair(treated=names[other], control=names[one])
        for one, other in pairs
    ]


def switchback(places: Iterable[str], first: int, length: int, seed: str) -> dict[str, list[int]]:
    """Return the days (yyyymmdd) on which each place (``together``) is treated: half of its days of
    a weekday. Places are drawn independently of one another. Raises ValueError unless ``length`` is
    whole fortnights.
    """
    if length <= 0 or length % FORTNIGHT:
        raise ValueError(f"a switchback has whole fortnights, not {length} days")
    by_weekday: dict[int, list[int]] = {}
    for d in days.between(first, days.moved(first, length - 1)):
        by_weekday.setdefault(days.weekday(d), []).append(d)
    return {
        place: sorted(
            d
            for of in by_weekday.values()
            for d in sorted(of, key=lambda d: _drawn(seed, place, str(d)))[: len(of) // 2]
        )
        for place in places
    }


def digest(parts: Mapping[str, Sequence[str]]) -> str:
    """Return a hash of an assignment: by arm or machine, what belongs to it."""
    said = "\n".join(f"{name} {' '.join(of)}" for name, of in sorted(parts.items()))
    return hashlib.sha256(said.encode()).hexdigest()


def _by_sales(units: Iterable[Unit]) -> list[Unit]:
    return sorted(units, key=lambda unit: (-unit.sold, unit.machine_id))


def _neighbours(units: Sequence[Unit]) -> list[tuple[str, str]]:
    return [
        (units[place].machine_id, units[place + 1].machine_id)
        for place in range(0, len(units) - 1, 2)
    ]


def _drawn(*of: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(of).encode()).digest()[:8], "big")
