"""What is done to the cluster in chaos, and what is hoped for. Pure.

Flows in: a seed and how long. Flows out: blows in their order: each kind once, then at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

FROZEN_S = 10.0
CUT_S = 30.0
"""Longer than Ray takes to give up a node that says nothing."""
HEAD_WATCH_S = 20.0


class BlowKind(StrEnum):
    """What happens, as a person reads it."""

    HOST_KILLED = "a host is killed"
    HOST_FROZEN = "a host is frozen for 10 s"
    GATEWAY_KILLED = "a gateway is killed"
    GATEWAY_FROZEN = "a gateway is frozen for 10 s"
    NODE_KILLED = "a node with hosts is killed"
    NODE_CUT = "a node with hosts is cut off for 30 s"
    DATABASE_KILLED = "PostgreSQL is killed, back after 5 s"
    HEAD_KILLED = "Ray's head is killed, back after 5 s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Within how many seconds, counted how."""

    seconds: float
    counted: str


GOALS = {
    BlowKind.HOST_KILLED: Goal(seconds=3, counted="its machines buy again"),
    BlowKind.HOST_FROZEN: Goal(seconds=3, counted="its machines buy again, from its thaw on"),
    BlowKind.GATEWAY_KILLED: Goal(seconds=10, counted="99 % of all machines have a stream"),
    BlowKind.GATEWAY_FROZEN: Goal(seconds=10, counted="99 % have a stream, from its thaw on"),
    BlowKind.NODE_KILLED: Goal(seconds=20, counted="the machines of its hosts buy again"),
    BlowKind.NODE_CUT: Goal(seconds=20, counted="the machines of its hosts buy again"),
    BlowKind.DATABASE_KILLED: Goal(seconds=5, counted="all machines buy, from its return on"),
    BlowKind.HEAD_KILLED: Goal(seconds=3, counted="the longest pause of all sales"),
}

SPAN_S = dict.fromkeys(BlowKind, 20.0) | {BlowKind.NODE_CUT: 60.0, BlowKind.NODE_KILLED: 60.0}
"""About so long a blow takes, with its recovery and a moment of calm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """One of them. ``choice`` says whom it meets, of those that there are then; ``calm_s`` comes
    before.
    """

    kind: BlowKind
    choice: int
    calm_s: float


def schedule(seconds: float, seed: int, *, cut: bool) -> Sequence[Blow]:
    """Return the blows of chaos that takes about so long, and at least as long as each kind once
    needs. Without ``cut`` no node is cut off.
    """
    rng = Random(seed)  # noqa: S311 - blows, not secrets
    kinds = [kind for kind in BlowKind if cut or kind is not BlowKind.NODE_CUT]
    rng.shuffle(kinds)
    wanted, spent = list(kinds), sum(SPAN_S[kind] for kind in kinds)
    while True:
        kind = rng.choice(kinds)
        spent += SPAN_S[kind]
        if spent > seconds:
            break
        wanted.append(kind)
    return [
        Blow(kind=kind, choice=rng.randrange(1_000), calm_s=round(rng.uniform(3.0, 6.0), 1))
        for kind in wanted
    ]
