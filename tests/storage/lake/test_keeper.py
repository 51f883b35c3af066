"""One process writes the lake at a time."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import update

from storage.database.engine import Database
from storage.insight import lease
from storage.lake import lists
from storage.lake.duck import LakeError
from storage.lake.folder import LakeFolder
from storage.lake.keeper import NAME, books_standing, kept, remove_replaced
from storage.lake.lists import Stream
from storage.tables import followers
from tests.storage.insight.shop import StillClock
from tests.storage.lake.pond import exported, fact, keeping, told


@pytest.mark.slow_on_postgres
async def test_who_keeps_it_has_it_until_the_end(db: Database, tmp_path: Path) -> None:
    """Then it is free at once, and the next one has an epoch of its own."""
    async with keeping(db, tmp_path, "a") as first:
        await first.write(lambda _, __: None, position=7)
        one = first.planned(Stream.SALES, 20260101, (0, 7))
        two = first.planned(Stream.SALES, 20260101, (0, 7))
        assert one.path != two.path
    async with keeping(db, tmp_path, "b") as second:
        assert (7, first.held.epoch + 1) == (second.position, second.held.epoch)
        assert one.path != second.planned(Stream.SALES, 20260101, (0, 7)).path
        with pytest.raises(LakeError, match="Another process"):
            await first.write(lambda _, __: None)
    standing = await db.read(lambda connection: lease.read_standing(connection, NAME))
    assert ("", 7) == (standing.holder, standing.position)


async def test_who_lives_is_left_to_it(db: Database, tmp_path: Path) -> None:
    """Its beat moves while it is watched; whose beat stands still for a lease is followed."""

    async def alive(_: float) -> None:
        beats = update(followers).values(beat=followers.c.beat + 1)
        await db.write(lambda connection: connection.execute(beats))

    async def still(_: float) -> None:
        await asyncio.sleep(0)

    async with keeping(db, tmp_path, "a"):
        with pytest.raises(LakeError, match="a writes the lake, up to position 0: wait"):
            async with kept(db, StillClock(), LakeFolder(tmp_path), "b", sleep=alive):
                pass
        async with kept(db, StillClock(), LakeFolder(tmp_path), "b", sleep=still) as ours:
            assert "b" == ours.held.holder


@pytest.mark.slow_on_postgres
async def test_a_lake_whose_folder_is_away_is_made_again_on_demand_alone(
    db: Database, tmp_path: Path
) -> None:
    """Else facts that come now would be in one folder, and those of before in another."""
    await told(db, [fact(1)])
    await exported(db, tmp_path / "here")
    away = LakeFolder(tmp_path / "away")
    with pytest.raises(LakeError, match="the database lists files"):
        async with kept(db, StillClock(), away, "a"):
            pass
    async with kept(db, StillClock(), away, "a", again=True) as keeper:
        assert keeper.position > 0


async def test_books_that_are_made_again_are_waited_for(db: Database) -> None:
    """Also while what was made goes."""
    await told(db, [fact(1)])
    assert 1 == (await db.read(books_standing)).position
    clearing = update(followers).values(stage=lease.CLEARING)
    await db.write(lambda connection: connection.execute(clearing))
    with pytest.raises(LakeError, match="made again"):
        await db.read(books_standing)


@pytest.mark.slow_on_postgres
async def test_what_nobody_reads_is_removed(db: Database, tmp_path: Path) -> None:
    """What was replaced long enough ago, and what another one had not ended."""
    async with keeping(db, tmp_path, "a") as first:
        left = first.planned(Stream.CUBES, 20260101, (0, 7))
        first.folder.aside(left.path).touch()
    async with keeping(db, tmp_path, "b", now_ms=60_000) as second:
        ours = second.planned(Stream.CUBES, 20260101, (0, 7))
        second.folder.aside(ours.path).touch()
        await second.write(
            lambda connection, now: lists.plan(connection, [ours], position=9, now_ms=now)
        )
        await second.write(lists.replace_all)
        assert 1 == await remove_replaced(second, keep_ms=1)
        assert not second.folder.aside(left.path).exists()
        assert 1 == await remove_replaced(second, keep_ms=0)
        assert frozenset() == await db.read(lists.known)
        assert second.folder.aside(ours.path).exists()
