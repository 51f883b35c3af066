"""``vendgate backup``: settings in, a file with the whole database out, and whether its books hold;
an exit status as of ``vendgate audit``.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from actors.ports import StoreError
from gateway.books import audit
from gateway.process import configs
from gateway.process.clock import SystemClock
from gateway.process.settings import Settings
from gateway.process.texts import plain
from storage.database import backup as database_backup
from storage.database import migrate


def backup(settings: Settings, target: Path) -> int:
    """Write the backup, prove it, say so, and return the exit status. Raises SettingsRefused.

    Findings are those of the database itself: the file is kept, for whoever looks into them, and so
    is that of a database of an earlier schema, which cannot be proved here.
    """
    storage = configs.storage_config(settings)
    target = target.absolute()
    try:
        database_backup.copy(storage.url, target, now_ms=SystemClock().now_ms())
        schema, mine = migrate.current(storage.url), migrate.head()
        if schema != mine:
            print(
                f"{target} ({target.stat().st_size:,} bytes) is whole, and its books were not "
                f"proved: they have schema {schema}, and this program proves those of {mine}. "
                "The program that serves them proves them.",
                file=sys.stderr,
            )
            return audit.UNREADABLE
        found = asyncio.run(
            audit.proved(
                replace(storage, url=f"sqlite:///{target}"),
                own_ids={settings.alipay.partner},
                known=(),
            )
        )
    except StoreError as error:
        print(error, file=sys.stderr)
        return audit.UNREADABLE
    except KeyboardInterrupt:
        if target.exists():
            print(
                f"{target} is whole, and its books were not proved: remove it before you try again "
                "under its name, or prove it with 'vendgate audit'.",
                file=sys.stderr,
            )
        raise
    size = f"{target} ({target.stat().st_size:,} bytes)"
    if found.clean:
        print(f"{size} is whole, and its books are clean: {len(found.checks)} checks hold.")
        return audit.CLEAN
    for sentence in found.sentences:
        print(plain(sentence))
    print(
        f"{size} holds what the database holds, and its books do not: see the findings above.",
        file=sys.stderr,
    )
    return audit.FOUND
