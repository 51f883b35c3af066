"""Every transition of a session, trade, vend or refund, written down by the world's own database
and held against the published table.

Flows in: triggers on the four tables, which write into a table of the world's own. Flows out, at
rest: the first transition to which no path of docs/architecture.md ("States") leads. Asks no code
of the product.
"""

import sqlite3
from typing import TYPE_CHECKING

from tests.support.transitions import BEGINS, Transition, leads

if TYPE_CHECKING:
    from tests.simulation.disk import Disk
    from tests.simulation.world import World

_KINDS = {"sessions": "session", "trades": "trade", "vends": "vend", "refunds": "refund"}
_CHANGED = "OLD.status <> NEW.status"


def watch(database: sqlite3.Connection) -> None:
    """Let an empty database note each transition from now on. ``line`` is the last line of the
    journal before the COMMIT of the transition.
    """
    database.execute(
        "CREATE TABLE world_transitions "
        "(kind TEXT, name TEXT, before TEXT, after TEXT, line INTEGER)"
    )
    for table, kind in _KINDS.items():
        new, old, changed = "NEW.status", "OLD.status", _CHANGED
        if kind == "vend":
            new, old = (
                f"{side}.status || iif({side}.reason = 'WRITTEN_OFF', ' (WRITTEN_OFF)', '')"
                for side in ("NEW", "OLD")
            )
            changed += " OR OLD.reason <> NEW.reason AND 'WRITTEN_OFF' IN (OLD.reason, NEW.reason)"
        for name, when, before in (
            ("begins", "INSERT", f"'{BEGINS}'"),
            ("changes", f"UPDATE ON {table} WHEN {changed}", old),
        ):
            place = when if " ON " in when else f"{when} ON {table}"
            database.execute(
                f"CREATE TRIGGER world_{kind}_{name} AFTER {place} BEGIN "
                f"INSERT INTO world_transitions SELECT '{kind}', NEW.{kind}_id, {before}, {new}, "
                "coalesce((SELECT max(id) FROM journal), 0); END"
            )
    database.commit()


def seen(disk: "Disk") -> frozenset[Transition]:
    """Return all transitions that this world has seen; several within one COMMIT are one."""
    return frozenset(
        Transition(*row)
        for row in disk.rows("SELECT DISTINCT kind, before, after FROM world_transitions")
    )


def allowed_transitions(world: "World") -> None:
    """B12: the states of each session, trade, vend and refund are a path in the published graph,
    and final ones are never left.
    """
    for kind, name, before, after, line in world.disk.rows(
        "SELECT kind, name, before, after, line FROM world_transitions ORDER BY rowid"
    ):
        if not leads(kind, before, after):
            moment = world.disk.rows(
                "SELECT machine_id, version, at_ms FROM journal WHERE id > ? ORDER BY id LIMIT 1",
                line,
            )
            world.checker.broken(
                "allowed transitions",
                f"{name}: {Transition(kind, before, after)}, in the COMMIT after line {line}: "
                f"{moment}",
            )
