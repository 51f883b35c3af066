"""The bugs of waits and clocks; see ``bugs``."""

from typing import Any
from unittest.mock import patch

from actors.host import runner
from actors.machine import hearing, resuming
from gateway.process import clock
from tests.simulation.bugs import both


def deadline_before_evidence() -> Any:
    """A vend's own deadline runs before the fact that settles it."""
    return both(
        patch.object(hearing, "settles", lambda *_: hearing.NOTHING),
        patch.object(runner, "settles", lambda *_: hearing.NOTHING),
    )


def takeover_voids_at_once() -> Any:
    """A new owner acts on what was due before its machines can reach it."""
    return patch.object(resuming, "resumed", lambda state, *_: state)


def each_start_costs_a_wait() -> Any:
    """A host that starts uses up a whole wait, however short ago the last one started."""
    return patch.object(resuming, "_cost_ms", lambda _, __, policy: policy.report_wait_ms)


def step_ends_waits() -> Any:
    """Waits are measured by the computer's clock, which somebody sets."""
    return patch.object(clock.SteadyClock, "now_ms", lambda self: self._wall_ms())
