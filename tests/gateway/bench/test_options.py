"""What a run measures."""

from gateway.bench.options import QUICK, BenchOptions, Measurement


def test_everything_is_measured_if_nothing_is_said() -> None:
    """And the quick run leaves out what takes minutes."""
    assert all(BenchOptions().wants(kind) for kind in Measurement)
    assert not QUICK.wants(Measurement.TIMERS)
    assert QUICK.wants(Measurement.SATURATED)


def test_the_books_hold_enough_machines() -> None:
    """For those that buy, and for payments that no machine has heard of yet in each setting."""
    few = BenchOptions(machines=5, connected=1, notifications=2, settings=("no-ray", "ray"))
    assert 9 == few.registered
    assert 10_000 == BenchOptions().registered
