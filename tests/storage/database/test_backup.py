"""A backup is one state, whole; what it is good for is told in ``tests/gateway/books``."""

import errno
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from actors.ports import StoreError
from storage.database import backup

NOW_MS = 1_700_000_000_000
MARK = "SELECT copied_at_ms, copied_line FROM installation"


def test_a_writer_in_the_middle_is_not_waited_for(upgraded_file: Path, tmp_path: Path) -> None:
    """What it has not committed is not in the copy, and the copy is one file without a log."""
    source, target = tmp_path / "vendgate.db", tmp_path / "backup.db"
    shutil.copy(upgraded_file, source)
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE installation SET created_at_ms = 4711")
        backup.copy(f"sqlite:///{source}", target, now_ms=NOW_MS)
        writer.execute("COMMIT")
    with closing(sqlite3.connect(target)) as copy:
        assert [("delete",)] == copy.execute("PRAGMA journal_mode").fetchall()
        (created_at_ms,) = copy.execute("SELECT created_at_ms FROM installation").fetchone()
        assert 4711 != created_at_ms
        assert [(NOW_MS, 0)] == copy.execute(MARK).fetchall()
    with closing(sqlite3.connect(source)) as copied:
        assert [(None, None)] == copied.execute(MARK).fetchall()


def test_another_database_is_refused(tmp_path: Path) -> None:
    """With the tools that it has."""
    with pytest.raises(StoreError, match="pg_dump"):
        backup.copy("postgresql://app@db/vendgate", tmp_path / "backup.db", now_ms=NOW_MS)


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    """It is the source that is missing; nothing is made in its place."""
    with pytest.raises(StoreError, match=r"no database .*gone\.db: name your settings"):
        backup.copy(f"sqlite:///{tmp_path}/gone.db", tmp_path / "backup.db", now_ms=NOW_MS)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links_gets_one_too(
    upgraded_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The same file, and one that came meanwhile is not overwritten there either."""

    def refused(_source: Path, _target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refused)
    target, taken = tmp_path / "backup.db", tmp_path / "taken.db"
    backup.copy(f"sqlite:///{upgraded_file}", target, now_ms=NOW_MS)
    with closing(sqlite3.connect(target)) as copy:
        assert [(NOW_MS, 0)] == copy.execute(MARK).fetchall()
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)

    def refused_late(source: Path, target: Path) -> None:
        target.write_text("came meanwhile")
        refused(source, target)

    monkeypatch.setattr(os, "link", refused_late)
    with pytest.raises(StoreError, match=r"taken\.db cannot be written: .*exists"):
        backup.copy(f"sqlite:///{upgraded_file}", taken, now_ms=NOW_MS)
    assert "came meanwhile" == taken.read_text()
    assert {target, taken} == set(tmp_path.iterdir())
