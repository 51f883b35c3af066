"""Figures of gateways, read from their own ``/metrics``. Pure.

Flows in: texts in Prometheus's format. Flows out: counts, and how long the slowest of a hundred
answers took.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families

_VENDS = "vendgate_vend_answer_seconds"


def vend_buckets(text: str) -> Counter[float]:
    """Return how many requests for goods were answered within each bound, in seconds; every bound
    counts those below it, too.
    """
    found: Counter[float] = Counter()
    for family in text_string_to_metric_families(text):
        if family.name == _VENDS:
            for sample in family.samples:
                if sample.name == f"{_VENDS}_bucket":
                    found[float(sample.labels["le"])] += int(sample.value)
    return found


def approved(text: str) -> int:
    """Return how many requests for goods this gateway has told were approved."""
    for family in text_string_to_metric_families(text):
        if family.name == _VENDS:
            return sum(
                int(sample.value)
                for sample in family.samples
                if sample.name == f"{_VENDS}_count" and sample.labels["answer"] == "approved"
            )
    return 0


def grown(before: Mapping[float, int], after: Mapping[float, int]) -> Counter[float]:
    """Return what came between two looks; all of it, if the gateway has begun anew."""
    fresh = any(after.get(bound, 0) < count for bound, count in before.items())
    return Counter(
        {bound: count - (0 if fresh else before.get(bound, 0)) for bound, count in after.items()}
    )


def summed(counts: Iterable[Mapping[float, int]]) -> Counter[float]:
    """Return the sums, bound by bound."""
    total: Counter[float] = Counter()
    for one in counts:
        total.update(one)
    return total


def within_s(buckets: Mapping[float, int], share: float) -> float | None:
    """Return the bound within which that share was answered; None if nothing was."""
    total = max(buckets.values(), default=0)
    if total == 0:
        return None
    return next(bound for bound in sorted(buckets) if buckets[bound] >= share * total)
