"""Ratios of this run against those that the repository recorded. Pure.

Flows in: ratios by name. Flows out: one sentence for each that got worse by more than the margin,
for each that got better by as much, and for each that is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.bench.figures import Better, Ratio

MARGIN = 0.25
"""Two runs in a row on two shared cores differ by up to a fifth."""


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


def compare(found: Sequence[Ratio], recorded: Sequence[Ratio], *, margin: float) -> Verdict:
    """Hold each recorded ratio against the one that was found."""
    by_name = {ratio.name: ratio.value for ratio in found}
    slower, quicker, missing = [], [], []
    for was in recorded:
        now = by_name.get(was.name)
        if now is None:
            missing.append(f"{was.name}: recorded as {was.value:.3g}, not measured now")
            continue
        loss = was.value / now if was.better is Better.HIGHER else now / was.value
        sentence = f"{was.name}: {now:.3g}, recorded {was.value:.3g} ({was.better} is better)"
        if loss > 1 + margin:
            slower.append(f"{sentence}: worse by {loss - 1:.0%}")
        elif 1 / loss > 1 + margin:
            quicker.append(f"{sentence}: better by {1 / loss - 1:.0%}")
    return Verdict(slower=slower, quicker=quicker, missing=missing)
