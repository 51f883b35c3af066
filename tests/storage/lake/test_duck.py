"""DuckDB within bounds, and its errors as sentences."""

import importlib.util
from pathlib import Path

import pytest

from storage.lake.duck import Bounds, LakeError, duck, require

pytest.importorskip("duckdb")


def test_it_answers_and_streams() -> None:
    """Rows, one number, and many rows in pieces; a table of texts can be added to."""
    with duck(Bounds(threads=1, memory_mb=200)) as engine:
        assert [(1, "a")] == engine.run("SELECT 1, 'a'")
        assert 45_000 == sum(1 for _ in engine.stream("FROM range(45000)"))
        for _ in range(2):
            engine.table("pairs", ("one", "other"), [("a", "it's"), ("b", "")])
        assert 4 == engine.count("SELECT count(*) FROM pairs")
        assert 2 == engine.count("SELECT count(*) FROM pairs WHERE other = 'it''s'")
        assert [("1",)] == engine.run("SELECT current_setting('threads')::VARCHAR")
        assert [(False,)] == engine.run("SELECT current_setting('autoload_known_extensions')")


def test_what_is_wrong_is_a_sentence() -> None:
    """In one line, without what was asked."""
    with duck() as engine, pytest.raises(LakeError, match="DuckDB cannot do it") as refused:
        engine.run("SELECT nothing_of_this_name")
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a file that is always full")
def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """Which says what to do, as of all else that is written."""
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with duck() as engine, pytest.raises(LakeError, match="has no room") as refused:
        engine.run(f"COPY (FROM range(9)) TO '{full}' (FORMAT csv, USE_TMP_FILE false)")
    assert "{" not in str(refused.value)


def test_without_it_somebody_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(LakeError, match=r"pip install 'vendgate\[lake\]'"):
        require()
