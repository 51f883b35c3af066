"""``vendgate audit``: settings in, what every check of the books found out, and an exit status: 0
clean, 1 findings, 2 cannot read.

With it seals: the newest digests of the books, to a file or from one.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.ports import StoreError
from gateway.books import seals
from gateway.process import configs
from gateway.process.settings import Settings
from gateway.process.texts import plain, without_passwords
from storage.archiving.files import ArchiveRefused
from storage.archiving.proving import with_archive
from storage.auditing import WHOLE, Audit, Finding, Scope, Seal, prove
from storage.auditing.starts import remember_seals
from storage.database.engine import Database, StorageConfig
from storage.fleet.views import BalanceView

CLEAN, FOUND, UNREADABLE = 0, 1, 2
READ_TIMEOUT_MS = 6 * 3_600_000
"""An audit reads all there is, in one transaction; of a database of many years that takes its
time.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealFiles:
    """Which files of seals an audit is to check and to write, if any."""

    check: Path | None = None
    write: Path | None = None


def audit(
    settings: Settings,
    *,
    as_json: bool,
    files: SealFiles = SealFiles(),
    whole: bool = False,
    archive: Path | None = None,
) -> int:
    """Audit the database of these settings, say what was found, and return the exit status. Raises
    SettingsRefused.

    It begins behind the last seals, unless the ``whole`` database is to be looked at, or that and
    an ``archive``: then it begins with the first line of all. Seals are
    written only of chains in which nothing was found: a seal says that all before it was whole.
    With them the database remembers how far it was proved, if nothing at all was found.
    """
    storage = configs.storage_config(settings)
    try:
        if files.write is not None:
            seals.refuse_to_overwrite(files.write)
        known = () if files.check is None else seals.read(files.check)
        found = asyncio.run(
            proved(
                storage,
                own_ids={settings.alipay.partner},
                known=known,
                scope=Scope(whole=whole) if archive is None else with_archive(archive),
                remember=files.write is not None,
            )
        )
        if as_json:
            print(json.dumps(found.as_json()))
        else:
            _draw(Console(), found, whose=storage.url)
        if files.write is not None:
            print(_write(files.write, found), file=sys.stderr)
    except (StoreError, seals.SealsRefused, ArchiveRefused) as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    return CLEAN if found.clean else FOUND


def _write(path: Path, found: Audit) -> str:
    if not found.chains_hold:
        return f"{path} was not written: a chain is broken."
    seals.write(path, found.seals)
    return f"{len(found.seals)} seals are in {path}: keep it on another machine."


async def proved(
    storage: StorageConfig,
    *,
    own_ids: set[str],
    known: tuple[Seal, ...],
    scope: Scope = WHOLE,
    remember: bool = False,
) -> Audit:
    """Return what every check finds in this database, which is only read; ``remember`` writes into
    it how far it was proved. Raises StoreError.
    """
    database = await Database.open(
        replace(storage, read_only=not remember, readers=1, read_timeout_ms=READ_TIMEOUT_MS)
    )
    try:
        now_ms = time.time_ns() // 1_000_000
        found = await prove(database, now_ms=now_ms, own_ids=own_ids, seals=known, scope=scope)
        if remember and found.clean:
            await remember_seals(database, found.proved, now_ms=now_ms)
        return found
    finally:
        await database.close()


def _draw(console: Console, found: Audit, *, whose: str) -> None:
    console.print(Text(f"The books in {plain(without_passwords(whose))}"), soft_wrap=True)
    table = Table(title="What must be true", title_justify="left")
    table.add_column("check")
    table.add_column("looked at", justify="right")
    table.add_column("found", justify="right")
    for check in found.checks:
        count = f"{len(check.findings)}{' and more' if check.more else ''}"
        result = Text("OK", style="green") if check.holds else Text(count, style="bold red")
        table.add_row(check.truth, f"{check.looked_at:,}", result)
    console.print(table)
    console.print(_scope(found), soft_wrap=True, highlight=False)
    for balance in found.balances:
        console.print(_money(balance), soft_wrap=True, highlight=False)
    if found.unsealed.journal_lines or found.unsealed.audit_rows:
        console.print(
            "Not sealed, because from before there were digests: "
            f"{found.unsealed.journal_lines:,} lines of journals,"
            f" {found.unsealed.audit_rows:,} rows of audit",
            soft_wrap=True,
            highlight=False,
        )
    _list(
        console,
        "Findings",
        [(check.name, finding) for check in found.checks for finding in check.findings],
        "red",
    )
    _list(
        console,
        "Warnings: allowed, and taking too long",
        [("", warning) for warning in found.warnings],
        "yellow",
    )
    broken = sum(not check.holds for check in found.checks)
    end = (
        f"{broken} of {len(found.checks)} checks found something."
        if broken
        else f"The books are clean: {len(found.checks)} checks hold."
    )
    console.print(Text(end, style="bold red" if broken else "bold green"), soft_wrap=True)


def _scope(found: Audit) -> str:
    if found.since_ms is None:
        return "Looked at all that is in the database."
    since = datetime.fromtimestamp(found.since_ms / 1000, UTC)
    return (
        f"Looked at what is behind the seals of {since:%Y-%m-%d %H:%M} UTC, and at what goes on "
        "there; --whole looks at all that is in the database."
    )


def _list(
    console: Console, title: str, findings: Iterable[tuple[str, Finding]], style: str
) -> None:
    for number, (name, finding) in enumerate(findings):
        if number == 0:
            console.print(Text(f"\n{title}", style="bold"))
        # What stands in a database is data, never markup.
        console.print(
            Text.assemble((f"{name}: " if name else "", style), plain(finding.sentence)),
            soft_wrap=True,
        )


def _money(balance: BalanceView) -> str:
    return (
        f"{balance.currency}: in {balance.money_in_minor} = sold {balance.money_sold_minor} + "
        f"refunded {balance.money_refunded_minor}"
        f" + held {balance.money_held_minor} + due back {balance.refunds_open_minor} + refunds "
        f"written off {balance.refunds_written_off_minor} - goods written off "
        f"{balance.goods_written_off_minor} (minor units)"
    )
