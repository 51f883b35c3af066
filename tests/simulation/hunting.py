"""A bug that is planted on purpose, and the hunt for a world that finds it.

Flows in: a bug (``planted``). Flows out: the first world in which a truth does not hold. The
product's own assertions are off meanwhile, so that it is the world's books that must find it.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.host import runner
from tests.simulation import steers
from tests.simulation.world import Outcome, World, live

Bug = Callable[[], contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One bug. ``start``: from where the hunt begins, at a seed that found it or a little
    before; ``within``: this many seeds are enough.
    """

    name: str
    sentence: str
    bug: Bug
    start: int = 0
    within: int = 60
    core: Callable[[], runner.Core] = lambda: runner.Core(check=lambda *_: None)
    steer: steers.Steer = steers.as_it_comes
    """Makes what the bug needs less rare in its worlds."""
    dear: bool = False
    """It is hunted in ``make soak``: to find it takes a second or more, and another one, which is
    hunted in the suite, breaks the same truth sooner.
    """
    halts: bool = False
    """The product stops the machine, or the host, whatever its assertions say, and nothing else is
    ever seen of the bug.
    """


def hunt(planted: Planted) -> Outcome | None:
    """Return the first world that finds the bug, or None."""

    def blind(world: World) -> None:
        world.core = planted.core()
        world.checker.minds_halts = planted.halts
        planted.steer(world)

    with planted.bug():
        for seed in range(planted.start, planted.start + planted.within):
            outcome = live(seed, prepare=blind)
            if outcome.failure is not None:
                return outcome
    return None
