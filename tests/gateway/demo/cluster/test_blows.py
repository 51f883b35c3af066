"""The schedule of chaos: each kind once, and the same for the same seed."""

from collections import Counter

import pytest

from gateway.demo.cluster.blows import GOALS, SPAN_S, BlowKind, schedule


@pytest.mark.parametrize("cut", [True, False])
def test_each_kind_comes_once_however_short_it_is(cut: bool) -> None:
    """Without a network of its own no node is cut off."""
    kinds = Counter(blow.kind for blow in schedule(0, 1, cut=cut))
    assert {1} == set(kinds.values())
    assert (set(BlowKind) if cut else set(BlowKind) - {BlowKind.NODE_CUT}) == set(kinds)


def test_longer_chaos_has_more_and_takes_about_so_long() -> None:
    """And at no place more than was asked for."""
    blows = schedule(3_600, 1, cut=True)
    spent = sum(SPAN_S[blow.kind] for blow in blows)
    assert 3_600 - max(SPAN_S.values()) <= spent <= 3_600
    assert set(BlowKind) == {blow.kind for blow in blows[: len(BlowKind)]}


def test_a_seed_is_a_schedule() -> None:
    """The same again, and another one for another seed."""
    assert schedule(900, 5, cut=True) == schedule(900, 5, cut=True)
    assert schedule(900, 5, cut=True) != schedule(900, 6, cut=True)


def test_every_kind_has_a_goal() -> None:
    """In seconds, counted in words."""
    assert set(BlowKind) == GOALS.keys() == SPAN_S.keys()
    assert all(goal.counted for goal in GOALS.values())
