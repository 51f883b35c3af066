"""``vendgate lake measure``: how quick the lake is on this computer, with made-up sales in a
database and a folder of their own; or in files alone, of which only cubes are made and asked.
"""

import asyncio
import os
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
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
from storage.lake.cubes import CubeMade, CubeTask
from storage.lake.duck import Bounds, LakeError, require
from storage.lake.folder import LakeFolder
from storage.lake.keeper import Keeper
from storage.lake.made_up import MadeUp

T = TypeVar("T")
_OURS = "made-up-sales"


def measure(
    shape: MadeUp, folder: Path | None, *, ray_of: Settings | None, only_files: bool = False
) -> int:
    """Measure; return the exit status. ``ray_of``: cubes are made on the Ray of these settings.
    ``only_files``: no database has the facts. Raises StoreError, LakeError, OSError.
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
            asyncio.run(_measured(shape, root, ray_of, only_files))
        finally:
            shutil.rmtree(root, ignore_errors=True)
    return DONE


async def _measured(shape: MadeUp, root: Path, ray_of: Settings | None, only_files: bool) -> None:
    url = f"sqlite:///{root}/vendgate.db"
    await asyncio.to_thread(migrate.upgrade, url, partition_count=8)
    database = await Database.open(StorageConfig(url=url, read_timeout_ms=600_000))
    folder = LakeFolder(root / "lake")
    sales = shape.sales
    try:
        print(f"{sales} sales of {shape.days} days; load of this computer: {_load()}", flush=True)
        if not only_files:
            await _timed("made up", sales, made_up.make_up(database, shape, lambda _: None))
        async with keeping(database, folder) as keeper:
            await (_files if only_files else _steps)(shape, keeper)
            await _cubes(sales, keeper, ray_of)
        for by in (By.DAY, By.PRODUCT):
            wanted = SalesWanted(first=shape.first_day, last=shape.last_day, by=by)
            asked = asking.ask(database, folder, wanted, bounds=Bounds())
            await _timed(f"asked by {by.value.lower()}", sales, asked)
        size = sum(one.stat().st_size for one in folder.root.rglob("*.parquet"))
        print(f"files: {size / sales:.1f} bytes for a sale; load: {_load()}")
    finally:
        await database.close()


async def _files(shape: MadeUp, keeper: Keeper) -> None:
    making = made_up.make_up_files(keeper, shape, bounds=Bounds(), tell=lambda _: None)
    await _timed("made up", shape.sales, making)


async def _steps(shape: MadeUp, keeper: Keeper) -> None:
    bounds = Bounds()
    exporting_all = exporting.export(keeper, bounds=bounds, tell=lambda _, __: None)
    await _timed("exported", shape.sales, exporting_all)
    compacted = compacting.compact(keeper, bounds=bounds, tell=lambda _, __: None)
    await _timed("compacted", shape.sales, compacted)


async def _cubes(sales: int, keeper: Keeper, ray_of: Settings | None) -> None:
    peaks: list[int] = []
    with on_ray_of(ray_of) as run:

        async def watched(tasks: Sequence[CubeTask]) -> AsyncIterator[CubeMade]:
            async for one in run(tasks):
                peaks.append(one.peak_mib)
                yield one

        within = Bounds() if ray_of is None else bounds_of(ray_of, on_ray=True)
        made = cubes.make_cubes(keeper, watched, bounds=within, tell=lambda _, __: None)
        await _timed("cubes", sales, made)
    print(f"{'':>16}  {max(peaks)} MiB at most in a process that made cubes")


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
