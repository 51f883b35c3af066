"""A file for each local day in which its facts are added up: by hour, machine, product and place.

Days are cut by the files themselves, so that cubes of many days are tasks that need nothing of one
another: in a loop on one computer, or as tasks of Ray's (``actors.ray_jobs``), the same function
with the same text. A task leaves a durable file aside; only whoever keeps the lake gives it its
name and lets readers read it. So a task that is done twice is done once.
"""

import asyncio
import resource
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from storage.lake import lists, statements
from storage.lake.duck import Bounds, Duck, duck
from storage.lake.folder import Made, made
from storage.lake.keeper import Keeper
from storage.lake.lists import LakeFile, Stream


class CubeTask(msgspec.Struct, frozen=True, kw_only=True):
    """One day's: files of SALES, and where the cube is left; all are full paths."""

    name: str
    d: int
    sources: tuple[str, ...]
    aside: str
    bounds: Bounds


class CubeMade(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it; ``peak_mib`` is the most memory that the process that made it has had."""

    task: CubeTask
    made: Made
    peak_mib: int


Tell = Callable[[int, int], None]
"""Is told how many days are done, of how many."""
Runner = Callable[[Sequence[CubeTask]], AsyncIterable[CubeMade]]


def make_cube(task: CubeTask) -> CubeMade:
    """Make one; anywhere the folder is. Raises LakeError, OSError."""
    with duck(task.bounds) as engine:
        return _cube(engine, task)


def _cube(engine: Duck, task: CubeTask) -> CubeMade:
    query = statements.day_cube(task.sources)
    engine.run(statements.copied(query, task.aside, {"d": str(task.d)}))
    rows = engine.count(f"SELECT count(*) FROM {statements.files((task.aside,))}")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024
    return CubeMade(task=task, made=made(Path(task.aside), rows), peak_mib=peak_mib)


async def here(tasks: Sequence[CubeTask]) -> AsyncIterator[CubeMade]:
    """Make them one after the other, in this process."""
    if not tasks:
        return
    with duck(tasks[0].bounds) as engine:
        for task in tasks:
            yield await asyncio.to_thread(_cube, engine, task)


def stale(
    connection: Connection, *, first: int = 0, last: int = 99_999_999
) -> tuple[dict[int, list[LakeFile]], dict[int, LakeFile]]:
    """Return, of these days, files of SALES of those whose cube is not made of them, by day; and
    all cubes.
    """
    wanted = {"first": first, "last": last}
    made_of = {one.d: one for one in lists.written(connection, Stream.CUBES, **wanted)}
    days = lists.by_day(lists.written(connection, Stream.SALES, **wanted))
    return {
        d: its
        for d, its in days.items()
        if d not in made_of or made_of[d].made_of != lists.hash_of_names(its)
    }, made_of


async def make_cubes(keeper: Keeper, run: Runner, *, bounds: Bounds, tell: Tell) -> int:
    """Make the cubes that are not there or not of today's files; return how many. Raises
    StoreError, LakeError; what was confirmed stays.
    """
    days, there = await keeper.db.read(stale)
    planned = {
        one.path: one
        for one in (
            keeper.planned(Stream.CUBES, d, (0, keeper.position), made_of=lists.hash_of_names(its))
            for d, its in days.items()
        )
    }
    await keeper.write(
        lambda connection, now_ms: lists.plan(
            connection, list(planned.values()), position=keeper.position, now_ms=now_ms
        )
    )
    tasks = [
        CubeTask(
            name=one.path,
            d=one.d,
            sources=keeper.folder.paths(its.path for its in days[one.d]),
            aside=str(keeper.folder.aside(one.path)),
            bounds=bounds,
        )
        for one in planned.values()
    ]
    done = 0
    async for cube in run(tasks):
        one = planned[cube.task.name]
        await asyncio.to_thread(keeper.folder.publish, Path(cube.task.aside), one.path)
        await keeper.write(_confirming(one, cube.made, there.get(one.d)))
        done += 1
        tell(done, len(tasks))
    return done


def _confirming(
    one: LakeFile, told: Made, before: LakeFile | None
) -> Callable[[Connection, int], None]:
    def confirm(connection: Connection, now_ms: int) -> None:
        lists.confirm(connection, [(one.path, told)], now_ms=now_ms)
        if before is not None:
            lists.replace(connection, [before.path], now_ms=now_ms)

    return confirm
