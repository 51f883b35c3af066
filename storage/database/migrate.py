"""Brings a database to the schema of this program: its tables and its partitions.

Safe to run again and by several processes at once: the whole upgrade is one transaction under a
lock.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import URL, Connection, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

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

__all__ = ["alembic_config", "beats", "current", "head", "upgrade"]

T = TypeVar("T")
LOCK_TIMEOUT_MS = 60_000


def alembic_config() -> "Config":
    """Return Alembic's configuration; the migrations are found beside this folder, installed or
    not.
    """
    from alembic.config import Config  # late: a program that only serves loads no Alembic

    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(url: str, *, partition_count: int | None = None) -> None:
    """Bring the database to this program's schema.

    ``partition_count`` counts when the database is created (256 if None) and is fixed for ever
    then; raises StoreError if the database has another one, or cannot be reached or written.
    """
    from alembic import command

    def work(connection: Connection) -> None:
        dialects.upgrade_alone(connection)
        there = schema.found(connection)
        if there is not None and not schema.knows(there):
            raise StoreError(f"The database has schema {there}: {schema.to_do(there)}")
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _install(connection, partition_count)

    _transact(parse(url), work)


def current(url: str) -> str | None:
    """Return the schema version that the database has, None if it is empty."""
    return _transact(parse(url), schema.found)


def beats(url: str) -> dict[str, int]:
    """Return how far each holder of machines has counted; nothing of a database that is older than
    its holders. Raises StoreError.
    """

    def work(connection: Connection) -> dict[str, int]:
        if not inspect(connection).has_table(holders.name):
            return {}
        rows = connection.execute(select(holders.c.holder, holders.c.beat)).all()
        return {row.holder: row.beat for row in rows}

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
