"""A process that serves looks for garbage seldom, but it does."""

import gc
from collections.abc import Iterator

import pytest

from actors import collector


@pytest.fixture(autouse=True)
def _as_in_a_program() -> Iterator[None]:
    """Nothing is left alone yet, unlike in a suite (tests/conftest.py)."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_what_is_loaded_is_left_alone() -> None:
    """While it serves; afterwards everything is as before."""
    before = gc.get_threshold(), gc.get_freeze_count()
    with collector.seldom():
        assert collector.THRESHOLDS == gc.get_threshold()
        assert gc.get_freeze_count() > before[1]
    assert before == (gc.get_threshold(), 0)


def test_what_was_left_alone_before_stays_so() -> None:
    """Who did so goes on to want it."""
    gc.freeze()
    before = gc.get_freeze_count()
    with collector.seldom():
        pass
    assert gc.get_freeze_count() >= before > 0


def test_an_error_ends_it_too() -> None:
    """Whatever the process does afterwards."""
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="over"), collector.seldom():
        raise ValueError("over")
    assert before == gc.get_threshold()


def test_cycles_are_still_found() -> None:
    """A process that makes them does not grow for ever."""

    class Knot:
        """Holds itself."""

        def __init__(self) -> None:
            self.me = self

    with collector.seldom():
        passes = gc.get_stats()[0]["collections"]
        for _ in range(2 * collector.THRESHOLDS[0]):
            Knot()
        assert gc.get_stats()[0]["collections"] > passes
        assert (
            sum(isinstance(each, Knot) for each in gc.get_objects()) < 2 * collector.THRESHOLDS[0]
        )
