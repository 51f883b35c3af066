"""A network of the cluster's own, in which a node can be cut off and nobody else is disturbed.

Flows in: the command line of this program. Flows out: the same program in a network namespace, if
this user may make one.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence

from gateway.process import offspring

OWN = "CLUSTER_NETWORK"
"""Set to "own" for the program in its own network. A gateway would refuse it among its settings."""


def possible() -> bool:
    """Return whether a network can be made here: by root, with the kernel's leave."""
    if os.geteuid() != 0 or None in map(shutil.which, ("unshare", "ip")):
        return False
    done = subprocess.run(
        ["unshare", "--net", "true"],  # noqa: S607 - found where it is
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def is_own() -> bool:
    """Return whether this process is in one."""
    return os.environ.get(OWN) == "own"


def enter(arguments: Sequence[str]) -> None:
    """Become this program with these arguments in a network of its own. Does not return."""
    os.environ.update({OWN: "own"} | offspring.importable())
    up = 'ip link set lo up && exec "$@"'
    command = ["unshare", "--net", "sh", "-c", up, "sh", *offspring.program("gateway")]
    os.execvp(command[0], [*command, *arguments])  # noqa: S606 - our own words
