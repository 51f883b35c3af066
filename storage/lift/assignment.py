"""Who is in which arm of an experiment. Pure: the same seed and the same machines give the same.

Chance is a hash of the seed and the unit, so that anybody can make the assignment again. The seed
is the experiment's own: two experiments share no luck.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from storage.insight import days

FORTNIGHT = 14
"""So many days have each weekday twice: once in either arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A machine, the type of its site, and how much it sold each sellable day before."""

    machine_id: str
    site_type: str
    sold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two machines that are as alike as there are; ``treated`` gets what is tried."""

    treated: str
    control: str


def paired(units: Iterable[Unit], seed: str) -> list[Pair]:
    """Return pairs of neighbours in the order of sales within each type of site; those that are
    left of the types are paired with one another. Of an odd number one is in no pair.
    """
    by_type: dict[str, list[Unit]] = {}
    for unit in units:
        by_type.setdefault(unit.site_type, []).append(unit)
    pairs: list[tuple[str, str]] = []
    left: list[Unit] = []
    for _, of in sorted(by_type.items()):
        ordered = _by_sales(of)
        if len(ordered) % 2:
            left.append(ordered.pop())
        pairs += _neighbours(ordered)
    pairs += _neighbours(_by_sales(left))
    return [
        Pair(treated=one, control=other)
        if _drawn(seed, one, other) % 2
        else Pair(treated=other, control=one)
        for one, other in pairs
    ]


def switchback(
    machine_ids: Iterable[str], first: int, length: int, seed: str
) -> dict[str, list[int]]:
    """Return the days (yyyymmdd) on which each machine is treated: half of its days of a weekday.
    Machines are drawn independently of one another. Raises ValueError unless ``length`` is whole
    fortnights.
    """
    if length <= 0 or length % FORTNIGHT:
        raise ValueError(f"a switchback has whole fortnights, not {length} days")
    by_weekday: dict[int, list[int]] = {}
    for d in days.between(first, days.moved(first, length - 1)):
        by_weekday.setdefault(days.weekday(d), []).append(d)
    return {
        machine_id: sorted(
            d
            for of in by_weekday.values()
            for d in sorted(of, key=lambda d: _drawn(seed, machine_id, str(d)))[: len(of) // 2]
        )
        for machine_id in machine_ids
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
