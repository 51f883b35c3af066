"""Whether anything can be saved just now: what is known from what was saved, or is tried.

A database may well answer questions while it can take nothing in: its disk is full, somebody holds
its lock, it is a standby. What was saved a moment ago proves enough, so that a busy gateway tries
nothing; in a quiet hour a row that needs room is written and taken away again in one transaction.
"""

import asyncio

from sqlalchemy import Connection, delete, insert

from storage.database.engine import Database
from storage.tables import answers

FRESH_S = 5.0
"""This long ago something was saved: then it still can be."""
_ROOM_BYTES = 8_192
"""More than one page: a file that cannot grow has no room for it."""
_ROW = {"caller": "vendgate", "request_id": "can-anything-be-saved"}


class SaveCheck:
    """Answers for one open database. Only one try is under way, however many ask."""

    def __init__(self, database: Database, *, fresh_s: float = FRESH_S) -> None:
        self._database = database
        self._fresh_s = fresh_s
        self._trying: asyncio.Task[None] | None = None

    async def proved(self) -> None:
        """Return if something can be saved. Raises StoreError with the database's own words."""
        if self._database.saved_within(self._fresh_s):
            return
        if self._trying is None or self._trying.done():
            self._trying = asyncio.create_task(self._database.write(_take_room_and_leave))
            self._trying.add_done_callback(_seen)
        # Who asks may go; the next one finds this try, and begins no other beside it.
        await asyncio.shield(self._trying)


def _take_room_and_leave(connection: Connection) -> None:
    row = {
        **_ROW,
        "rpc": "",
        "content_sha256": "",
        "at_ms": 0,
        "token": "",
        "until_ms": 0,
        "done": True,
        "machine_version": 0,
        "answer": bytes(_ROOM_BYTES),
    }
    connection.execute(insert(answers).values(row))
    connection.execute(
        delete(answers).where(
            answers.c.caller == _ROW["caller"], answers.c.request_id == _ROW["request_id"]
        )
    )


def _seen(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        task.exception()
