"""The list of files changes as a whole, and what is planned is read by nobody."""

from functools import partial

import pytest
from sqlalchemy import update

from storage.database.engine import Database
from storage.lake import lists
from storage.lake.duck import LakeError
from storage.lake.folder import Made
from storage.lake.lists import LakeFile, Stream
from storage.tables import lake_files

MADE = Made(rows=1, bytes=2, sha256="a" * 64)


def file(path: str, span: tuple[int, int] = (0, 5), d: int = 20260101) -> LakeFile:
    """One of facts."""
    return LakeFile(path=path, stream="SALES", d=d, from_position=span[0], to_position=span[1])


async def plan(db: Database, *files: LakeFile, position: int = 0) -> None:
    """Plan them."""
    await db.write(partial(lists.plan, files=files, position=position, now_ms=1))


async def confirm(db: Database, *paths: str) -> None:
    """Confirm them."""
    pairs = [(path, MADE) for path in paths]
    await db.write(partial(lists.confirm, made=pairs, now_ms=2))


async def written(db: Database, first: int = 0) -> list[str]:
    """What may be read."""
    found = await db.read(partial(lists.written, stream=Stream.SALES, first=first))
    return [one.path for one in found]


@pytest.mark.slow_on_postgres
async def test_what_is_planned_is_read_once_it_is_confirmed(db: Database) -> None:
    """By day and range; and it keeps its range until then, whoever else plans what is made of
    other files.
    """
    await plan(db, file("b", (0, 5), 20260102), file("a", (0, 5)))
    assert [] == await written(db)
    planned = partial(lists.planned_range, position=0)
    assert (0, 5) == await db.read(planned)
    await plan(db, position=0)  # nothing to plan takes nothing back
    assert (0, 5) == await db.read(planned)
    await confirm(db, "a", "b")
    assert await db.read(planned) is None
    assert ["a", "b"] == await written(db)
    assert ["b"] == await written(db, first=20260102)
    await plan(db, file("c", (5, 9)), position=5)
    await plan(db, file("ab", (0, 5)), position=5)
    assert (5, 9) == await db.read(partial(lists.planned_range, position=5))
    await plan(db, file("abc", (0, 5)), position=5)
    with pytest.raises(LakeError, match="ab is not planned any more"):
        await confirm(db, "ab")
    for path in ("a", "a"):
        with pytest.raises(LakeError):
            await confirm(db, path)


async def test_what_is_replaced_goes_later(db: Database) -> None:
    """It is known until it is forgotten; what may be read is never forgotten."""
    await plan(db, file("a"), file("b"))
    await confirm(db, "a", "b")
    await db.write(partial(lists.replace, paths=["a"], now_ms=10))
    assert ["b"] == await written(db)
    assert [] == await db.read(partial(lists.replaced, before_ms=9))
    assert ["a"] == await db.read(partial(lists.replaced, before_ms=10))
    await db.write(partial(lists.forget, paths=["a", "b"]))
    assert {"b"} == await db.read(lists.known)
    await db.write(partial(lists.replace_all, now_ms=11))
    assert [] == await written(db)


async def test_files_of_a_newer_program_are_refused(db: Database) -> None:
    """Their columns may mean something else."""
    await plan(db, file("a"))
    await confirm(db, "a")
    await db.write(lambda connection: connection.execute(update(lake_files).values(format=2)))
    with pytest.raises(LakeError, match="columns of version 2"):
        await written(db)


def test_names_and_days_are_told_in_order() -> None:
    """The hash says which files, not in which order they were read."""
    some = [file("b", d=2), file("a", d=1), file("c", d=2)]
    assert {1: ["a"], 2: ["b", "c"]} == {
        d: [one.path for one in its] for d, its in lists.by_day(some).items()
    }
    assert lists.hash_of_names(some) == lists.hash_of_names(reversed(some))
    assert lists.hash_of_names(some) != lists.hash_of_names(some[1:])
