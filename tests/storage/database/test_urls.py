"""What a database's URL may be; each refusal is a sentence that says what to write."""

import errno
import importlib.util
import os
from pathlib import Path

import pytest

from actors.ports import StoreError
from storage.database.urls import parse, unwritable


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///a.db", "sqlite+pysqlite"),
        ("sqlite+aiosqlite:///a.db", "sqlite+pysqlite"),
        ("postgresql://u@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u:p@h:5432/d?ssl=verify-full", "postgresql+asyncpg"),
        ("postgresql://u@/d?host=/var/run/postgresql", "postgresql+asyncpg"),
        ("postgresql://u@h/d?pooler=transaction", "postgresql+asyncpg"),
    ],
)
def test_urls_are_understood(url: str, driver: str) -> None:
    """Whoever names no driver gets ours."""
    assert driver == parse(url).drivername


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "write sqlite:///path/to/file or postgresql://user@host/name"),
        ("mysql://u:geheim@h/d", "use SQLite or PostgreSQL"),
        ("sqlite://", "write sqlite:///path/to/file"),
        ("sqlite:///:memory:", "write sqlite:///path/to/file"),
        ("sqlite:///a.db?mode=ro", "without anything else"),
        ("sqlite:////", "is a folder: name a file in it"),
        ("postgresql://", "names no host"),
        ("postgresql:///d", "names no host"),
        ("postgresql://u@h", "names no database: write postgresql://user@host/name"),
        ("postgresql://u@h/", "names no database"),
        ("sqlite+pysqlcipher:///a.db", "driver sqlite+pysqlcipher is not known"),
        ("postgresql+psycopg://u:geheim@h/d", "driver postgresql+psycopg is not known"),
        ("postgresql://u:geheim@h:port/d", "cannot be read"),
        ("postgresql://u:geheim@h:70000/d", "port 70000 is none"),
        ("postgresql://u:geheim@h/d?sslmode=require", "write ssl= for sslmode="),
        ("postgresql://u:geheim@h/d?connect_timeout=5", "database.busy_timeout_ms"),
        ("postgresql://u:geheim@h/d?target=x", "known are host, ssl"),
        ("postgresql://u:geheim@h/d?ssl=banana", "must be one of disable"),
        ("postgresql://u:geheim@h/d?host=a&host=b", "may stand there once"),
        ("postgresql://u:geheim@h/d?pooler=session", "can be transaction alone"),
        ("postgresql://u:geheim@h/d?prepared_statement_cache_size=0", "write pooler=transaction"),
    ],
)
def test_what_would_fail_later_is_refused_now(url: str, says: str) -> None:
    """Nothing of it becomes a traceback when the database is opened, and no password is told."""
    with pytest.raises(StoreError) as refused:
        parse(url)
    assert says in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the way to have it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StoreError, match="pip install 'vendgate"):
        parse("postgresql://u@h/d")


def test_where_no_database_can_be_made_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is tried, and nothing is made on the way."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")

    def problems(path: str) -> str:
        return " ".join(unwritable(parse(f"sqlite:///{tmp_path}/{path}")))

    assert ["", "", ""] == [problems(path) for path in ("new.db", "new/folder/v.db", "file")]
    assert problems("file/no/v.db").endswith(f"cannot be made: {tmp_path}/file is no folder.")
    assert problems("pipe").endswith("is no file.")
    for shown in filter(os.path.ismount, ("/proc", "/sys")):
        (problem,) = unwritable(parse(f"sqlite:///{shown}/x.db"))
        assert problem.endswith(f"{shown} keeps no files. Name another place.")
    denied: set[Path] = {tmp_path / "file"}
    monkeypatch.setattr(os, "access", lambda path, _mode: path not in denied)
    assert problems("file").endswith("file cannot be written by this user: chown it.")
    denied.add(tmp_path)
    assert f"and {tmp_path} is none: chown it" in problems("new/folder/v.db")

    def closed(_path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "exists", closed)
    assert problems("v.db").endswith("cannot be reached by this user (Permission denied).")
    assert [] == list(unwritable(parse("postgresql://u@h/d")))
    monkeypatch.undo()
    assert {"file", "pipe"} == {path.name for path in tmp_path.iterdir()}
