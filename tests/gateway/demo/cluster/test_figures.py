"""Figures of gateways, as their ``/metrics`` tell them."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from gateway.demo.cluster.figures import approved, grown, summed, vend_buckets, within_s
from gateway.rpc.counters import Counters


def said(*answers: tuple[str, float]) -> str:
    """What a gateway says that has given these answers, after so many seconds each."""
    counters = Counters()
    for answer, seconds in answers:
        counters.vend_answered(answer, seconds)
    return generate_latest(counters.registry).decode()


def test_answers_of_every_kind_are_counted() -> None:
    """Those within each bound, and those of approvals by themselves."""
    text = said(("approved", 0.004), ("approved", 0.2), ("denied", 0.02))
    buckets = vend_buckets(text)
    assert (1, 2, 3) == (buckets[0.005], buckets[0.025], buckets[0.25])
    assert 2 == approved(text)


def test_another_figure_is_none_of_them() -> None:
    """A gateway that says nothing of vends has answered none."""
    registry = CollectorRegistry()
    Histogram("other_seconds", "Other.", registry=registry).observe(1)
    text = generate_latest(registry).decode()
    assert (0, 0) == (len(vend_buckets(text)), approved(text))


def test_a_gateway_that_began_anew_counts_from_nothing() -> None:
    """What it counted before is not taken away from what it counts now."""
    assert {1.0: 2} == grown({1.0: 5}, {1.0: 7})
    assert {1.0: 3} == grown({1.0: 5}, {1.0: 3})
    assert {1.0: 5, 2.0: 1} == summed([{1.0: 2}, {1.0: 3, 2.0: 1}])


def test_the_slowest_of_a_hundred() -> None:
    """The bound within which so many were answered; none if nobody asked."""
    buckets = {0.005: 98, 0.01: 99, 0.5: 100}
    assert (0.01, 0.5) == (within_s(buckets, 0.99), within_s(buckets, 1.0))
    assert within_s({}, 0.99) is None
