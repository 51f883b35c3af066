"""What a PostgreSQL promises, and what is committed on one server alone."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from actors.machine.ids import MachineId
from actors.ports import StoreError
from storage.database import postgres
from storage.database.durability import require_durable, weaknesses
from storage.database.engine import Database, StorageConfig
from storage.machines.inbox import Inbox
from storage.machines.store import SqlMachineStore
from tests.storage.conftest import ON_POSTGRES
from tests.storage.notifications import received
from tests.support.patience import HANGS_AFTER_S, LOOK_EVERY_S
from tests.support.postgres import GIVEN_URL, program

pytestmark = [
    *ON_POSTGRES,
    pytest.mark.skipif(GIVEN_URL != "", reason="it changes what the whole server does"),
]
STANDBYS = "synchronous_standby_names"
MESSAGE = text("SELECT pg_logical_emit_message(true, 'trial', '')")
WAITING = text("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


class Server:
    """The server as its administrator sees it. What was set is reset by ``restore``."""

    def __init__(self, url: str) -> None:
        there = make_url(url).set(drivername="postgresql+asyncpg")
        self.engine = create_async_engine(there, isolation_level="AUTOCOMMIT")
        self._set: set[str] = set()

    async def ask(self, question: str) -> object:
        """Return the first value that it answers."""
        async with self.engine.connect() as connection:
            return (await connection.execute(text(question))).scalar()

    async def set(self, name: str, value: str) -> None:
        """Change a setting for all."""
        self._set.add(name)
        async with self.engine.connect() as connection:
            await connection.execute(text(f"ALTER SYSTEM SET {name} = '{value}'"))
            await connection.execute(text("SELECT pg_reload_conf()"))
        await self._until(lambda: self.ask(f"SHOW {name}"), value)

    async def wait_for_nobody(self) -> None:
        """Let every COMMIT wait for a standby that is not there. A session shows the name before
        COMMITs look at it, so one is tried until it waits; that one is let go.
        """
        await self.set(STANDBYS, "away")
        async with self.engine.connect() as connection:
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with asyncio.timeout(HANGS_AFTER_S):
                while True:
                    trial = asyncio.create_task(connection.execute(MESSAGE))
                    while not trial.done():
                        if pid == await self.ask(f"{WAITING} AND pid = {pid}"):
                            await self.ask(f"SELECT pg_cancel_backend({pid})")
                            await trial
                            return
                    await trial

    async def restore(self) -> None:
        """Take back what was set."""
        async with self.engine.connect() as connection:
            for name in self._set:
                await connection.execute(text(f"ALTER SYSTEM RESET {name}"))
            await connection.execute(text("SELECT pg_reload_conf()"))
        await self._until(lambda: self.ask(f"SHOW {STANDBYS}"), "")

    async def waiting(self, count: int = 1) -> int:
        """Return one who waits for the standby, once there are so many."""
        async with asyncio.timeout(HANGS_AFTER_S):
            while True:
                async with self.engine.connect() as connection:
                    pids = (await connection.execute(WAITING)).scalars().all()
                if len(pids) == count:
                    return int(pids[0])
                await asyncio.sleep(LOOK_EVERY_S)

    async def _until(self, ask: Callable[[], object], value: object) -> None:
        async with asyncio.timeout(HANGS_AFTER_S):
            while value != await ask():  # type: ignore[misc]
                await asyncio.sleep(LOOK_EVERY_S)


@pytest.fixture
def url(fresh_postgres: Callable[[], str]) -> str:
    """An upgraded database on the server; these tests are PostgreSQL's alone."""
    return fresh_postgres()


@pytest.fixture
async def server(url: str) -> AsyncIterator[Server]:
    """Its administrator."""
    server = Server(url)
    yield server
    await server.restore()
    await server.engine.dispose()


async def test_a_server_that_does_not_flush_is_refused(db: Database) -> None:
    """The tests' own does not, for speed; the sentence says what to set, and what says less."""
    with pytest.raises(StoreError) as refused:
        await db.read(require_durable)
    for said in ("fsync is off", "full_page_writes is off", 'database.durability = "weaker"'):
        assert said in str(refused.value)


@pytest.mark.parametrize(
    ("waits", "standbys", "words"),
    [("off", "", "synchronous_commit is off"), ("local", "one", "synchronous_commit is local")],
)
async def test_commits_that_do_not_wait_are_found(
    db: Database, server: Server, waits: str, standbys: str, words: str
) -> None:
    """For their own disk, or for the standby that was named."""
    before = await db.read(weaknesses)
    if standbys:
        await server.set(STANDBYS, standbys)

    def work(connection: Connection) -> list[str]:
        connection.execute(text(f"SET LOCAL synchronous_commit = {waits}"))
        return weaknesses(connection)

    (new,) = set(await db.read(work)) - set(before)
    assert new.startswith(words)


async def test_a_standby_that_copies_later_is_found(
    db: Database, server: Server, url: str, tmp_path: Path
) -> None:
    """A real one, until it is waited for."""
    before = await db.read(weaknesses)
    there = make_url(url)
    copying = await asyncio.create_subprocess_exec(
        program("pg_receivewal"),
        f"--host={there.host}",
        f"--port={there.port}",
        f"--username={there.username}",
        f"--directory={tmp_path}",
        "--synchronous",
    )
    try:
        count = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        async with asyncio.timeout(HANGS_AFTER_S):
            while 1 != await server.ask(count):
                assert copying.returncode is None
                await asyncio.sleep(LOOK_EVERY_S)
        (new,) = set(await db.read(weaknesses)) - set(before)
        assert new.startswith("1 standby copies later than it says")
        await server.set(STANDBYS, "*")
        assert before == await db.read(weaknesses)
    finally:
        copying.terminate()
        await copying.wait()


async def test_a_backup_is_no_standby(
    db: Database, server: Server, url: str, tmp_path: Path
) -> None:
    """It copies for hours, perhaps, on two connections, and a gateway must be able to start."""
    before = await db.read(weaknesses)
    there = make_url(url)
    copying = await asyncio.create_subprocess_exec(
        program("pg_basebackup"),
        f"--host={there.host}",
        f"--port={there.port}",
        f"--username={there.username}",
        f"--pgdata={tmp_path / 'copy'}",
        "--checkpoint=fast",
        "--max-rate=32k",
        start_new_session=True,
    )
    try:
        count = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        async with asyncio.timeout(HANGS_AFTER_S):
            while 1 != await server.ask(count):
                assert copying.returncode is None
                await asyncio.sleep(LOOK_EVERY_S)
        assert before == await db.read(weaknesses)
    finally:
        # It has a child, which holds the connection and outlives it.
        os.killpg(copying.pid, signal.SIGKILL)
        await copying.wait()
        async with asyncio.timeout(HANGS_AFTER_S):
            while 0 != await server.ask("SELECT count(*) FROM pg_stat_replication"):
                await asyncio.sleep(LOOK_EVERY_S)


async def test_a_row_that_is_on_one_server_alone_is_not_called_saved(
    db: Database, server: Server, url: str
) -> None:
    """Its COMMIT was broken off while it waited for the standby: the row is there, and a failover
    loses it. What this program reads next, and what Alipay hears of any gateway when it tells the
    same again, waits until the standby has it.
    """
    store = SqlMachineStore(db, notify_base_url="https://pay.example")
    elsewhere = await Database.open(StorageConfig(url=url))
    await server.wait_for_nobody()
    first = asyncio.create_task(Inbox(db).put(received("t1")))
    await server.ask(f"SELECT pg_terminate_backend({await server.waiting()})")
    with pytest.raises(StoreError):
        await first
    assert 1 == await server.ask("SELECT count(*) FROM inbox")

    again = asyncio.create_task(Inbox(elsewhere).put(received("t1")))
    await server.waiting()
    loading = asyncio.create_task(store.load(MachineId("VM-1")))
    await server.waiting(2)
    assert [False, False] == [again.done(), loading.done()]
    await server.restore()
    assert "DUPLICATE" == (await again).verdict
    assert None is await loading
    await elsewhere.close()


async def test_a_wait_for_the_standby_that_somebody_cancels_saves_nothing(
    db: Database, server: Server
) -> None:
    """Whoever sees a COMMIT hang may cancel it: the server calls it done, and warns that it is done
    here alone. Nobody hears that it is saved before the standby has it.
    """
    await server.wait_for_nobody()
    first = asyncio.create_task(Inbox(db).put(received("t1")))
    await server.ask(f"SELECT pg_cancel_backend({await server.waiting()})")
    with pytest.raises(StoreError, match="on this server alone"):
        await first
    assert 1 == await server.ask("SELECT count(*) FROM inbox")

    again = asyncio.create_task(Inbox(db).put(received("t1")))
    await server.waiting()
    assert not again.done()
    await server.restore()
    assert "DUPLICATE" == (await again).verdict


async def test_a_contradiction_on_one_server_alone_is_not_called_saved(
    db: Database, server: Server, url: str
) -> None:
    """It is a person's item, which a failover would lose: its repetition waits as well."""
    await Inbox(db).put(received("t1"))
    elsewhere = await Database.open(StorageConfig(url=url))
    await server.wait_for_nobody()
    first = asyncio.create_task(Inbox(db).put(received("t1", amount_minor=7)))
    await server.ask(f"SELECT pg_terminate_backend({await server.waiting()})")
    with pytest.raises(StoreError):
        await first

    again = asyncio.create_task(Inbox(elsewhere).put(received("t1", amount_minor=7)))
    await server.waiting()
    assert not again.done()
    await server.restore()
    assert "CONFLICT" == (await again).verdict
    await elsewhere.close()


async def test_no_read_overtakes_the_one_that_waits_for_the_standby(
    db: Database, server: Server
) -> None:
    """Several machines are loaded again at the same time, and none before what nobody knew is
    durable.
    """
    store = SqlMachineStore(db, notify_base_url="https://pay.example")
    await server.wait_for_nobody()
    first = asyncio.create_task(Inbox(db).put(received("t1")))
    await server.ask(f"SELECT pg_terminate_backend({await server.waiting()})")
    with pytest.raises(StoreError):
        await first

    loading = [asyncio.create_task(store.load(MachineId(f"VM-{one}"))) for one in (1, 2)]
    await server.waiting()
    done, _ = await asyncio.wait(loading, timeout=0.5)
    assert set() == done
    await server.restore()
    assert [None, None] == await asyncio.gather(*loading)


async def test_a_doubt_outlives_a_server_that_is_away(
    url: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server dies with a COMMIT that nobody knows of, and is not there yet when a machine is
    loaded again: what it has when it comes back is still waited for.
    """
    db = await Database.open(StorageConfig(url=url))
    store = SqlMachineStore(db, notify_base_url="https://pay.example")
    await server.wait_for_nobody()
    first = asyncio.create_task(Inbox(db).put(received("t1")))
    await server.ask(f"SELECT pg_terminate_backend({await server.waiting()})")
    with pytest.raises(StoreError):
        await first
    with monkeypatch.context() as away:
        away.setattr(asyncpg, "connect", _nobody_there)
        with pytest.raises(StoreError):
            await store.load(MachineId("VM-1"))

    loading = asyncio.create_task(store.load(MachineId("VM-1")))
    await server.waiting()
    assert not loading.done()
    await server.restore()
    assert None is await loading
    await db.close()


async def _nobody_there(*_: object, **__: object) -> None:
    raise ConnectionRefusedError


async def test_a_commit_that_hangs_is_given_up_and_not_cancelled(
    url: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what became of it; the server goes on waiting for the standby by itself. What
    comes behind it is not begun, so that no more server processes hang than programs.
    """
    monkeypatch.setattr(postgres, "COMMIT_TIMEOUT_S", 0.2)
    db = await Database.open(StorageConfig(url=url, busy_timeout_ms=1_000))
    await server.wait_for_nobody()
    for trade_id in ("t1", "t2", "t3"):
        with pytest.raises(StoreError):
            await Inbox(db).put(received(trade_id))
    await server.waiting(1)
    assert 0 == await server.ask("SELECT count(*) FROM inbox")
    await server.restore()
    async with asyncio.timeout(HANGS_AFTER_S):
        while 1 != await server.ask("SELECT count(*) FROM inbox"):
            await asyncio.sleep(LOOK_EVERY_S)
    await db.close()


async def test_sqlite_promises_all_that_it_has(upgraded_file: Path) -> None:
    """It flushes each COMMIT and has no standby."""
    db = await Database.open(StorageConfig(url=f"sqlite:///{upgraded_file}", read_only=True))
    assert [] == await db.read(weaknesses)
    await db.close()
