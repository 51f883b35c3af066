"""A PostgreSQL for one run: it answers while the run lasts, and leaves nothing."""

from pathlib import Path

import pytest

from actors.ports import StoreError
from gateway.bench.postgres import running
from gateway.demo.postgres import programs
from storage.database import migrate


@pytest.mark.slow
@pytest.mark.skipif(programs() is None, reason="no PostgreSQL is installed")
@pytest.mark.xdist_group("postgres")
async def test_it_takes_our_schema_and_goes(tmp_path: Path) -> None:
    """Nobody answers there afterwards."""
    async with running(tmp_path) as url:
        migrate.upgrade(url)
    with pytest.raises(StoreError):
        migrate.upgrade(url)
