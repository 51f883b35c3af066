"""What ``vendgate insight`` does: settings in, sentences out, and an exit status."""

import asyncio
import json
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, replace

from gateway.books.audit import READ_TIMEOUT_MS
from gateway.process import configs, logs
from gateway.process.clock import SystemClock
from gateway.process.settings import Settings
from storage.database.engine import Database
from storage.insight.follower import Follower, archived_machines, lag_of
from storage.insight.forgetting import Keeps
from storage.insight.lease import FollowerLost
from storage.insight.proving import Proof, prove_facts

DONE, REFUSED = 0, 1


def follow(settings: Settings, *, once: bool) -> int:
    """Follow the books until Ctrl-C, or ``once``; return the exit status. Raises SettingsRefused,
    StoreError.
    """
    logs.set_up(level=settings.logs.level, line_format=settings.logs.format)

    async def work(database: Database) -> int:
        follower = _follower(settings, database)
        if not once:
            await follower.run()
        return await _caught_up(database, follower)

    with suppress(KeyboardInterrupt):
        return asyncio.run(_with(settings, work))
    return DONE


def rebuild(settings: Settings, *, lose_archived: bool) -> int:
    """Make all again; return the exit status. Raises SettingsRefused, StoreError."""

    async def work(database: Database) -> int:
        archived = await archived_machines(database)
        if archived and not lose_archived:
            print(
                f"Months of {archived} machines were archived. Their sales would be kept, and what "
                "is told of how far their customers came, and of how long they could sell, would "
                "be lost: say --lose-archived to do it all the same. Nothing was changed."
            )
            return REFUSED
        follower = _follower(settings, database)
        await follower.rebuild()
        return await _caught_up(database, follower)

    return asyncio.run(_with(settings, work))


def verify(settings: Settings, *, as_json: bool) -> int:
    """Prove it; return the exit status. Raises SettingsRefused, StoreError."""

    async def work(database: Database) -> int:
        proof = await prove_facts(database)
        print(json.dumps(asdict(proof), indent=2) if as_json else _told(proof))
        return REFUSED if proof.findings else DONE

    return asyncio.run(_with(settings, work, read_only=True))


async def _caught_up(database: Database, follower: Follower) -> int:
    try:
        position = await follower.catch_up()
    except FollowerLost:
        lag = await lag_of(database)
        print(
            f"{lag.holder or 'Somebody else'} follows the books already, and is at position "
            f"{lag.position}, {lag.lines} lines behind. Nothing is to be done."
        )
        return REFUSED
    finally:
        await follower.give_up()
    print(f"All is told up to position {position}.")
    return DONE


def _told(proof: Proof) -> str:
    lines = [f"{proof.facts} facts, up to position {proof.position}."]
    if proof.making_again:
        lines.append("All is being made again: figures are not complete until that is done.")
    lines += [
        f"{currency}: {minor} minor units of sales." for currency, minor in proof.told.items()
    ]
    lines += [
        f"{currency}: {minor} minor units were archived before anybody followed, and are in no "
        "figure."
        for currency, minor in proof.untold.items()
    ]
    lines += [f"WRONG: {one}." for one in proof.findings]
    if not proof.findings:
        lines.append("What is told is what the ledger says.")
    else:
        lines.append("See 'vendgate audit'; if that is clean, 'vendgate insight rebuild' mends it.")
    return "\n".join(lines)


def _follower(settings: Settings, database: Database) -> Follower:
    holder = f"insight-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    told = settings.insight
    return Follower(
        db=database,
        clock=SystemClock(),
        holder=holder,
        keeps=Keeps(hours_days=told.machine_hours_days, tag_days=told.tag_days),
    )


async def _with(
    settings: Settings, work: Callable[[Database], Awaitable[int]], *, read_only: bool = False
) -> int:
    storage = configs.storage_config(settings)
    database = await Database.open(
        replace(storage, read_only=read_only, read_timeout_ms=READ_TIMEOUT_MS)
    )
    try:
        return await work(database)
    finally:
        await database.close()
