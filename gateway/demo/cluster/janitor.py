"""Removes the folder of a cluster whose maker was killed: the last of its children to go.

Flows in: a folder, and a lifeline. Flows out: nothing; a maker that ends in order ends this one
first, and removes its folder itself.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from actors.folder_users import users_of
from gateway.process import offspring

PROGRAM = offspring.program("gateway.demo.cluster.janitor")
PATIENCE_S = 40.0
"""Longer than any child of a dead maker takes (``gateway.process.lifeline``)."""
_LOOK_EVERY_S = 0.2


def clear(folder: Path, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until nobody uses the folder, end who still does then, and remove it."""
    until = time.monotonic() + patience_s
    while (left := users_of(folder)) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue  # it has gone meanwhile
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Wait for the end of standard input. The one argument is the folder."""
    # Whoever tells all of us to end tells the maker, too, which then ends us in order.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    folder = Path(sys.argv[1]).resolve()
    os.chdir("/")
    # Our own name holds the folder for nobody: users_of leaves us out.
    print(json.dumps({"pid": os.getpid()}), flush=True)
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    clear(folder)


if __name__ == "__main__":
    main()
