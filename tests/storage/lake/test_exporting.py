"""Facts come into files once each, wherever the process dies that writes them."""

import os
import signal
import tempfile
from collections.abc import Callable
from errno import ENOSPC
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from storage.database.dialects import SQLITE
from storage.database.engine import Database
from storage.lake import exporting
from storage.lake import folder as folders
from storage.lake.columns import FACTS
from storage.lake.duck import Duck, LakeError
from storage.lake.folder import MARK, LakeFolder
from storage.lake.keeper import Keeper
from storage.tables import followers
from tests.storage.lake.pond import (
    SMALL,
    THURSDAY,
    exported,
    fact,
    files_of,
    keeping,
    know,
    lake_rows,
    told,
)
from tests.support.patience import HANGS_AFTER_S

pytest.importorskip("duckdb")
SOME = [
    fact(3),
    fact(5, machine_id="VM-2", d=THURSDAY + 1, product='cola "light", 0.5', payer_id="p-1"),
    fact(7, line=0, vend_id="v7", offer="tea-time"),
    fact(7, line=1, offer=None, vend_id="v7", units=0, sales_minor=-20, kind="GOODWILL"),
    fact(9, d=THURSDAY + 1, site=" pier ", payer_id="p-gone"),
]


def as_told(facts: list[Any]) -> list[tuple[Any, ...]]:
    """Their rows, in the order of their keys."""
    rows = [tuple(getattr(one, name) for name in FACTS) for one in facts]
    return sorted(rows, key=lambda row: row[:3])


@pytest.mark.slow_on_postgres
async def test_facts_are_files_of_their_day(db: Database, tmp_path: Path) -> None:
    """Each column as it is; but of a payer whom nobody knows, nothing. A second time there is
    nothing to do, and what comes later comes in files of its own.
    """
    await know(db, "p-1")
    await told(db, SOME)
    assert len(SOME) == await exported(db, tmp_path)
    expected = as_told(SOME)
    expected = [tuple("" if one == "p-gone" else one for one in row) for row in expected]
    assert expected == await lake_rows(db, tmp_path)
    assert [(THURSDAY, 0, 9, 3), (THURSDAY + 1, 0, 9, 2)] == [
        (one.d, one.from_position, one.to_position, one.rows) for one in await files_of(db)
    ]
    assert 0 == await exported(db, tmp_path)
    await told(db, [fact(11), fact(12)])
    assert 2 == await exported(db, tmp_path, facts_at_once=1)
    assert [9, 11, 12] == sorted({one.to_position for one in await files_of(db)})
    assert 7 == len(await lake_rows(db, tmp_path))


@pytest.mark.slow_on_postgres
async def test_the_folder_may_be_called_as_one_likes(db: Database, tmp_path: Path) -> None:
    """Nothing that its name says gets into a fact, as folders of other lakes' columns do."""
    await told(db, SOME[:1])
    assert 1 == await exported(db, tmp_path / "site=pier" / "d=1" / "it's [new]*")
    assert as_told(SOME[:1]) == await lake_rows(db, tmp_path / "site=pier" / "d=1" / "it's [new]*")


@pytest.mark.slow_on_postgres
async def test_it_begins_again_when_it_is_told(db: Database, tmp_path: Path) -> None:
    """Files of before are read by nobody any more."""
    await told(db, SOME)
    await exported(db, tmp_path)
    before = await files_of(db)
    async with keeping(db, tmp_path) as keeper:
        await exporting.begin_again(keeper)
        assert (0, []) == (keeper.position, await files_of(db))
        await exporting.export(keeper, bounds=SMALL, tell=lambda _, __: None)
    after = await files_of(db)
    assert {one.sha256 for one in before} == {one.sha256 for one in after}
    assert not {one.path for one in before} & {one.path for one in after}


async def test_what_is_being_made_again_is_not_exported(db: Database, tmp_path: Path) -> None:
    """Facts are missing then."""
    await told(db, SOME)
    again = update(followers).where(followers.c.name == "sales").values(made_until=99)
    await db.write(lambda connection: connection.execute(again))
    with pytest.raises(LakeError, match="made again"):
        await exported(db, tmp_path)


async def test_who_tells_changed_meanwhile(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts may have been made again while they were read: they are read once more."""
    await told(db, SOME)
    next_epoch = update(followers).where(followers.c.name == "sales").values(epoch=2)
    written = exporting._rows_of
    times = []

    async def slow(keeper: Keeper, planned: Any, path: Path) -> tuple[int, int]:
        times.append(path)
        result = await written(keeper, planned, path)
        await db.write(lambda connection: connection.execute(next_epoch))
        return result

    monkeypatch.setattr(exporting, "_rows_of", slow)
    assert len(SOME) == await exported(db, tmp_path)
    assert 2 == len(times)
    assert len(SOME) == len(await lake_rows(db, tmp_path))


async def test_nobody_confirms_what_another_keeps(db: Database, tmp_path: Path) -> None:
    """Who was frozen while somebody else went on changes nothing; no file is another's."""
    await told(db, SOME)
    async with keeping(db, tmp_path) as frozen:
        taken = update(followers).where(followers.c.name == "lake").values(holder="")
        await db.write(lambda connection: connection.execute(taken))
        assert len(SOME) == await exported(db, tmp_path)
        with pytest.raises(LakeError, match="Another process writes the lake"):
            await exporting.export(frozen, bounds=SMALL, tell=lambda _, __: None)
    assert len(SOME) == len(await lake_rows(db, tmp_path))


async def test_a_full_disk_is_left_as_it_was(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who exports every few minutes would else fill it with each try, whatever makes room; when
    there is room the next one ends it.
    """
    lake = tmp_path / "lake"
    await told(db, SOME)

    def full(path: Path) -> None:
        if path.name.startswith(f"sales_{THURSDAY + 1}"):  # the first day's file has its name
            raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(folders, "synced", full)
        with pytest.raises(OSError, match="No space left"):
            await exported(db, lake)
    assert [lake / MARK] == [one for one in lake.rglob("*") if one.is_file()]
    assert len(SOME) == await exported(db, lake)
    assert as_told(_known(SOME)) == await lake_rows(db, lake)


def _die(url: str, root: str, step: int) -> None:
    """Export, and be killed before the step with this number."""
    import asyncio

    from storage.database.engine import StorageConfig

    tempfile.tempdir = str(Path(url.removeprefix("sqlite:///")).parent)  # it clears up nothing
    left = [step]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call

    os.fsync = counted(os.fsync)
    Path.replace = counted(Path.replace)  # type: ignore[method-assign]
    Duck.run = counted(Duck.run)  # type: ignore[method-assign]
    Keeper.write = counted(Keeper.write)  # type: ignore[method-assign]
    LakeFolder.publish = counted(LakeFolder.publish)  # type: ignore[method-assign]
    exporting._rows_of = counted(exporting._rows_of)

    async def work() -> None:
        database = await Database.open(StorageConfig(url=url))
        await exported(database, Path(root), facts_at_once=3)
        await database.close()

    asyncio.run(work())


async def test_kill_at_each_step_and_the_lake_is_the_facts(
    db: Database, url: str, tmp_path: Path
) -> None:
    """One process after the other is killed, each one step later than the one before; what they
    leave behind is in no reader's way, and the last one ends it.
    """
    if db.dialect.name != SQLITE:
        pytest.skip("files are written alike on both")
    await told(db, SOME)
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, "storage.database.engine", "duckdb"])
    free = update(followers).where(followers.c.name == "lake").values(holder="")
    codes: list[int | None] = []
    while 0 not in codes and len(codes) < 60:
        process = context.Process(target=_die, args=(url, str(tmp_path), len(codes) + 1))
        process.start()
        process.join(HANGS_AFTER_S)
        codes.append(process.exitcode)
        rows = await lake_rows(db, tmp_path)
        assert rows == [row for row in as_told(_known(SOME)) if row in rows]
        # Nobody need wait until its beat has stood still.
        await db.write(lambda connection: connection.execute(free))
    assert [-signal.SIGKILL] * (len(codes) - 1) + [0] == codes
    assert len(codes) > 10
    assert as_told(_known(SOME)) == await lake_rows(db, tmp_path)


def _known(facts: list[Any]) -> list[Any]:
    from actors.machine.values import replace

    return [replace(one, payer_id="") for one in facts]
