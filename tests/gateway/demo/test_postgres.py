"""A PostgreSQL for one run, where its programs are."""

import shutil
from pathlib import Path

import pytest

from gateway.demo import postgres


def test_where_nothing_is_installed_there_are_no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run then says so, and measures the rest."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(Path, "glob", lambda _path, _pattern: iter(()))
    assert postgres.programs() is None


def test_programs_in_the_path_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By way of a link too: initdb wants its siblings beside it."""
    real = tmp_path / "bin" / "initdb"
    real.parent.mkdir()
    real.touch()
    link = tmp_path / "initdb"
    link.symlink_to(real)
    monkeypatch.setattr(shutil, "which", lambda _name: str(link))
    monkeypatch.setattr("os.geteuid", lambda: 1_000)
    assert real.parent == postgres.programs()
