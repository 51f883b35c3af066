"""A file is in the folder whole, under its hash, or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from gateway.screens.folder import AssetFolder

CONTENT = b"some bytes"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_a_file_is_found_under_its_hash(tmp_path: Path) -> None:
    """Once, however often it comes; one that was damaged meanwhile is written anew."""
    folder = AssetFolder(tmp_path / "assets")
    assert folder.find(SHA256) is None
    assert [True, False] == [folder.put(CONTENT), folder.put(CONTENT)]
    place = folder.find(SHA256)
    assert place is not None
    place.write_bytes(b"other")
    folder.put(CONTENT)
    assert CONTENT == place.read_bytes()
    assert [SHA256] == [one.name for one in (tmp_path / "assets").iterdir()]


def test_a_file_goes_by_way_of_a_name_that_nobody_else_has(tmp_path: Path) -> None:
    """Whoever put it aside last decides what becomes of it, and another time is no error."""
    folder = AssetFolder(tmp_path)
    folder.put(CONTENT)
    first = folder.put_aside(SHA256)
    assert folder.find(SHA256) is None
    second = folder.put_aside(SHA256)
    assert ([SHA256], 1, 1) == (folder.left_aside(), len(first), len(second))
    folder.settle(SHA256, first, comes_back=False)
    folder.settle(SHA256, second, comes_back=True)
    assert ([], folder.find(SHA256)) == (folder.left_aside(), tmp_path / SHA256)
    folder.settle(SHA256, folder.put_aside(SHA256), comes_back=False)
    assert ([], []) == (folder.put_aside(SHA256), list(tmp_path.iterdir()))


def test_a_file_that_is_brought_again_is_young(tmp_path: Path) -> None:
    """And what was left unfinished goes with its age."""
    folder = AssetFolder(tmp_path)
    folder.put(CONTENT)
    for name in (SHA256, ".new-1", ".new-2", "other"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (5, 5))
    (tmp_path / ".new-2").touch()
    assert [[], [SHA256]] == [folder.written_before(before_ms) for before_ms in (5_000, 5_001)]
    assert folder.put(CONTENT) is False
    folder.drop_unfinished(5_001)
    assert [] == folder.written_before(5_001)
    assert sorted([SHA256, ".new-2", "other"]) == sorted(one.name for one in tmp_path.iterdir())


def test_a_file_that_is_put_aside_as_it_is_looked_at_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep takes it between the look and the reading: whoever brings it is not refused."""
    folder = AssetFolder(tmp_path)
    folder.put(CONTENT)
    read_bytes = Path.read_bytes

    def swept_first(place: Path) -> bytes:
        folder.put_aside(SHA256)
        return read_bytes(place)

    monkeypatch.setattr(Path, "read_bytes", swept_first)
    assert folder.put(CONTENT)
    assert folder.find(SHA256) is not None


@pytest.mark.parametrize("name", ["../secret", "", "A" * 64, SHA256 + "0", SHA256[:-1] + "/"])
def test_what_is_no_hash_is_nowhere(tmp_path: Path, name: str) -> None:
    """Nobody reads another file by way of it."""
    (tmp_path / "secret").write_text("x")
    assert AssetFolder(tmp_path / "assets").find(name) is None


def test_nothing_is_left_of_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full; the next one finds room."""

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            AssetFolder(tmp_path).put(CONTENT)
    assert [] == list(tmp_path.iterdir())
