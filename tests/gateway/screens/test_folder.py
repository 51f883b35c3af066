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


def test_a_file_is_dropped(tmp_path: Path) -> None:
    """And another one that is not there is no error."""
    folder = AssetFolder(tmp_path)
    folder.put(CONTENT)
    for _ in range(2):
        folder.drop(SHA256)
        assert folder.find(SHA256) is None


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
