"""``vendgate reconcile``: a file and settings in, a report and an exit status out.

Status 0: nothing is open; 1: differences wait for a person; 2: the file, the settings or the
database cannot be used.
"""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from alipay_client import files
from gateway.alipay.reconciliation import report
from gateway.alipay.reconciliation.run import DailyFile, Ours, Outcome, reconcile
from gateway.process import configs
from gateway.process.clock import SystemClock
from gateway.process.settings import Settings
from gateway.process.texts import plain_lines
from storage.database.engine import Database, StorageConfig

READ_TIMEOUT_MS = 600_000
"""How long a day's payments of a large fleet may take to read."""


def command(settings: Settings, file: Path, *, as_json: bool, restored: bool) -> int:
    """Read the file, print the report and return the exit status. Raises SettingsRefused, OSError,
    FileRefused or StoreError.
    """
    with file.open("rb") as opened:
        content = opened.read(files.FILE_BYTES_MAX + 1)
    ours = Ours(
        partner=settings.alipay.partner,
        merchant_name=settings.alipay.merchant.secondary_merchant_name,
        payment_minor_max=settings.alipay.payment_minor_max,
    )
    outcome = asyncio.run(
        _run(
            configs.storage_config(settings),
            DailyFile(name=file.name.encode(errors="replace").decode(), content=content),
            ours,
            restored=restored,
        )
    )
    print(json.dumps(report.as_json(outcome)) if as_json else plain_lines(report.as_text(outcome)))
    return 1 if outcome.open_count else 0


async def _run(storage: StorageConfig, daily: DailyFile, ours: Ours, *, restored: bool) -> Outcome:
    database = await Database.open(replace(storage, read_timeout_ms=READ_TIMEOUT_MS))
    try:
        return await reconcile(
            database, daily, ours, now_ms=SystemClock().now_ms(), restored=restored
        )
    finally:
        await database.close()
