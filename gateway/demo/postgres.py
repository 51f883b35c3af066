"""Where PostgreSQL's programs are, and as whom they run. Debian keeps them out of the PATH.

Flows in: this computer. Flows out: a folder, a user's name, and the command lines of a server of
our own.
"""

import os
import pwd
import shutil
from pathlib import Path

OWNER = "postgres"
"""PostgreSQL does not run as root; its packages bring this user."""


def programs() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``; None if there is none, or nobody to run
    them.
    """
    if os.geteuid() == 0 and OWNER not in {one.pw_name for one in pwd.getpwall()}:
        return None
    named = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    found = [Path(named).resolve()] if named else packaged
    return found[0].parent if found else None


def owner() -> str | None:
    """Return the user to become, None to stay who one is."""
    return OWNER if os.geteuid() == 0 else None
