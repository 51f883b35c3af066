"""Files that are written and not waited for, in the tests' own process: no test cuts the power.

A COMMIT that is durable costs up to twice the processor of one that is not, and it waits.
PostgreSQL is told the same (``postgres.py``). Programs that tests start write as they are built.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from gateway.simulator.board import Board
from gateway.simulator.journal import Journal
from gateway.simulator.machine_client import ClientConfig
from gateway.simulator.shelf import Shelf
from storage.database import sqlite

AS_BUILT = sqlite._PRAGMAS
"""What the product asks of each connection to SQLite."""
DURABLE = "synchronous = FULL"


SYNCED = (Board.__init__, Journal.__init__, Shelf.__init__, ClientConfig.__init__)
"""Of the reference machine: what each of these is not told how to do, ``os.fsync`` does."""


@contextlib.contextmanager
def not_waited_for() -> Iterator[None]:
    """Let what is saved meanwhile be in the system's hands, and on no disk."""
    assert DURABLE in AS_BUILT, "the product asks for it in other words now"
    pragmas = tuple("synchronous = OFF" if one == DURABLE else one for one in AS_BUILT)
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.object(sqlite, "_PRAGMAS", pragmas))
        for made in SYNCED:
            defaults: dict[str, Any] = made.__kwdefaults__ or {}
            assert os.fsync is defaults["sync"], f"{made.__qualname__} syncs in another way now"
            stack.enter_context(patch.dict(defaults, sync=lambda _: None))
        stack.enter_context(patch.object(os, "fsync", lambda _: None))
        yield
