"""What is kept of screens goes after some hundred days, unasked.

Flows in: the settings. Flows out: the sweeps that a gateway runs, by the name under
which each goes on. Only a gateway that gives files to machines deletes files: another one may know
another folder, or none.
"""

from collections.abc import Mapping
from functools import partial

from gateway.process.sections import Screens
from gateway.process.sweep import DueClock, Sweep
from gateway.screens.unnamed import AT_ONCE, UnnamedFiles
from storage.database.engine import Database
from storage.office import screen_sweeps


def sweeps(
    database: Database, clock: DueClock, section: Screens, files: UnnamedFiles | None
) -> Mapping[str, Sweep]:
    """Return the sweeps. ``files`` deletes bytes of files; None: they are not ours to delete."""
    found = {
        "play-sweep": Sweep(
            what="plays of long ago",
            forget=partial(screen_sweeps.forget_plays, database),
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
    if files is not None:
        found["asset-sweep"] = Sweep(
            what="pictures that nothing names",
            forget=partial(screen_sweeps.forget_assets, database, files.drop),
            at_once=screen_sweeps.ASSETS_AT_ONCE,
            days=section.plays_days,
            clock=clock,
        )
        found["file-sweep"] = Sweep(
            what="files that are no picture of ours",
            forget=files.forget,
            at_once=AT_ONCE,
            days=section.plays_days,
            clock=clock,
        )
    return found
