"""``vendgate simulate past``: what it says to people, and to the demo."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.past import running
from gateway.past.plan import PastFailed
from gateway.past.told import PastTold
from tests.support.past import TOLD


def _lived(*_: object, **__: object) -> PastTold:
    return TOLD


def _asked(settings: Path, *more: str) -> list[str]:
    return ["simulate", "past", "--config", str(settings), *more]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Any file; what is in it is not this command's."""
    path = tmp_path / "vendgate.toml"
    path.touch()
    return path


def test_people_read_sentences_and_programs_two_lines(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line at once, the second at the end."""
    monkeypatch.setattr(running, "live", _lived)
    told = CliRunner().invoke(app, _asked(settings))
    assert list(TOLD.sentences) == told.output.splitlines()
    first, last = CliRunner().invoke(app, _asked(settings, "--json-ready")).output.splitlines()
    assert {"pid"} == json.loads(first).keys()
    assert (TOLD.sales, list(TOLD.sentences)) == tuple(
        json.loads(last)[name] for name in ("sales", "sentences")
    )


def test_what_no_past_can_be_made_of_is_a_sentence(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no traceback."""

    def fails(*_: object, **__: object) -> PastTold:
        raise PastFailed("there is a database already")

    monkeypatch.setattr(running, "live", fails)
    refused = CliRunner().invoke(app, _asked(settings))
    assert 1 == refused.exit_code
    assert "there is a database already" in refused.output
