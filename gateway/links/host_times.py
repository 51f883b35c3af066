"""How long letters waited and COMMITs took on each host, lately.

Flows in: the hosts' figures, each time that somebody asks for them. Flows out: quantiles of what
came between the first time within the last minutes and the last one. A histogram counts from the
start of its host, and what was slow yesterday says nothing of today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from actors.link import Figure

WINDOW_MS = 300_000
_KEPT_EVERY_MS = 10_000
_BEGAN = "vendgate_host_start_time_seconds"
_MAILBOX = "vendgate_host_mailbox_delay_seconds"
_COMMIT = "vendgate_host_commit_seconds"

Buckets = Mapping[float, float]
"""How many took at most so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Seconds; both 0 if there was none."""

    p50_s: float
    p99_s: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What one host told. ``over_ms``: how long it was measured."""

    mailbox: Quantiles
    commit: Quantiles
    over_ms: int


@dataclass(frozen=True, slots=True)
class _Told:
    at_ms: int
    began_s: float
    mailbox: Buckets
    commit: Buckets


@dataclass(slots=True)
class RecentTimes:
    """Of all hosts, by their place in the layout."""

    _kept: dict[int, list[_Told]] = field(default_factory=dict)
    _last: dict[int, _Told] = field(default_factory=dict)

    def note(self, hosts: Sequence[Sequence[Figure] | None], *, now_ms: int) -> None:
        """Hear what each host told, in the order of the layout; None: it did not answer, and what
        it told before is forgotten.
        """
        for place in set(self._last) - {p for p, told in enumerate(hosts) if told is not None}:
            self._kept.pop(place, None)
            self._last.pop(place, None)
        for place, figures in enumerate(hosts):
            if figures is not None:
                self._note(place, _told(figures, now_ms))

    def _note(self, place: int, told: _Told) -> None:
        kept = self._kept.setdefault(place, [])
        if kept and kept[0].began_s != told.began_s:
            kept.clear()
        # One that is older than the window stays, so that there is always a whole one.
        while len(kept) > 1 and told.at_ms - kept[1].at_ms >= WINDOW_MS:
            del kept[0]
        if not kept or told.at_ms - kept[-1].at_ms >= _KEPT_EVERY_MS:
            kept.append(told)
        self._last[place] = told

    def of(self, place: int) -> Times | None:
        """Return what is known of the host of a place; None: it has told nothing."""
        last = self._last.get(place)
        if last is None:
            return None
        first = self._kept[place][0]
        if first.at_ms >= last.at_ms:
            first = _Told(round(last.began_s * 1_000), last.began_s, {}, {})
        return Times(
            mailbox=_quantiles(first.mailbox, last.mailbox),
            commit=_quantiles(first.commit, last.commit),
            over_ms=max(0, last.at_ms - first.at_ms),
        )


def _told(figures: Sequence[Figure], now_ms: int) -> _Told:
    began_s, buckets = 0.0, dict[str, dict[float, float]]()
    for figure in figures:
        for name, labels, value in figure.samples:
            if name == _BEGAN:
                began_s = value
            elif name == f"{figure.name}_bucket" and figure.name in {_MAILBOX, _COMMIT}:
                buckets.setdefault(figure.name, {})[float(labels["le"])] = value
    return _Told(now_ms, began_s, buckets.get(_MAILBOX, {}), buckets.get(_COMMIT, {}))


def _quantiles(first: Buckets, last: Buckets) -> Quantiles:
    bounds = sorted(last)
    counts = [last[bound] - first.get(bound, 0.0) for bound in bounds]
    return Quantiles(
        p50_s=_quantile(bounds, counts, 0.5),
        p99_s=_quantile(bounds, counts, 0.99),
        count=round(counts[-1]) if counts else 0,
    )


def _quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float:
    """Return the quantile as Prometheus does: evenly within its bucket; of the last bucket, which
    has no end, where it begins.
    """
    if not counts or not counts[-1]:
        return 0.0
    wanted = share * counts[-1]
    number = next(number for number, count in enumerate(counts) if count >= wanted)
    begins = bounds[number - 1] if number else 0.0
    if bounds[number] == float("inf"):
        return begins
    before = counts[number - 1] if number else 0.0
    within = (wanted - before) / (counts[number] - before)
    return begins + (bounds[number] - begins) * within
