"""Files that are written and not waited for, in the tests' own process: no test cuts the power.

A COMMIT that is durable costs up to twice the processor of one that is not, and it waits.
PostgreSQL is told the same (``postgres.py``). Programs that tests start write as they are built.
"""

import contextlib
import os
from collections.abc import Iterator
from unittest.mock import patch

from storage.database import sqlite

AS_BUILT = sqlite._PRAGMAS
"""What the product asks of each connection to SQLite."""
DURABLE = "synchronous = FULL"


@contextlib.contextmanager
def not_waited_for() -> Iterator[None]:
    """Let what is saved meanwhile be in the system's hands, and on no disk."""
    assert DURABLE in AS_BUILT, "the product asks for it in other words now"
    pragmas = tuple("synchronous = OFF" if one == DURABLE else one for one in AS_BUILT)
    with patch.object(sqlite, "_PRAGMAS", pragmas), patch.object(os, "fsync", lambda _: None):
        yield
