"""A folder for a book that is thrown away: gone with whoever made it.

A program that a signal ends clears nothing up. So each folder holds a lock that the kernel releases
with its program, and whoever makes the next one removes those whose lock is free.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "pretend-alipay-"
_LOCK = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """A folder, and the lock that says that somebody has it."""

    path: Path
    lock: int

    def remove(self) -> None:
        """Remove it with what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def scratch() -> Scratch:
    """Make a folder, and remove those that programs have left which are gone. Raises OSError."""
    for one in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        _remove_if_left(one)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Locked under another name first: whoever finds a lock finds it held, or its owner gone.
    unfinished = folder / f"{_LOCK}.new"
    lock = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unfinished.rename(folder / _LOCK)
    return Scratch(path=folder, lock=lock)


def _remove_if_left(folder: Path) -> None:
    """Remove it unless somebody has it, or made it just now and has not locked it yet."""
    with suppress(OSError):
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            return
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
