"""DuckDB, within bounds: the one file that imports it. It comes with the extra ``lake``.

Flows in: texts (``statements``). Flows out: rows, and files of Parquet. What it raises is a
LakeError here. It loads nothing from the network, and what does not fit into its memory it puts
into a folder that goes with it.
"""

import errno
import importlib.util
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

MISSING = (
    "DuckDB is not installed, which reads and writes the lake: install the extra, "
    "pip install 'vendgate[lake]'"
)
_ROWS_AT_ONCE = 20_000


class LakeError(Exception):
    """What cannot be done with the lake, as a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one DuckDB may use."""

    threads: int = 2
    memory_mb: int = 1_024


def require() -> None:
    """Raise LakeError if DuckDB is not installed."""
    if importlib.util.find_spec("duckdb") is None:
        raise LakeError(f"{MISSING}.")


class Duck:
    """A DuckDB of one thread's own, for as long as it is open."""

    def __init__(self, connection: Any, failures: type[Exception]) -> None:
        self._connection = connection
        self._failures = failures

    def run(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement. Raises LakeError."""
        with self._told():
            rows: list[tuple[Any, ...]] = self._connection.execute(statement, values).fetchall()
            return rows

    def stream(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement, which may be many. Raises LakeError."""
        with self._told():
            result = self._connection.execute(statement)
            while rows := result.fetchmany(_ROWS_AT_ONCE):
                yield from rows

    def count(self, statement: str) -> int:
        """Return the one number that a statement answers."""
        return int(self.run(statement)[0][0])

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Make a table of texts, or add to it."""
        listed = ", ".join(f"{column} VARCHAR" for column in columns)
        self.run(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({listed})")
        if rows:
            taken = ", ".join("unnest(?::VARCHAR[])" for _ in columns)
            self.run(f"INSERT INTO {name} SELECT {taken}", [list(one) for one in zip(*rows)])  # noqa: B905 - names are ours

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            full = os.strerror(errno.ENOSPC)
            if full in str(error):
                said = f"What it writes has no room ({full}): make some, then do it again."
                raise LakeError(said) from error
            # The first lines say what; what follows quotes the statement, or rows.
            raise LakeError(f"DuckDB cannot do it: {str(error).splitlines()[0]}") from error


@contextmanager
def duck(bounds: Bounds = Bounds()) -> Iterator[Duck]:
    """Open one, and close it. Raises LakeError if DuckDB is not installed."""
    require()
    import duckdb

    with tempfile.TemporaryDirectory(prefix="vendgate-lake-") as spill:
        settings: dict[str, Any] = {
            "threads": bounds.threads,
            "memory_limit": f"{bounds.memory_mb}MB",
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        connection = duckdb.connect(":memory:", config=settings)
        try:
            yield Duck(connection, duckdb.Error)
        finally:
            connection.close()
