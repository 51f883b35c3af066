"""Brings a database to the schema of this program: its tables and its partitions.

Safe to run again and by several processes at once: the whole upgrade is one transaction under a
lock. On PostgreSQL it may run while machines sell: for a table that somebody uses just now it waits
a moment only, because all commits would wait behind it, then lets go of everything and tries again.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import URL, Connection, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from actors.placement import PARTITION_COUNT_DEFAULT
from actors.ports import StoreError
from storage.database import dialects, schema
from storage.database.postgres import postgres_engine
from storage.database.reader import describe
from storage.database.schema import head
from storage.database.sqlite import make_private, sqlite_engine
from storage.database.urls import parse
from storage.tables import holders, installation, partitions

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["alembic_config", "current", "head", "refusal", "serving", "upgrade"]

T = TypeVar("T")
LOCK_TIMEOUT_MS = 60_000
TABLE_WAIT_MS = 400
"""So long an upgrade waits for one table: less than after what PostgreSQL looks for a deadlock, so
that it is the upgrade which gives way, and less than a customer notices.
"""
AGAIN_AFTER_S = 1.0
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Serving:
    """One holder of machines: how far it has counted, and the schema of its program; empty if it
    did not say so.
    """

    beat: int
    program: str


def alembic_config() -> "Config":
    """Return Alembic's configuration; the migrations are found beside this folder, installed or
    not.
    """
    from alembic.config import Config  # late: a program that only serves loads no Alembic

    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(url: str, *, partition_count: int | None = None) -> None:
    """Bring the database to this program's schema, if it is not at a newer one that suits it.

    ``partition_count`` counts when the database is created (256 if None) and is fixed for ever
    then; raises StoreError if the database has another one, or cannot be reached or written, or if
    its tables are in use for a minute without a gap.
    """
    until_s = time.monotonic() + LOCK_TIMEOUT_MS / 1_000
    while True:
        try:
            _transact(parse(url), partial(_upgrade, partition_count=partition_count))
        except _InUse as error:
            if time.monotonic() >= until_s:
                raise StoreError(
                    "The database was not upgraded, and nothing was changed: its tables were in "
                    f"use for {LOCK_TIMEOUT_MS // 1_000} s without a gap. Try again when nobody "
                    "reads for long (an audit, a backup, an archive)."
                ) from error
            time.sleep(AGAIN_AFTER_S)
        else:
            return


class _InUse(Exception):
    """A table could not be had within its time; the transaction was taken back."""


def _upgrade(connection: Connection, *, partition_count: int | None) -> None:
    from alembic import command

    dialects.upgrade_alone(connection)
    there = schema.found(connection)
    if there is not None and not schema.knows(there):
        if refused := schema.refusal(connection):
            raise StoreError(refused)
        return  # by a newer program, and this one works with it
    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        if there is not None and connection.dialect.name == dialects.POSTGRESQL:
            connection.execute(text(f"SET LOCAL lock_timeout = {TABLE_WAIT_MS}"))
        command.upgrade(config, "head")
        _install(connection, partition_count)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise _InUse from error
        raise


def current(url: str) -> str | None:
    """Return the schema version that the database has, None if it is empty."""
    return _transact(parse(url), schema.found)


def refusal(url: str) -> str:
    """Return why this program does not work with the database, as a sentence; empty if it does."""
    return _transact(parse(url), schema.refusal)


def serving(url: str) -> dict[str, Serving]:
    """Return all holders of machines; nothing of a database that is older than its holders. Raises
    StoreError.
    """

    def work(connection: Connection) -> dict[str, Serving]:
        there = inspect(connection)
        if not there.has_table(holders.name):
            return {}
        names = {each["name"] for each in there.get_columns(holders.name)}
        told = (holders.c.holder, holders.c.beat, holders.c.program)
        rows = connection.execute(select(*(each for each in told if each.name in names)))
        return {
            row["holder"]: Serving(row["beat"], row.get("program", "")) for row in rows.mappings()
        }

    return _transact(parse(url), work)


def _install(connection: Connection, partition_count: int | None) -> None:
    there = connection.scalar(select(installation.c.partition_count))
    if there is None:
        count = partition_count or PARTITION_COUNT_DEFAULT
        connection.execute(
            insert(installation).values(
                id=1, partition_count=count, created_at_ms=time.time_ns() // 1_000_000
            )
        )
        unowned = {"owner": "", "holder": "", "epoch": 0, "claimed_at_ms": 0}
        connection.execute(
            insert(partitions), [{"partition": number, **unowned} for number in range(count)]
        )
    elif partition_count not in {None, there}:
        raise StoreError(
            f"This database was created with {there} partitions and keeps them; "
            f"{partition_count} cannot be set any more."
        )
    connection.execute(update(installation).values(oldest_program=schema.oldest_program()))


def _transact(url: URL, work: Callable[[Connection], T]) -> T:
    try:
        if url.get_backend_name() == dialects.SQLITE:
            return _on_sqlite(url, work)
        # A loop of its own, because the caller may be inside one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(_on_postgres(url, work))).result()
    except (SQLAlchemyError, OSError, UnicodeDecodeError) as error:
        where = url.render_as_string(hide_password=True)
        raise StoreError(f"{where} cannot be read or upgraded: {describe(error)}") from error


def _on_sqlite(url: URL, work: Callable[[Connection], T]) -> T:
    make_private(url)
    engine = sqlite_engine(url, busy_timeout_ms=LOCK_TIMEOUT_MS)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


async def _on_postgres(url: URL, work: Callable[[Connection], T]) -> T:
    engine = postgres_engine(url, statement_timeout_ms=LOCK_TIMEOUT_MS)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
