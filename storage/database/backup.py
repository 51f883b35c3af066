"""A whole copy of a SQLite database, taken while others write: one state of it, in one file.

A copied file is not: what was saved last stands in the write-ahead log beside it, and a copy of
both tells of two moments. SQLite's own backup reads one snapshot, and makes no writer wait.
"""

import errno
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from actors.ports import StoreError
from storage.database import dialects, sqlite
from storage.database.reader import describe
from storage.database.urls import parse

NOT_SQLITE = (
    "The database is PostgreSQL, which has tools for this: pg_dump for a copy, or base backups "
    "with the write-ahead log archived, which lose nothing. Prove what was restored with "
    "'vendgate audit'."
)


_MARK = (
    "UPDATE installation SET copied_at_ms = ?, "
    "copied_line = (SELECT coalesce(max(id), 0) FROM journal)"
)
"""A copy knows that it is one: whoever restores it has books that forgot what came after."""


def copy(url: str, target: Path, *, now_ms: int) -> None:
    """Write the database, as it is now, to a new file for its owner alone, which says when it was
    copied; it is on the disk when this returns. Raises StoreError: not SQLite, the file is there,
    or it cannot be done.
    """
    parsed = parse(url)
    if parsed.get_backend_name() != dialects.SQLITE or not parsed.database:
        raise StoreError(NOT_SQLITE)
    sqlite.require_file(parsed)
    if target.exists():
        raise StoreError(f"{target} exists, and a backup is never overwritten: name another file.")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        _write(Path(parsed.database), unfinished, now_ms)
        _name(unfinished, target)
        _on_disk(target.parent)
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise StoreError(f"The backup {target} cannot be written: {describe(error)}") from error
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()


_PAGES_AT_ONCE = 4_096


def _looks_up(_status: int, _left: int, _whole: int) -> None:
    """Python hears of signals here."""


def _write(source: Path, target: Path, now_ms: int) -> None:
    target.unlink(missing_ok=True)  # of a backup that was cut off
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    read_only = f"file:{quote(str(source))}?mode=ro"
    with (
        closing(sqlite3.connect(read_only, uri=True, isolation_level=None)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        # In steps of one snapshot, so that whoever ends the program need not wait for the whole.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchall()
        reading.backup(writing, pages=_PAGES_AT_ONCE, progress=_looks_up)
        reading.execute("ROLLBACK")
        # One file that stands alone: with the mode that it was copied with it would get a log.
        writing.execute("PRAGMA journal_mode = DELETE")
        with writing:
            writing.execute(_MARK, (now_ms,))
    _on_disk(target)


_CANNOT = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""How file systems of other worlds (FAT, network shares) say that they have no such thing."""


def _name(unfinished: Path, target: Path) -> None:
    """Give the finished file its name. Raises OSError, also if a file of that name came meanwhile:
    a link is refused then, and so is a new file, which holds the place where there are no links.
    """
    try:
        os.link(unfinished, target)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        unfinished.replace(target)


def _on_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
