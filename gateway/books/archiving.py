"""``vendgate archive``: settings, a folder and a month in, sentences out, and an exit status: 0
archived, 1 refused, 2 the database cannot be read or written.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from actors.ports import StoreError
from gateway.books.audit import READ_TIMEOUT_MS
from gateway.process import configs
from gateway.process.settings import Settings
from gateway.process.texts import plain
from storage.archiving.archive import ACTS_END_S, Order, dry_run, run
from storage.archiving.exporting import Plan
from storage.archiving.files import ArchiveRefused
from storage.database.engine import Database, StorageConfig
from storage.database.schema import require_same

DONE, REFUSED, UNREADABLE = 0, 1, 2


def archive(settings: Settings, *, folder: Path, before: str, only_look: bool) -> int:
    """Archive the months before the one that is named, or only tell what would go; return the exit
    status. Raises SettingsRefused.
    """
    order = Order(
        folder=folder.absolute(),
        before=before,
        now_ms=time.time_ns() // 1_000_000,
        own_ids={settings.alipay.partner},
        acts_end_s=ACTS_END_S,
    )
    try:
        asyncio.run(_archive(configs.storage_config(settings), order, only_look=only_look))
    except ArchiveRefused as error:
        print(plain(str(error)), file=sys.stderr)
        return REFUSED
    except StoreError as error:
        print(plain(str(error)), file=sys.stderr)
        return UNREADABLE
    return DONE


async def _archive(storage: StorageConfig, order: Order, *, only_look: bool) -> None:
    database = await Database.open(
        replace(storage, read_only=only_look, readers=1, read_timeout_ms=READ_TIMEOUT_MS)
    )
    try:
        await database.read(require_same)
        if only_look:
            _tell(await dry_run(database, order), print)
        elif not await run(database, order, lambda text: print(text, flush=True)):
            print(f"Nothing is left to archive before {order.before}.")
    finally:
        await database.close()


def _tell(plans: list[Plan], say: Callable[[str], None]) -> None:
    lines = moved = told = 0
    for plan in plans:
        # Each plan counts from where the books begin now: the earlier months are in it.
        say(
            f"{plan.month}: {plan.lines - lines:,} lines, {plan.transfers - moved:,} transfers and "
            f"{plan.notifications - told:,} notifications would go."
        )
        lines, moved, told = plan.lines, plan.transfers, plan.notifications
    for machine_id, why in (plans[-1].held if plans else {}).items():
        say(f"Machine {machine_id} would keep more: {why}.")
    if not plans:
        say("Nothing is left to archive.")
