"""Files come into the folder whole, under names that nobody else has."""

from pathlib import Path

import pytest

from storage.lake.duck import LakeError
from storage.lake.folder import ASIDE, LakeFolder, file_name, made

NAME = file_name("SALES", 20260101, (0, 7), epoch=3, number=1)


def folder(root: Path) -> LakeFolder:
    """One that is claimed."""
    ours = LakeFolder(root)
    ours.claim("42")
    return ours


def test_a_file_is_published(tmp_path: Path) -> None:
    """It says what it is, and goes with its day's folder."""
    ours = folder(tmp_path)
    assert "sales/20260101/000000000000-000000000007-e000003-00001.parquet" == NAME
    aside = ours.aside(NAME)
    aside.write_text("whole")
    told = made(aside, 2)
    assert (2, 5, 64) == (told.rows, told.bytes, len(told.sha256))
    ours.publish(aside, NAME)
    assert "whole" == ours.path(NAME).read_text()
    assert not aside.exists()
    for _ in range(2):
        ours.remove(NAME)
    assert not ours.path(NAME).parent.exists()


def test_a_folder_is_of_one_database(tmp_path: Path) -> None:
    """Another one is refused, also if the mark cannot be read."""
    folder(tmp_path).claim("42")
    with pytest.raises(LakeError, match="another database"):
        LakeFolder(tmp_path).claim("43")
    (tmp_path / "_vendgate.json").write_text("[]")
    with pytest.raises(LakeError, match="another database"):
        LakeFolder(tmp_path).claim("42")


def test_a_folder_that_is_away_is_not_made_anew(tmp_path: Path) -> None:
    """Files are listed, and there is nothing: its disk is not mounted."""
    with pytest.raises(LakeError, match="is its disk there"):
        LakeFolder(tmp_path / "lake").claim("42", has_files=True)
    assert not any(tmp_path.iterdir())
    folder(tmp_path).claim("42")
    LakeFolder(tmp_path).claim("42", has_files=True)


def test_what_is_left_is_of_earlier_epochs_and_ours(tmp_path: Path) -> None:
    """Files of the list, of who writes now and of others stay."""
    ours = folder(tmp_path)
    kept = file_name("SALES", 20260101, (0, 7), epoch=2, number=2)
    now = file_name("CUBES", 20260101, (0, 7), epoch=4, number=1)
    foreign = "sales/20260101/report.parquet"
    for name in (NAME, kept, now, foreign):
        ours.path(name).parent.mkdir(parents=True, exist_ok=True)
        ours.path(name).touch()
        ours.aside(name).touch()
    expected = [ours.aside(kept).name, ours.aside(NAME).name]
    assert sorted([NAME, *(f"{ASIDE}/{name}" for name in expected)]) == sorted(
        ours.left(frozenset({kept}), before_epoch=4)
    )
