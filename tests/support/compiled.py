"""Compiled statements that all engines of one kind share.

An engine compiles each statement once, and the write path its own for each engine. Each test has
engines of its own, and to compile takes longer than to run on a test's few rows.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Dialect, Engine, event

from storage.machines import statements, store


class _Shared(dict[tuple[Any, ...], Any]):
    """Knows a dialect by what it does with a statement, not by its identity."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(_alike(key), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__(_alike(key), compiled)


def _alike(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    settings = ("paramstyle", "_json_serializer", "_json_deserializer", "server_version_info")
    return (type(dialect), *(getattr(dialect, name, None) for name in settings), *statement)


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Let every connection that is opened meanwhile share."""
    cache = _Shared()
    commits: dict[tuple[Any, ...], statements.CommitStatements] = {}

    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=cache)

    def commit_statements(dialect: Dialect) -> statements.CommitStatements:
        kind = _alike((dialect,))
        if kind not in commits:
            commits[kind] = statements.CommitStatements(dialect)
        return commits[kind]

    event.listen(Engine, "engine_connect", share)
    try:
        with patch.object(store, "commit_statements", commit_statements):
            yield
    finally:
        event.remove(Engine, "engine_connect", share)
