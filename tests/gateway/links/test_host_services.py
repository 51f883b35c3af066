"""What a host's own process opens from settings."""

import subprocess
import sys
from pathlib import Path

import pytest

from actors.ports import StoreError
from gateway.books.database import upgrade
from gateway.links.host_services import open_host_services
from gateway.process.refusals import SettingsRefused
from storage.database.engine import StorageConfig
from tests.alipay_client.wire import Pair
from tests.support import installed


async def test_a_worker_opens_everything_by_itself(tmp_path: Path, pair: Pair) -> None:
    """From the path of a file come store, performer, clock, limits and the number of partitions."""
    tables = installed.good(tmp_path, pair)
    tables["policy"] = {"idle_refund_ms": 1_234}
    upgrade(StorageConfig(url=f"sqlite:///{tmp_path / 'vendgate.db'}"))
    services = await open_host_services(installed.write(tmp_path, tables))
    try:
        assert (1_234, 256) == (services.policy.idle_refund_ms, services.partition_count)
        assert services.clock.now_ms() > 1_767_225_600_000
        assert await services.store.load("VM-1") is None  # type: ignore[arg-type]
    finally:
        await services.close()


async def test_a_worker_refuses_what_the_gateway_would(tmp_path: Path, pair: Pair) -> None:
    """Bad settings are sentences here too, and a database without a schema is not used."""
    tables = installed.good(tmp_path, pair)
    with pytest.raises(StoreError):
        await open_host_services(installed.write(tmp_path, tables))
    tables["alipay"]["partner"] = "x"
    with pytest.raises(SettingsRefused):
        await open_host_services(installed.write(tmp_path, tables))


def test_a_worker_loads_no_grpc() -> None:
    """Hosts are reached through Ray: gRPC would cost each of them memory, and its threads do not
    live through a fork.
    """
    probe = "import sys, gateway.links.host_services; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, text=True
    ).stdout.split()
    assert [] == sorted(
        {"grpc", "ray", "starlette", "uvicorn", "typer", "google.protobuf"} & set(loaded)
    )
