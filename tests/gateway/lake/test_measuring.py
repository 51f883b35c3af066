"""The lake is measured with made-up sales, and nothing is left of them."""

from pathlib import Path

import pytest

from gateway.lake.measuring import measure
from storage.lake.duck import LakeError
from storage.lake.made_up import MadeUp

pytest.importorskip("duckdb")


@pytest.mark.slow
def test_it_measures_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each step; a folder of somebody else's is left alone."""
    assert 0 == measure(MadeUp(2_000), tmp_path, ray_of=None)
    told = capsys.readouterr().out
    for step in ("made up", "exported", "compacted", "cubes", "asked by day", "asked by product"):
        assert f"{step}:" in told
    assert [] == list(tmp_path.iterdir())
    (tmp_path / "mine").touch()
    with pytest.raises(LakeError, match="other things"):
        measure(MadeUp(2_000), tmp_path, ray_of=None)
    assert (tmp_path / "mine").exists()


def test_it_measures_files_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no database would have room: cubes and questions, and nothing is exported."""
    assert 0 == measure(MadeUp(30, days=3), tmp_path, ray_of=None, only_files=True)
    told = capsys.readouterr().out
    for step in ("made up", "cubes", "asked by day", "asked by product"):
        assert f"{step}:" in told
    assert "MiB at most in a process that made cubes" in told
    assert "exported" not in told
    assert [] == list(tmp_path.iterdir())
