"""What is kept of screens goes after some hundred days, unasked.

Flows in: the settings. Flows out: the sweeps that a gateway runs, by the name under
which each goes on. Only a gateway that gives files to machines deletes files: another one may know
another folder, or none.
"""

from collections.abc import Callable, Mapping
from functools import partial

from actors.ports import Clock
from gateway.process.sections import Screens
from gateway.process.sweep import Sweep
from storage.database.engine import Database
from storage.office import screen_sweeps


def sweeps(
    database: Database, clock: Clock, section: Screens, drop: Callable[[str], None] | None
) -> Mapping[str, Sweep]:
    """Return the sweeps. ``drop`` deletes the bytes of a file, and raises nothing; None: files are
    not ours to delete.
    """
    found = {
        "play-sweep": Sweep(
            what="plays of long ago",
            forget=partial(screen_sweeps.forget_plays, database, days=section.plays_days),
            at_once=screen_sweeps.PLAYS_AT_ONCE,
            days=section.plays_days,
            clock=clock,
        ),
        "manifest-sweep": Sweep(
            what="manifests that no machine shows",
            forget=partial(screen_sweeps.forget_manifests, database),
            at_once=screen_sweeps.MANIFESTS_AT_ONCE,
            days=screen_sweeps.UNUSED_DAYS,
            clock=clock,
        ),
    }
    if drop is not None:
        found["asset-sweep"] = Sweep(
            what="pictures that nothing names",
            forget=partial(screen_sweeps.forget_assets, database, drop),
            at_once=screen_sweeps.ASSETS_AT_ONCE,
            days=section.plays_days,
            clock=clock,
        )
    return found
