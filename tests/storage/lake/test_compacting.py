"""A day becomes one file, each fact stays once, and who was erased is in none."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from storage.database.engine import Database
from storage.insight.sales import By, SalesWanted
from storage.lake import compacting, lists
from storage.lake.asking import ask
from storage.lake.columns import FACTS
from storage.lake.duck import LakeError, duck
from storage.lake.folder import LakeFolder, Made, made
from storage.lake.keeper import Keeper, remove_replaced
from storage.machines import payers
from storage.tables import lake_files
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

pytest.importorskip("duckdb")


async def compacted(db: Database, root: Path, *, keep_ms: int = 0) -> int:
    """Compact, and remove what nobody reads."""
    async with keeping(db, root) as keeper:
        days = await compacting.compact(keeper, bounds=SMALL, tell=lambda _, __: None)
        await remove_replaced(keeper, keep_ms=keep_ms)
        return days


def texts(root: Path) -> list[str]:
    """All files that are there."""
    return sorted(one.relative_to(root).as_posix() for one in root.rglob("*.parquet"))


def holding(root: Path, said: bytes) -> list[Path]:
    """Files in which these bytes stand: the smallest and greatest of a column stand in its foot."""
    return [one for one in root.rglob("*.parquet") if said in one.read_bytes()]


@pytest.mark.slow_on_postgres
async def test_late_facts_come_into_their_day(db: Database, tmp_path: Path) -> None:
    """A write-off of the next morning stands with the day that it is of; other days stay as they
    are, and a second time there is nothing to do.
    """
    await told(db, [fact(1), fact(2, d=THURSDAY + 1)])
    await exported(db, tmp_path)
    await told(db, [fact(3, kind="WRITE_OFF", units=1)])
    await exported(db, tmp_path)
    before = await lake_rows(db, tmp_path)
    friday = [one for one in await files_of(db) if one.d == THURSDAY + 1]
    assert 1 == await compacted(db, tmp_path)
    assert before == await lake_rows(db, tmp_path)
    after = await files_of(db)
    assert [(THURSDAY, 0, 3, 2), (THURSDAY + 1, 0, 2, 1)] == [
        (one.d, one.from_position, one.to_position, one.rows) for one in after
    ]
    assert friday == after[1:]
    assert sorted(one.path for one in after) == texts(tmp_path)
    assert 0 == await compacted(db, tmp_path)


async def test_who_is_erased_leaves_the_lake(db: Database, tmp_path: Path) -> None:
    """In the next compaction; who is known stays."""
    await know(db, "p-1", "p-2")
    some = [fact(1, payer_id="p-1"), fact(2, payer_id="p-2"), fact(3, d=THURSDAY + 1)]
    await told(db, some)
    await exported(db, tmp_path)
    assert 0 == await compacted(db, tmp_path)
    assert await db.write(partial(payers.forget, payer_id="p-1"))
    assert 1 == await compacted(db, tmp_path)
    at = list(FACTS).index("payer_id")
    assert ["", "p-2", ""] == [row[at] for row in await lake_rows(db, tmp_path)]
    assert [] == holding(tmp_path, b"p-1")
    assert 1 == len(holding(tmp_path, b"p-2"))
    assert len(await files_of(db)) == len(texts(tmp_path))


async def as_before(db: Database, root: Path) -> None:
    """Let all files be those of a program that knew no offers."""
    for one in await files_of(db):
        path = root / one.path
        with duck(SMALL) as engine:
            engine.run(f"CREATE TEMP TABLE t AS SELECT * EXCLUDE (offer) FROM '{path}'")
            engine.run(f"COPY t TO '{path}' (FORMAT parquet)")
        told_of = made(path, one.rows)
        said = update(lake_files).where(lake_files.c.path == one.path)
        said = said.values(sha256=told_of.sha256, bytes=told_of.bytes)
        await db.write(lambda connection, said=said: connection.execute(said))  # type: ignore[misc]


async def test_files_of_before_know_no_offers(db: Database, tmp_path: Path) -> None:
    """They are read beside those of today, alone, and merged with them; what is not in them is
    null, and the questions are answered.
    """
    await told(db, [fact(1), fact(2, d=THURSDAY + 1)])
    await exported(db, tmp_path)
    await as_before(db, tmp_path)
    assert [None, None] == [row[-1] for row in await lake_rows(db, tmp_path)]
    await told(db, [fact(3, offer="tea-time")])
    await exported(db, tmp_path)
    assert [None, None, "tea-time"] == [row[-1] for row in await lake_rows(db, tmp_path)]
    wanted = SalesWanted(first=THURSDAY, last=THURSDAY + 1, by=By.OFFER)
    answers = [await ask(db, LakeFolder(tmp_path), wanted, bounds=SMALL)]
    assert 1 == await compacted(db, tmp_path)
    assert [None, None, "tea-time"] == [row[-1] for row in await lake_rows(db, tmp_path)]
    answers.append(await ask(db, LakeFolder(tmp_path), wanted, bounds=SMALL))
    told_by_lake = [[(line.key, line.now.units) for line in one.lines] for one in answers]
    assert [[("", 2), ("tea-time", 1)]] * 2 == told_by_lake


async def test_a_death_over_it_changes_nothing(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who dies at any step leaves the files of before to the readers."""
    for position in (1, 2):
        await told(db, [fact(position)])
        await exported(db, tmp_path)
    before = await files_of(db)

    def dies(*_: Any, **__: Any) -> None:
        raise LakeError("dead")

    for place, name in ((compacting, "made"), (lists, "confirm"), (lists, "replace")):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, dies)
            with pytest.raises(LakeError, match="dead"):
                await compacted(db, tmp_path)
        assert before == await files_of(db)
    assert 1 == await compacted(db, tmp_path)
    assert 2 == len(await lake_rows(db, tmp_path))
    assert 1 == len(texts(tmp_path))


@pytest.mark.slow_on_postgres
async def test_a_fact_that_stands_twice_stops_it(db: Database, tmp_path: Path) -> None:
    """Nothing is written over what is wrong."""
    await told(db, [fact(1)])
    await exported(db, tmp_path)
    (one,) = await files_of(db)
    async with keeping(db, tmp_path) as keeper:
        await _again(keeper, one)
        with pytest.raises(LakeError, match="vendgate lake verify"):
            await compacting.compact(keeper, bounds=SMALL, tell=lambda _, __: None)
    assert 2 == len(await files_of(db))


async def _again(keeper: Keeper, one: lists.LakeFile) -> None:
    """Let a file be in the list under another name, too."""
    other = keeper.planned(lists.Stream.SALES, one.d, (0, 1))
    aside = keeper.folder.aside(other.path)
    aside.write_bytes(keeper.folder.path(one.path).read_bytes())
    keeper.folder.publish(aside, other.path)
    told_of = Made(rows=one.rows, bytes=one.bytes, sha256=one.sha256)
    await keeper.write(
        lambda connection, now: lists.plan(connection, [other], position=9, now_ms=now)
    )
    await keeper.write(
        lambda connection, now: lists.confirm(connection, [(other.path, told_of)], now_ms=now)
    )
