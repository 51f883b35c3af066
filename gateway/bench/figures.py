"""What is measured: numbers with their units in their names, shares of sorted times, and ratios.
Pure.

Flows in: times and counts. Flows out: what tables, plots and JSON show. Only ratios of one run are
compared with those of another: a busy computer is slower in both of their parts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


def percentile(times: Sequence[float], share: float) -> float:
    """Return the least of the times that ``share`` of them do not exceed (nearest rank); NaN if
    there are none.
    """
    if not times:
        return math.nan
    ranked = sorted(times)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long answers took, in milliseconds."""

    p50_ms: float
    p99_ms: float
    p999_ms: float
    count: int

    @classmethod
    def of(cls, times_s: Sequence[float]) -> "Latency":
        """Return the shares of times in seconds."""
        p50, p99, p999 = (1_000 * percentile(times_s, share) for share in (0.5, 0.99, 0.999))
        return cls(p50_ms=p50, p99_ms=p99, p999_ms=p999, count=len(times_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with its unit, of one measurement of one subject."""

    name: str
    value: float
    unit: str


class Better(StrEnum):
    """Which way is good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Two figures of one run, one divided by the other."""

    name: str
    value: float
    better: Better


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that one run found. ``figures`` by subject (``echo``, ``no-ray``, ...);
    ``remarks`` say what was not measured, and what makes the figures doubtful.
    """

    made: Mapping[str, object]
    """When, on what, with which numbers of machines."""
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What should have been measured and could not be."""

    def add(self, subject: str, *figures: Figure) -> None:
        """Keep what was measured of a subject."""
        self.figures.setdefault(subject, []).extend(figures)

    def value(self, subject: str, name: str) -> float | None:
        """Return a figure's value; None if it was not measured."""
        found = (one.value for one in self.figures.get(subject, ()) if one.name == name)
        return next(found, None)

    def ratios(self) -> list[Ratio]:
        """Return every ratio whose two figures were measured."""
        made = []
        for name, above, below, better in _RATIOS:
            upper, lower = self.value(*above), self.value(*below)
            if upper is not None and lower:
                made.append(Ratio(name=name, value=upper / lower, better=better))
        return made

    def as_json(self) -> dict[str, object]:
        """Return what ``json.dumps`` takes; numbers with four digits that count."""
        return {
            "made": dict(self.made),
            "figures": {
                subject: {one.name: {"value": short(one.value), "unit": one.unit} for one in found}
                for subject, found in self.figures.items()
            },
            "ratios": {
                one.name: {"value": short(one.value), "better": one.better.value}
                for one in self.ratios()
            },
            "remarks": list(self.remarks),
            "failures": list(self.failures),
        }


def short(value: float) -> float | None:
    """Return the number with four digits that count; None for what is no number."""
    if not math.isfinite(value):
        return None
    return float(f"{value:.4g}")


RATE, CPU, P50 = "vends a second", "CPU a vend", "approval, half load, p50"
RATE_SHARE, CPU_SHARE = "vends a second, the echo's = 1", "CPU a vend, the echo's = 1"
"""Against the echo that was measured in turn with the subject: a computer that is busy now and idle
in five minutes counts in both.
"""
ECHO, PLAIN, ON_RAY, POSTGRES = "echo", "no-ray", "ray", "postgres"
ACTORS, SERVE = "an actor a machine", "Ray Serve"

_RATIOS: Sequence[tuple[str, tuple[str, str], tuple[str, str], Better]] = (
    ("vends/s, no-ray : echo", (PLAIN, RATE_SHARE), (ECHO, RATE_SHARE), Better.HIGHER),
    ("vends/s, ray : echo", (ON_RAY, RATE_SHARE), (ECHO, RATE_SHARE), Better.HIGHER),
    ("vends/s, ray : no-ray", (ON_RAY, RATE_SHARE), (PLAIN, RATE_SHARE), Better.HIGHER),
    ("vends/s, postgres : no-ray", (POSTGRES, RATE_SHARE), (PLAIN, RATE_SHARE), Better.HIGHER),
    ("vends/s, ray : an actor a machine", (ON_RAY, RATE), (ACTORS, RATE), Better.HIGHER),
    ("vends/s, ray : Ray Serve", (ON_RAY, RATE), (SERVE, RATE), Better.HIGHER),
    ("CPU a vend, no-ray : echo", (PLAIN, CPU_SHARE), (ECHO, CPU_SHARE), Better.LOWER),
    ("CPU a vend, ray : no-ray", (ON_RAY, CPU_SHARE), (PLAIN, CPU_SHARE), Better.LOWER),
    ("CPU a vend, postgres : no-ray", (POSTGRES, CPU_SHARE), (PLAIN, CPU_SHARE), Better.LOWER),
    ("p50 at half load, ray : no-ray", (ON_RAY, P50), (PLAIN, P50), Better.LOWER),
)
