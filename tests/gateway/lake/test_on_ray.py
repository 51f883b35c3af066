"""Cubes that tasks of Ray's made answer what the sums answer, to the cent."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.lake.on_ray import on_ray_of
from gateway.process.settings import Settings
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.insight.sales import SalesLine
from storage.lake import cubes
from storage.lake.asking import LakeAnswer, ask
from storage.lake.duck import LakeError
from storage.lake.folder import LakeFolder
from tests.alipay_client.wire import Pair
from tests.storage.lake.pond import SMALL, exported
from tests.storage.lake.questions import QUESTIONS, from_sums, shop
from tests.support import installed
from tests.support.patience import HANGS_AFTER_S

pytest.importorskip("duckdb")


async def _sold(url: str, lake: Path) -> list[Sequence[SalesLine]]:
    database = await Database.open(StorageConfig(url=url))
    await shop(database)
    await exported(database, lake)
    expected = await from_sums(database)
    await database.close()
    return expected


async def _asked(url: str, lake: Path) -> list[LakeAnswer]:
    database = await Database.open(StorageConfig(url=url))
    answers = [await ask(database, LakeFolder(lake), one, bounds=SMALL) for one in QUESTIONS]
    await database.close()
    return answers


@pytest.mark.ray
@pytest.mark.slow
def test_ten_questions_on_ray(tmp_path: Path, pair: Pair) -> None:
    """A task for each day, with progress; no day is left to be added up on the way."""
    url, lake = f"sqlite:///{tmp_path}/vendgate.db", tmp_path / "lake"
    migrate.upgrade(url, partition_count=8)
    expected = asyncio.run(_sold(url, lake))
    tables = installed.good(tmp_path, pair)
    tables["ray"] = {"mode": "local", "run_dir": str(tmp_path / "run")}
    tables["lake"] = {"folder": str(lake), "memory_mb": 256}
    config = installed.write(tmp_path, tables)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", "lake", "cubes", "--ray", "--config", config],
        capture_output=True,
        text=True,
        check=True,
        timeout=2 * HANGS_AFTER_S,
        env={**clean, "PYTHONPATH": os.pathsep.join((str(Path.cwd()), *sys.path))},
    )
    assert "The cubes of 14 days were made" in ended.stdout
    assert [f"day {done} of 14" for done in range(1, 15)] == [
        line for line in ended.stderr.splitlines() if line.startswith("day ")
    ]
    answers = asyncio.run(_asked(url, lake))
    assert expected == [list(one.lines) for one in answers]
    assert {0} == {one.from_sales for one in answers}


def test_without_ray_it_is_refused() -> None:
    """If the settings have none; and nothing is started for who does not ask for it."""
    settings = Settings.model_validate({"ray": {"mode": "none"}})
    with pytest.raises(LakeError, match=r"ray\.mode"), on_ray_of(settings):
        pass
    with on_ray_of(None) as run:
        assert cubes.here is run
