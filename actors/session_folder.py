"""The folder of one start of the embedded Ray: fresh, private, and held as long as it lives.

Flows in: the installation's own folder (``run_dir``). Flows out: a new folder that nobody else can
enter or has made, with a lock that the kernel releases when this process ends, however it ends.
An orderly end removes the folder. Those of starts that ended otherwise are kept for their logs; the
oldest of this installation are removed, and all of one that is gone, but never a folder whose lock
is held or in which a process lives. No Ray here.
"""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from actors.folder_users import users_of

KEPT = 4
"""So many folders are left, the new one among them: the others are there for their logs."""
PATH_BYTES_MAX = 39
"""Ray puts sockets up to 68 bytes below its folder, where processes have numbers of seven digits,
and a socket's path has at most 107: bytes, of which a letter may have four.
"""
_PREFIX = "vendgate-ray-"
LOCK = "lock"
_LOCK_BYTES_MAX = 4_096


class FolderRefused(RuntimeError):
    """A folder is not ours alone; the sentence says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFolder:
    """A new folder, mode 0700, locked by this process until ``release`` or ``remove``."""

    path: Path
    lock: int

    def release(self) -> None:
        """Let go of the lock; the folder stays, for its logs, until later starts remove it."""
        os.close(self.lock)

    def remove(self) -> None:
        """Remove the folder, whose Ray has ended in order, and let go of the lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def open_session(run_dir: Path) -> SessionFolder:
    """Make a folder for this start, in ``run_dir`` or, where that path is too long for sockets, in
    the system's folder for temporary files. Raises FolderRefused or OSError.
    """
    make_private(run_dir)
    run_dir = run_dir.resolve()
    for parent in _parents(run_dir):
        _remove_old(parent, run_dir)
    # mkdtemp makes a folder that was not there, for us alone, under a name that nobody can guess.
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_parents(run_dir)[-1]))
    return SessionFolder(path=path, lock=hold(path, owner=run_dir))


def hold(path: Path, *, owner: Path) -> int:
    """Lock a new folder until this process ends, or closes what is returned. Raises OSError."""
    # Complete under another name first: whoever finds a lock finds it held, or its owner gone.
    unfinished = path / f"{LOCK}.new"
    lock = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(lock, os.fsencode(owner))
    unfinished.rename(path / LOCK)
    return lock


def make_private(folder: Path) -> None:
    """Make the folder, or take it if it is ours, for nobody else to enter. Raises FolderRefused if
    another user made it, or the link that leads there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for found in (folder.lstat(), folder.stat()):
        if found.st_uid != os.geteuid():
            raise FolderRefused(
                f"{folder} belongs to user {found.st_uid} and this program runs as user "
                f"{os.geteuid()}: name a folder of its own in ray.run_dir."
            )
    folder.chmod(0o700)


def _parents(run_dir: Path) -> tuple[Path, ...]:
    """Return where sessions of this installation may lie; the last one is where new ones go."""
    longest = run_dir / f"{_PREFIX}12345678"
    if len(os.fsencode(longest)) <= PATH_BYTES_MAX:
        return (run_dir,)
    return (run_dir, Path(tempfile.gettempdir()))


def _remove_old(parent: Path, run_dir: Path) -> None:
    dead = list(dead_folders(parent, _PREFIX))
    ours = [path for path, owner in dead if owner == run_dir]
    over = sorted(ours, key=lambda path: path.lstat().st_mtime_ns)[: max(0, len(ours) - KEPT + 1)]
    for path in (*over, *(path for path, owner in dead if not os.path.lexists(owner))):
        if not users_of(path):
            shutil.rmtree(path, ignore_errors=True)


def dead_folders(parent: Path, prefix: str) -> Iterator[tuple[Path, Path]]:
    """Yield this user's folders whose process is gone, each with its installation's folder."""
    for path in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                yield path, _owner_of_dead(path / LOCK)


def _owner_of_dead(path: Path) -> Path:
    """Return what the lock says. Raises OSError if somebody holds it, or it says nothing."""
    lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        owner = os.read(lock, _LOCK_BYTES_MAX)
        if not owner.startswith(b"/"):
            raise OSError(errno.EINVAL, "not a lock of ours", str(path))
        return Path(os.fsdecode(owner))
    finally:
        os.close(lock)
