"""Databases as ``vendgate db upgrade`` makes them, each kind made once in a process and copied.

All migrations together take half a second of processor, and hundreds of tests begin with them.
What tests the migrations themselves calls ``migrate.upgrade``.
"""

import functools
import tempfile
from pathlib import Path

from storage.database import migrate
from storage.database.urls import parse


@functools.cache
def _contents(partition_count: int | None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upgraded.db"
        migrate.upgrade(f"sqlite:///{path}", partition_count=partition_count)
        return path.read_bytes()


def make(url: str, *, partition_count: int | None = None) -> Path:
    """Make the SQLite file that the URL names, where none is, and return its path.
    ``partition_count`` None: as many as the product makes by itself.
    """
    path = Path(parse(url).database or "")
    with path.open("xb") as file:
        file.write(_contents(partition_count))
    path.chmod(0o600)
    return path
