"""What the gateway's tests share: throw-away keys, an upgraded database, a site, and surroundings
without surprises.
"""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.process.settings import PREFIX
from tests.alipay_client.wire import Pair
from tests.support import upgraded
from tests.support.site import PARTITIONS, Site, a_site


@pytest.fixture(scope="session")
def pair() -> Pair:
    """Give the keys of one contract with Alipay."""
    return Pair(
        merchant=rsa.generate_private_key(65_537, 2_048),
        alipay=rsa.generate_private_key(65_537, 2_048),
    )


@pytest.fixture(scope="session")
def upgraded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a SQLite file with the schema and a few partitions, to be copied."""
    path = tmp_path_factory.mktemp("upgraded") / "vendgate.db"
    return upgraded.make(f"sqlite:///{path}", partition_count=PARTITIONS)


@pytest.fixture
async def site(tmp_path: Path, upgraded_file: Path, pair: Pair) -> AsyncIterator[Site]:
    """Give a gateway's administrators' and HTTP side, open."""
    async with a_site(tmp_path, upgraded_file, pair) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no variable of the developer's own in, and no log set-up out."""
    for name in list(os.environ):
        if name.startswith(PREFIX) and not name.startswith("VENDGATE_TEST_"):
            monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level, configured = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)
