"""``vendgate lake measure``: how quick the lake is on this computer, with made-up sales in a
database and a folder of their own.
"""

import asyncio
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Awaitable
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

from gateway.lake.on_ray import on_ray_of
from gateway.lake.running import DONE, bounds_of, keeping
from gateway.process.settings import Settings
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.insight.sales import By, SalesWanted
from storage.lake import asking, compacting, cubes, exporting, made_up
from storage.lake.duck import Bounds, LakeError, require
from storage.lake.folder import LakeFolder
from storage.lake.keeper import Keeper

T = TypeVar("T")
_OURS = "made-up-sales"


def measure(sales: int, folder: Path | None, *, ray_of: Settings | None) -> int:
    """Measure; return the exit status. ``ray_of``: cubes are made on the Ray of these settings.
    Raises StoreError, LakeError, OSError.
    """
    require()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(one.name != _OURS for one in folder.iterdir()):
            raise LakeError(f"{folder} has other things in it: name an empty folder.")
    place = nullcontext(folder) if folder else tempfile.TemporaryDirectory(prefix="vendgate-lake-")
    with place as chosen:
        root = Path(chosen or ".") / _OURS
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        try:
            asyncio.run(_measured(sales, root, ray_of))
        finally:
            shutil.rmtree(root, ignore_errors=True)
    return DONE


async def _measured(sales: int, root: Path, ray_of: Settings | None) -> None:
    url = f"sqlite:///{root}/vendgate.db"
    await asyncio.to_thread(migrate.upgrade, url, partition_count=8)
    database = await Database.open(StorageConfig(url=url, read_timeout_ms=600_000))
    folder = LakeFolder(root / "lake")
    try:
        print(f"{sales} sales; load of this computer: {_load()}", flush=True)
        await _timed("made up", sales, made_up.make_up(database, sales, lambda _: None))
        async with keeping(database, folder) as keeper:
            await _steps(sales, keeper, ray_of)
        for by in (By.DAY, By.PRODUCT):
            wanted = SalesWanted(first=made_up.FIRST, last=made_up.LAST, by=by)
            asked = asking.ask(database, folder, wanted, bounds=Bounds())
            await _timed(f"asked by {by.value.lower()}", sales, asked)
        size = sum(one.stat().st_size for one in folder.root.rglob("*.parquet"))
        print(f"files: {size / sales:.1f} bytes for a sale; load: {_load()}")
    finally:
        await database.close()


async def _steps(sales: int, keeper: Keeper, ray_of: Settings | None) -> None:
    bounds = Bounds()
    exporting_all = exporting.export(keeper, bounds=bounds, tell=lambda _, __: None)
    await _timed("exported", sales, exporting_all)
    await _timed(
        "compacted", sales, compacting.compact(keeper, bounds=bounds, tell=lambda _, __: None)
    )
    with on_ray_of(ray_of) as run:
        within = bounds if ray_of is None else bounds_of(ray_of, on_ray=True)
        made = cubes.make_cubes(keeper, run, bounds=within, tell=lambda _, __: None)
        await _timed("cubes", sales, made)


async def _timed(name: str, sales: int, work: Awaitable[T]) -> T:
    begun = time.perf_counter()
    processor = time.process_time()
    result = await work
    passed = time.perf_counter() - begun
    print(
        f"{name:>16}: {passed:8.2f} s, {sales / passed:10.0f} sales/s, "
        f"{time.process_time() - processor:8.2f} s of processor, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024:.0f} MiB at most",
        flush=True,
    )
    return result


def _load() -> str:
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())
