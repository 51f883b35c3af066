"""Bytes go after their row, and never those that a row names."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from actors.ports import StoreError
from gateway.screens.folder import AssetFolder
from gateway.screens.unnamed import UnnamedFiles
from storage.database.engine import Database
from storage.office.assets import Assets
from storage.office.screen_sweeps import forget_assets
from tests.storage.office.places import NOON_MS
from tests.storage.office.showing import A, B, some_assets

LATER_MS = NOON_MS + 1


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def folder(tmp_path: Path) -> AssetFolder:
    """Give a folder with the bytes of A and B, which were brought long ago."""
    made = AssetFolder(tmp_path)
    for content in (b"a", b"b"):
        made.put(content)
        os.utime(tmp_path / sha256(content).hexdigest(), (1, 1))
    return made


def there(folder: AssetFolder) -> list[bool]:
    """Whether the bytes of A, and of B, are in their place."""
    return [folder.find(one) is not None for one in (A, B)]


async def test_a_sweep_finds_what_was_left_by_who_was_killed_behind_the_commit(
    db: Database, folder: AssetFolder
) -> None:
    """The rows are gone, and the bytes go the next time; what a row names stays, and what was just
    brought, whose row comes next.
    """
    await some_assets(db, "a")
    files = UnnamedFiles(folder, Assets(db))

    async def killed(_hashes: Sequence[str]) -> None:
        raise Killed

    with pytest.raises(Killed):
        await forget_assets(db, killed, before_ms=LATER_MS)
    await some_assets(db, "b")
    folder.put(b"new")
    assert [True, True] == there(folder)
    assert [1, 0] == [await files.forget(before_ms=LATER_MS) for _ in range(2)]
    assert [False, True] == there(folder)
    assert folder.find(sha256(b"new").hexdigest()) is not None


@pytest.mark.parametrize("first", ["the row", "the look"])
async def test_what_somebody_brings_meanwhile_is_there(
    db: Database, folder: AssetFolder, first: str
) -> None:
    """Whether their COMMIT is before we look, or behind it: they look again then."""
    bringing = Assets(db)

    class Beside(Assets):
        async def named(self, hashes: Sequence[str]) -> frozenset[str]:
            assert [False, True] == there(folder)
            if first == "the row":
                await some_assets(db, "a")
                return await super().named(hashes)
            found = await super().named(hashes)
            await some_assets(db, "a")
            folder.put(b"a")
            return found

    files = UnnamedFiles(folder, Beside(db))
    assert (0 if first == "the row" else 1) == await files.drop([A])
    assert frozenset([A]) == await bringing.named([A, B])
    assert [True, True] == there(folder)
    assert [] == folder.left_aside()


async def test_what_was_left_aside_comes_back_or_goes(db: Database, folder: AssetFolder) -> None:
    """Whoever put it there was killed before they knew whether a row names it."""
    await some_assets(db, "a")
    for one in (A, B):
        folder.put_aside(one)
    await UnnamedFiles(folder, Assets(db)).forget(before_ms=0)
    assert ([True, False], []) == (there(folder), folder.left_aside())


async def test_what_was_brought_again_stays_in_its_place(db: Database, folder: AssetFolder) -> None:
    """Machines fetch it while what somebody who was killed left of it aside goes."""
    await some_assets(db, "a")
    folder.put_aside(A)
    folder.put(b"a")
    seen = []

    class Beside(Assets):
        async def named(self, hashes: Sequence[str]) -> frozenset[str]:
            seen.append(folder.find(A) is not None)
            return await super().named(hashes)

    await UnnamedFiles(folder, Beside(db)).forget(before_ms=0)
    assert all(seen)
    assert ([True, True], []) == (there(folder), folder.left_aside())


async def test_nothing_goes_while_nobody_knows(
    db: Database, folder: AssetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does not answer; and what the folder does not give stays."""
    assets = Assets(db)
    files = UnnamedFiles(folder, assets)

    async def away(_hashes: Sequence[str]) -> frozenset[str]:
        raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(assets, "named", away)
        with pytest.raises(StoreError):
            await files.drop([A])
    assert ([True, True], []) == (there(folder), folder.left_aside())

    def refused(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        assert 0 == await files.drop([A])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refused)
        await files.drop([A])
    assert ([False, True], [A]) == (there(folder), folder.left_aside())
    assert 2 == await files.forget(before_ms=LATER_MS)
