"""Compiled statements that all engines of one kind share.

An engine compiles each statement once. Each test has engines of its own, and to compile takes
longer than to run on a test's few rows.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, event


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
    statements = _Shared()

    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=statements)

    event.listen(Engine, "engine_connect", share)
    try:
        yield
    finally:
        event.remove(Engine, "engine_connect", share)
