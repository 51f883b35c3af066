"""What a host in a Ray worker is built from in tests: a store in a file or in SQL, an Alipay
that says yes, the computer's clock.
"""

import time
from pathlib import Path

from actors.host.services import HostServices
from actors.machine.policy import Policy
from storage.database.engine import Database, StorageConfig
from storage.machines.holding import SqlLeases
from storage.machines.store import SqlMachineStore
from tests.support.file_store import FileStore
from tests.support.stage import Provider


class SystemClock:
    """Wall time."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000


async def open_host_services(path: str, _name: str) -> HostServices:
    """Build them on the file at ``path``."""
    store = FileStore(Path(path))

    async def close() -> None:
        store.write()

    return HostServices(
        store=store,
        leases=store,
        performer=Provider(),
        clock=SystemClock(),
        policy=Policy(),
        partition_count=store.partition_count,
        close=close,
    )


async def open_sql_host_services(url: str, _name: str) -> HostServices:
    """Build them on a database, in which one host sees what another one holds."""
    database = await Database.open(StorageConfig(url=url))
    return HostServices(
        store=SqlMachineStore(database, notify_base_url="https://vend.example"),
        leases=SqlLeases(database),
        performer=Provider(),
        clock=SystemClock(),
        policy=Policy(),
        partition_count=database.partition_count,
        close=database.close,
    )


async def refuse_to_build(path: str, _name: str) -> HostServices:
    """A factory whose configuration is wrong."""
    raise ValueError(f"{path} holds no key: put one there")
