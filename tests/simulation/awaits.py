"""Death at every await: a small fault-free world, lived again for each await of its host and of its
gateway, which die there.

Flows in: a seed. Flows out: how many awaits its first host and its first gateway live through, and
what became of the world in which one of them died at its n-th. What a process does to others
happens between two awaits, so these are all the ways to die in that story.
"""

from dataclasses import dataclass
from functools import partial

from tests.simulation.backend import HostSlot
from tests.simulation.faults import Faults
from tests.simulation.world import Outcome, World, live

NEVER = 10**9
MORTALS = {"host-0#1": "host-0#2", "gw-1": "gw-2"}
"""Who may die, and who takes its place."""
RECOVERY = 80
"""A successor needs this many awaits until all is as before; it may die at any of them."""
RECOVERED_AFTER_S = 30.0
"""A death is over after these seconds of the world's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Who dies, at which await, in the fault-free world of which seed; perhaps its successor too,
    at an await of its own.
    """

    seed: int
    dooms: tuple[tuple[str, int], ...]


def fault_free(world: World, dooms: dict[str, int]) -> None:
    """One machine, one host, one gateway, three customers, and nothing that goes wrong but a
    death. Two deaths can leave two customers without an answer; each of them comes when whoever
    died before has a successor that serves.
    """
    world.faults = Faults()
    world.machines_wanted = world.gateways_wanted = 1
    world.visits_wanted = 3
    world.between_visits_s = RECOVERED_AFTER_S
    world.slots = [HostSlot(world, 0, 1)]
    world.dooms = dooms


def deaths(seed: int) -> list[Death]:
    """Return every death that the story of a seed has room for."""
    worlds: list[World] = []

    def watched(world: World) -> None:
        worlds.append(world)
        fault_free(world, dict.fromkeys(MORTALS, NEVER))

    outcome = live(seed, prepare=watched)
    assert outcome.failure is None, outcome.failure
    lived = {who: worlds[0].process(who).awaits for who in MORTALS}
    return [
        Death(seed=seed, dooms=dooms)
        for who, awaits in lived.items()
        for at in range(1, awaits + 1)
        for dooms in (((who, at),), ((who, at), (MORTALS[who], 1 + (at * 31) % RECOVERY)))
    ]


def die(death: Death, *, traced: bool = False) -> Outcome:
    """Live the story in which it happens."""
    return live(death.seed, traced=traced, prepare=partial(fault_free, dooms=dict(death.dooms)))
