"""``vendgate audit-log``: every row of the audit log as a line of JSON, oldest first.

Flows in: the settings, and the id behind which to go on. Flows out: lines on standard output, page
by page, so that a log of any length needs little memory. Each line has the row's digest; how it is
made is told in ``storage.books.chain``.
"""

import asyncio
import sys
from dataclasses import replace

from gateway.process import configs
from gateway.process.settings import Settings
from gateway.process.texts import json_line
from storage.books.audit_rows import audit_page
from storage.database.engine import Database, StorageConfig


def export(settings: Settings, *, after: int = 0) -> None:
    """Print all rows behind the one with the id ``after``. Raises SettingsRefused or StoreError."""
    asyncio.run(_export(configs.storage_config(settings), after))


async def _export(storage: StorageConfig, after: int) -> None:
    database = await Database.open(replace(storage, read_only=True))
    try:
        while rows := await database.read(audit_page(after)):
            for row in rows:
                sys.stdout.write(f"{json_line(row)}\n")
            after = rows[-1]["id"]
    finally:
        await database.close()
