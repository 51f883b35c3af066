"""What a database's URL may be; each refusal is a sentence that says what to write."""

import importlib.util

import pytest

from actors.ports import StoreError
from storage.database.urls import parse


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///a.db", "sqlite+pysqlite"),
        ("sqlite+aiosqlite:///a.db", "sqlite+pysqlite"),
        ("postgresql://u@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u:p@h:5432/d?ssl=verify-full", "postgresql+asyncpg"),
        ("postgresql://u@/d?host=/var/run/postgresql", "postgresql+asyncpg"),
        ("postgresql://u@h/d?prepared_statement_cache_size=0", "postgresql+asyncpg"),
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
        ("sqlite+pysqlcipher:///a.db", "driver sqlite+pysqlcipher is not known"),
        ("postgresql+psycopg://u:geheim@h/d", "driver postgresql+psycopg is not known"),
        ("postgresql://u:geheim@h:port/d", "cannot be read"),
        ("postgresql://u:geheim@h:70000/d", "port 70000 is none"),
        ("postgresql://u:geheim@h/d?sslmode=require", "write ssl= for sslmode="),
        ("postgresql://u:geheim@h/d?connect_timeout=5", "database.busy_timeout_ms"),
        ("postgresql://u:geheim@h/d?target=x", "known are host, ssl"),
        ("postgresql://u:geheim@h/d?ssl=banana", "must be one of disable"),
        ("postgresql://u:geheim@h/d?host=a&host=b", "may stand there once"),
        ("postgresql://u:geheim@h/d?prepared_statement_cache_size=x", "must be a number"),
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
