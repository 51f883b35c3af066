"""Two installations on one database: owners never fight, whatever dies, freezes or starts twice."""

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest

from actors.leases import Claimant, Grant, Holder, LeaseWatch
from storage.machines import holding, store
from tests.simulation.two_homes import live

pytestmark = pytest.mark.xdist_group("homes")  # one process lives them once
SEEDS = range(2)
MORE = 2
"""One more for ``make soak``."""
WITHIN = 12


lived = functools.cache(live)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [*SEEDS, pytest.param(MORE, marks=pytest.mark.slow)])
def test_owners_never_fight(seed: int) -> None:
    """Nothing is taken from who beats, no row is under an old epoch, and somebody serves in the
    end.
    """
    world = lived(seed)
    assert world.broken is None
    assert world.claims > 1
    assert world.saved > 100


@pytest.mark.timeout(300)
def test_a_spare_that_is_told_wrong_writes_alone() -> None:
    """Whatever a home says of its processes, no row is under an old epoch, nothing is taken from
    another home that beats, and somebody serves in the end.
    """
    world = live(3, spares=True)
    assert world.broken is None
    assert world.saved > 100
    assert world.relieved > 2
    assert world.superseded > 2


def test_leases_do_run_out_in_these_worlds() -> None:
    """Otherwise they would show nothing."""
    assert 3 < sum(lived(seed).changes_of_home for seed in SEEDS)


def _granted_though_it_beats(
    held: Holder | None, claimant: Claimant, still: Mapping[str, int]
) -> Grant:
    del held, claimant, still
    return Grant.FREE


def _every_look_counts(self: LeaseWatch) -> dict[str, int]:
    """A beat that was seen twice is still."""
    return {name: seen.beat for name, seen in self._seen.items()}


BUGS: dict[str, tuple[Callable[[], AbstractContextManager[Any]], str]] = {
    "a claim is granted while the holder's beat goes on": (
        lambda: patch.object(holding, "grant", _granted_though_it_beats),
        "nothing is taken from who beats",
    ),
    "a beat that was seen twice stands still": (
        lambda: patch.object(LeaseWatch, "still", _every_look_counts),
        "nothing is taken from who beats",
    ),
    "a commit does not prove its epoch": (
        lambda: patch.object(store, "_prove", lambda *_: None),
        "no row under an old epoch",
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    """One of the first seeds says which truth it breaks."""
    bug, truth = BUGS[name]
    found: set[str] = set()
    with bug():
        for seed in range(WITHIN):
            broken = live(seed).broken
            if broken is not None:
                found.add(broken.truth)
                break
    assert {truth} == found
