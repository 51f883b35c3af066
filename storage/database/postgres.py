"""PostgreSQL, through asyncpg: the engine that writes, on one connection, and the engines that
read, in ``REPEATABLE READ`` transactions that cannot write.

Behind a pooler that shares connections (``?pooler=transaction``) nothing lasts longer than a
transaction: limits are set in each, and no statement is prepared for the next one. That costs each
transaction a round trip, and each statement another.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Dialect, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import in_greenlet

from storage import codec
from storage.database.reader import Reading, T, Work
from storage.database.urls import TRANSACTION

LEAVE_WITHIN_S = 1.0
IDLE_IN_TRANSACTION_MS = 5_000
COMMIT_TIMEOUT_S = 11.0
"""Who waits for a transaction this long beyond what its statements may is told that nobody knows
what becomes of it.
"""
HANGS_AFTER_S = 600.0
"""A transaction that takes this long loses its connection."""
_WAITS_FOR_STANDBY = "SyncRepWaitForLSN"
"""The server's function that warns of a COMMIT whose wait for the standby somebody has cancelled,
and which is called done. The warning's words are in the server's language, this name is not.
"""
_PREPARES_NOTHING: Mapping[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    # Without a name it is gone with the next one, on whichever connection that is.
    "prepared_statement_name_func": str,
}


def postgres_engine(
    url: URL,
    *,
    statement_timeout_ms: int,
    connections: int = 1,
    plan_once: bool = False,
    cancels: bool = True,
    idle_ms: int = IDLE_IN_TRANSACTION_MS,
) -> AsyncEngine:
    """Return an engine whose waits all have an end.

    ``idle_in_transaction_session_timeout`` is part of the ownership protocol: a frozen owner inside
    an open transaction holds its share of the fence, and a takeover waits exactly this long. Locks
    give up before statements do, so that no COMMIT is ever cancelled for a lock. ``plan_once``:
    statements that are run again and again are planned once, whatever their parameters.
    ``cancels``: the driver has the server cancel what takes too long, which may be a COMMIT.
    """
    limits = {
        "client_min_messages": "warning",  # of which one is listened to, see ``HereAlone``
        "idle_in_transaction_session_timeout": str(idle_ms),
        "lock_timeout": str(max(statement_timeout_ms - 1000, 1000)),
        "statement_timeout": str(statement_timeout_ms),
    }
    pooled = url.query.get("pooler") == TRANSACTION
    connect_args: dict[str, Any] = {}
    if url.get_driver_name() == "asyncpg":
        connect_args = {
            "timeout": 5,
            "command_timeout": statement_timeout_ms / 1000 + 1 if cancels else None,
            "server_settings": {"application_name": "vendgate"},
        }
        if pooled:
            connect_args |= _PREPARES_NOTHING
        else:
            plans = {"plan_cache_mode": "force_generic_plan" if plan_once else "auto"}
            connect_args["server_settings"] |= limits | plans
    engine = create_async_engine(
        url.difference_update_query(["pooler"]),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=10,
        connect_args=connect_args,
        json_serializer=codec.as_is,
        json_deserializer=codec.as_is,
    )
    event.listen(engine.sync_engine, "close", _take_leave)
    if pooled:
        event.listen(engine.sync_engine, "begin", partial(_limit, limits))
    return engine


def _limit(limits: Mapping[str, str], connection: Connection) -> None:
    """Set what the server is to keep to in this transaction, the first thing in it."""
    each = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in limits.items())
    connection.exec_driver_sql(f"SELECT {each}")


def _take_leave(connection: Any, _record: object) -> None:
    """Before a connection is closed: tell the server, and wait for it no longer than it takes a
    server that lives. The driver itself waits for a minute, and then says where it stands.
    """
    if in_greenlet():
        connection.run_async(_leave)


async def _leave(driver: Any) -> None:
    with contextlib.suppress(Exception):  # the driver has cut the connection off then
        await driver.close(timeout=LEAVE_WITHIN_S)


def postgres_read_engine(url: URL, *, statement_timeout_ms: int, connections: int) -> AsyncEngine:
    """Return an engine whose transactions see one state each and cannot write. They hold no share
    of the fence, so that a reader which stood still for a while goes on.
    """
    return postgres_engine(
        url,
        statement_timeout_ms=statement_timeout_ms,
        connections=connections,
        idle_ms=statement_timeout_ms,
    ).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


async def end(task: "asyncio.Task[Any]", _reading: Reading) -> None:
    """Cancel the read: the driver asks the server to cancel its statement, and the connection is
    thrown away.
    """
    task.cancel()
    await asyncio.wait({task})


class HereAlone(OSError):
    """The transaction is committed, and only on this server: nobody knows whether it stays."""


class PostgresWriter:
    """Writes on one connection, so one transaction after the other, in the order in which they were
    asked for.
    """

    def __init__(self, url: URL, *, busy_timeout_ms: int) -> None:
        # A commit's statement writes many tables by their keys: planning it each time took as long
        # as running it.
        self._engine = postgres_engine(
            url, statement_timeout_ms=busy_timeout_ms, plan_once=True, cancels=False
        )
        self._within_s = busy_timeout_ms / 1000 + COMMIT_TIMEOUT_S
        self._writes = asyncio.Lock()
        # The driver's own connection while a transaction runs on it.
        self._driver: Any = None
        self.dialect: Dialect = self._engine.dialect

    async def write(self, work: Work[T]) -> T:
        """Run it in a transaction. Its statements have their own bound. Raises TimeoutError if it
        takes longer all the same, because the server or a standby hangs.

        It is not cancelled then: a COMMIT that waits for a standby and is cancelled is committed
        here alone. It goes on by itself, and nothing else is begun before it has ended: each
        further COMMIT would hang in a server process of its own, until there is no room for any.
        """
        await self._turn()
        task = asyncio.create_task(self._transact(work))
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=self._within_s)
        if not task.done():
            raise TimeoutError(f"the transaction hangs since {self._within_s:g} s and goes on")
        return task.result()

    async def close(self) -> None:
        """Close the connection, whatever runs on it."""
        if self._driver is not None:
            self._driver.terminate()
        await self._engine.dispose()

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(self._within_s):
                await self._writes.acquire()
        except TimeoutError:
            raise TimeoutError("another transaction hangs: nothing was begun") from None

    async def _transact(self, work: Work[T]) -> T:
        async with self._engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            hangs = asyncio.get_running_loop().call_later(HANGS_AFTER_S, driver.terminate)
            self._driver = driver
            alone: list[str] = []

            def hears(_: object, warning: Any) -> None:
                if warning.server_source_function == _WAITS_FOR_STANDBY:
                    alone.append(str(warning))

            if not driver.is_closed():  # Else the first statement says so, and the pool forgets it.
                driver.add_log_listener(hears)
            try:
                async with connection.begin():
                    done = await connection.run_sync(work)
            finally:
                self._driver = None
                hangs.cancel()
                driver.remove_log_listener(hears)
        if alone:
            raise HereAlone(f"it is committed on this server alone: {alone[0]}")
        return done

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._writes.release()
        if not task.cancelled():
            task.exception()  # Who waited for it has gone, or raises it.
