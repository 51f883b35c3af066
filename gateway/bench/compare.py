"""Ratios of this run against those that the repository recorded. Pure.

Flows in: ratios by name. Flows out: one sentence for each that got worse by more than the margin,
for each that got better by as much, and for each that is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.bench.figures import Better, Ratio

CPU_MARGIN = 0.25
"""Processor time of two runs in a row on two shared cores differs by up to a fifth."""
TIME_MARGIN = 0.5
"""What passes by the clock also depends on who else wants the cores, in each moment anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be told; ``slower`` is what makes the check fail."""

    slower: Sequence[str]
    quicker: Sequence[str]
    missing: Sequence[str]


def recorded_ratios(document: Mapping[str, Any]) -> list[Ratio]:
    """Read the ratios of a file that an earlier run wrote. KeyError, ValueError: it is none."""
    return [
        Ratio(name=name, value=float(one["value"]), better=Better(one["better"]))
        for name, one in document["ratios"].items()
    ]


def margin_of(name: str) -> float:
    """Return by how much a ratio may be worse if nobody says otherwise."""
    return CPU_MARGIN if name.startswith("CPU") else TIME_MARGIN


def compare(
    found: Sequence[Ratio], recorded: Sequence[Ratio], *, margin: float | None = None
) -> Verdict:
    """Hold each recorded ratio against the one that was found; ``margin`` None: each has its
    own.
    """
    by_name = {ratio.name: ratio.value for ratio in found}
    slower, quicker, missing = [], [], []
    for was in recorded:
        now = by_name.get(was.name)
        if now is None:
            missing.append(f"{was.name}: recorded as {was.value:.3g}, not measured now")
            continue
        most = 1 + (margin_of(was.name) if margin is None else margin)
        loss = was.value / now if was.better is Better.HIGHER else now / was.value
        sentence = f"{was.name}: {now:.3g}, recorded {was.value:.3g} ({was.better} is better)"
        if loss > most:
            slower.append(f"{sentence}: worse by {loss - 1:.0%}")
        elif 1 / loss > most:
            quicker.append(f"{sentence}: better by {1 / loss - 1:.0%}")
    return Verdict(slower=slower, quicker=quicker, missing=missing)
