"""What a person names on the command line is looked at before anything is measured."""

from pathlib import Path

import pytest

from gateway.bench import command
from gateway.bench.options import QUICK


@pytest.mark.parametrize("name", ["check", "out", "keep"])
def test_what_cannot_be_used_is_said_at_once(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence; nothing is started."""
    (tmp_path / "file").write_text("{", encoding="utf-8")
    named: dict[str, Path | None] = {"out": None, "keep": None, "check": None}
    named[name] = tmp_path / "file"
    assert 1 == command.run(QUICK, **named, margin=None)
    said = capsys.readouterr().err
    assert said.startswith("A file or folder that was named cannot be used: ")
    assert 1 == len(said.splitlines())
