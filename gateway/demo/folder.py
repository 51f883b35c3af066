"""The demo's own folder, which nobody asked to keep: a lock in it ends with its maker, however that
ends, and the next demo removes what is left of such. What is kept as evidence has no lock.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.folder_users import users_of
from actors.session_folder import LOCK, dead_folders, hold

PREFIX = "vg-"
"""A short path: Ray puts sockets below it, whose names may have 107 characters."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """Give a new folder, for us alone; whoever wants it gone at its end removes it. Those of this
    user whose makers were killed, and in which no process lives, are removed first.
    """
    for path, owner in dead_folders(Path(tempfile.gettempdir()), PREFIX):
        # A copy that somebody made names another one.
        if path == owner and not users_of(path):
            shutil.rmtree(path, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = hold(path, owner=path)
    try:
        yield path
    finally:
        (path / LOCK).unlink(missing_ok=True)
        os.close(lock)
