"""The one gate through which every figure goes out that is made of payers. Pure.

A cell of fewer than ``least`` payers is not told, and is not to be found out either: figures are
told in whole steps of ``least``, rounded down, so that no difference of two of them is a handful of
people; sums of what they bought in steps that hide what any one of them bought, and what ``least``
of them buy on average; cells that are not told are told together, with others until they are
enough, and never one alone, which follows from the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LEAST = 10
LEAST_MIN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What is told of some cells: those of enough payers, the ``others`` together, and the
    ``whole``; None: too few.
    """

    told: Mapping[str, int]
    others: int | None
    whole: int | None


@dataclass(frozen=True, slots=True)
class Gate:
    """``least`` payers are enough. Raises ValueError below LEAST_MIN."""

    least: int = LEAST

    def __post_init__(self) -> None:
        if self.least < LEAST_MIN:
            raise ValueError(f"at least {LEAST_MIN} payers make a figure, not {self.least}")

    def count(self, payers: int) -> int | None:
        """Return what is told of a number of payers; None: too few, or none at all."""
        return payers // self.least * self.least if payers >= self.least else None

    def amount(self, total: int, *, payers: int, largest: int) -> int | None:
        """Return what is told of what so many payers bought together, ``largest`` by one of them:
        whole steps of 1, 2 or 5 with zeros, each at least what ``least`` of them buy on average and
        the largest; None: too few payers, or less than a step.
        """
        if payers < self.least or total <= 0:
            return None
        step = step_above(max(-(-total * self.least // payers), largest))
        return total // step * step or None

    def cells(self, payers: Mapping[str, int]) -> Cells:
        """Return what is told of cells that share no payer, by their keys."""
        told = {key: number for key, number in payers.items() if number >= self.least}
        hidden = [number for key, number in payers.items() if key not in told and number > 0]
        while hidden and told and (len(hidden) < 2 or sum(hidden) < self.least):
            smallest = min(told, key=lambda key: (told[key], key))
            hidden.append(told.pop(smallest))
        return Cells(
            told={key: number // self.least * self.least for key, number in told.items()},
            others=self.count(sum(hidden)) if hidden else None,
            whole=self.count(sum(payers.values())),
        )


def step_above(number: int) -> int:
    """Return the least of 1, 2, 5, 10, 20, 50, ... that is not below a number. Who knows it instead
    of the largest amount finds the same step in ``Gate.amount``.
    """
    ten = 1
    while ten * 10 < number:
        ten *= 10
    return next(ten * digit for digit in (1, 2, 5, 10) if ten * digit >= number)
