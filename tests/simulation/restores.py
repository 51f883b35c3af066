"""A backup is put back: our database is as it was some minutes before, and nothing else in the
world is.

Flows in: the world. Flows out: its database and what the checker made of it, as they were; and
``Lost``, what our books forgot. The final checks excuse exactly that: a trade or a vend about which
something was written between backup and restore. Whatever is begun afterwards must hold like
anything else, and no motor may turn for what it turned for before.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from actors.machine.state import Mode

if TYPE_CHECKING:
    from tests.simulation.world import World

OVER = ("SUCCEEDED", "FAILED", "DENIED", "VOIDED")
_VENDS = 'SELECT vend_id, status, machine_id, "column" FROM vends'
_COMMANDS = "SELECT command_id FROM machine_commands"
_TOLD = "SELECT id, trade_id FROM inbox WHERE trade_id <> ''"


@dataclass(slots=True)
class Lost:
    """What our books forgot, of all restores of a world."""

    trades: set[str] = field(default_factory=set)
    """Trades that were paid, spent or refunded between backup and restore."""
    vends: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Vends that were begun in that time: their machine and column."""
    endings: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Vends that were open when the backup was taken: perhaps they ended in that time."""

    commands: set[str] = field(default_factory=set)
    """Commands that were ordered between backup and restore."""

    def drops(self, world: "World", machine_id: str, column: str) -> int:
        """Return how many items fell of which our stock may not know."""
        return sum(
            world.machines[machine_id].shelf.drops[vend_id]
            for vend_id, place in (self.vends | self.endings).items()
            if place == (machine_id, column)
        )


class Backup:
    """Our database at one moment, between two COMMITs."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._content = world.disk.raw.serialize()
        self._checker = world.checker.of_the_books()
        self._erased = set(world.erased)
        self._vends = _vends(world)
        self._told = _told(world)
        self._commands = set(world.disk.rows(_COMMANDS))
        self._answered = world.shelvers.answered()
        self._begun = set(world.planners.begun)

    def put_back(self) -> None:
        """Stop every program of ours, as an operator does first, and restore; they start again by
        themselves.
        """
        world = self._world
        for process in list(world.processes()):
            process.kill()
        self._note_what_is_lost()
        world.disk.put_back(self._content)
        world.checker.put_back(self._checker)
        world.erased = self._erased
        world.planners.begun = self._begun
        for machine_id, mode in world.disk.rows("SELECT machine_id, mode FROM machines"):
            world.modes[machine_id] = Mode(mode)

    def _note_what_is_lost(self) -> None:
        world, lost = self._world, self._world.lost
        before = self._checker["fold"].trades
        world.shelvers.forget_all_but(self._answered)
        lost.commands |= {one for (one,) in set(world.disk.rows(_COMMANDS)) - self._commands}
        lost.trades |= {trade_id for _, trade_id in _told(world) - self._told}
        lost.trades |= {
            trade_id
            for trade_id, sums in world.checker.fold.trades.items()
            if before.get(trade_id) != sums
        }
        for vend_id, (_, *place) in _vends(world).items():
            if vend_id not in self._vends:
                lost.vends[vend_id] = (place[0], place[1])
            elif self._vends[vend_id][0] not in OVER:
                lost.endings[vend_id] = (place[0], place[1])
        world.note(f"a backup is put back; lost are {sorted(lost.trades)}, {sorted(lost.vends)}")


def _vends(world: "World") -> dict[str, Any]:
    return {row[0]: row[1:] for row in world.disk.rows(_VENDS)}


def _told(world: "World") -> set[tuple[int, str]]:
    """Return each notification of a payment: one that was put aside may be told again, and then be
    taken for a payment.
    """
    return set(world.disk.rows(_TOLD))


async def restore(world: "World", rng: Random) -> None:
    """Take a backup, let business go on, and put it back."""
    backup = Backup(world)
    await asyncio.sleep(rng.choice((20, 60, 180)) * (0.5 + rng.random()))
    backup.put_back()
