"""Cubes are made of today's files, once; a task that is done twice is done once."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from storage.database.engine import Database
from storage.lake import cubes, statements
from storage.lake.cubes import CubeMade, CubeTask, make_cube
from storage.lake.duck import duck
from storage.lake.folder import LakeFolder
from storage.lake.keeper import Keeper
from storage.lake.lists import Stream
from tests.storage.lake.pond import SMALL, THURSDAY, exported, fact, files_of, keeping, told

pytest.importorskip("duckdb")


async def made(keeper: Keeper) -> int:
    """Make those that are stale."""
    return await cubes.make_cubes(keeper, cubes.here, bounds=SMALL, tell=lambda _, __: None)


@pytest.mark.slow_on_postgres
async def test_facts_of_one_hour_and_product_are_one_row(db: Database, tmp_path: Path) -> None:
    """With what was given back and written off told apart; only days that changed are made
    again.
    """
    some = [
        fact(1),
        fact(2, kind="GOODWILL", units=0, sales_minor=-500),
        fact(3, kind="WRITE_OFF", sales_minor=300, discount_minor=7),
        fact(4, d=THURSDAY + 1),
    ]
    await told(db, some)
    await exported(db, tmp_path)
    async with keeping(db, tmp_path) as keeper:
        assert (2, 0) == (await made(keeper), await made(keeper))
    (first, _) = await files_of(db, Stream.CUBES)
    with duck(SMALL) as engine:
        paths = LakeFolder(tmp_path).paths([first.path])
        row = (THURSDAY, 12, "VM-1", "cola", "", "", "HKD", 2, 300, 7, 500, 300, "")
        assert [row] == engine.run(f"FROM {statements.files(paths)}")
    await told(db, [fact(5)])
    await exported(db, tmp_path)
    async with keeping(db, tmp_path) as keeper:
        assert 1 == await made(keeper)
    assert [THURSDAY, THURSDAY + 1] == [one.d for one in await files_of(db, Stream.CUBES)]


@pytest.mark.slow_on_postgres
async def test_a_task_may_be_done_twice(db: Database, tmp_path: Path) -> None:
    """By a worker that was believed dead, before or after the other one's is confirmed."""
    await told(db, [fact(1)])
    await exported(db, tmp_path)

    async def twice(tasks: Sequence[CubeTask]) -> AsyncIterator[CubeMade]:
        for task in tasks:
            first, second = make_cube(task), make_cube(task)
            assert first == second
            yield second
            make_cube(task)

    async with keeping(db, tmp_path) as keeper:
        assert 1 == await cubes.make_cubes(keeper, twice, bounds=SMALL, tell=lambda _, __: None)
    (one,) = await files_of(db, Stream.CUBES)
    assert 1 == one.rows
