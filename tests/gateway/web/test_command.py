"""``vendgate console login``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.process.development import make_installation
from gateway.process.settings import load
from gateway.web import command
from storage.fleet import logins
from tests.support import upgraded


def _installed(folder: Path, console: str) -> Path:
    path, _ = make_installation(folder)
    path.write_text(f"{path.read_text()}\n[console]\n{console}\n")
    upgraded.make(f"sqlite:///{folder / 'vendgate.db'}", partition_count=8)
    return path


def test_it_prints_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one each time, until so many wait; under the name by which people come."""
    monkeypatch.setattr(logins, "LINKS_MAX", 2)
    path = _installed(tmp_path, 'enabled = true\nnames = ["console.test:8443"]')
    call = ["console", "login", "--config", str(path), "--name", "ann", "--role", "finance"]
    said = [CliRunner().invoke(app, call) for _ in range(3)]
    assert [0, 0, 2] == [one.exit_code for one in said]
    links = {one.stdout.strip() for one in said[:2]}
    assert 2 == len(links)
    assert all(one.startswith("http://console.test:8443/login/") for one in links)
    assert command.FULL in said[2].stderr


@pytest.mark.parametrize(
    ("console", "name", "sentence"),
    [
        ("enabled = false", "ann", command.OFF),
        ("enabled = true", "ann (certificate bob)", command.BAD_NAME),
        ("enabled = true", "x" * 65, command.BAD_NAME),
        ("enabled = true", " ", command.BAD_NAME),
    ],
)
def test_it_says_why_not(tmp_path: Path, console: str, name: str, sentence: str) -> None:
    """Nothing is issued then."""
    path = _installed(tmp_path, console)
    said = CliRunner().invoke(app, ["console", "login", "--config", str(path), "--name", name])
    assert (2, True) == (said.exit_code, sentence in said.stderr)


def test_a_role_that_there_is_not(tmp_path: Path) -> None:
    """It is told which there are."""
    path = _installed(tmp_path, "enabled = true")
    call = ["console", "login", "--config", str(path), "--name", "ann", "--role", "king"]
    said = CliRunner().invoke(app, call)
    assert (2, True) == (said.exit_code, command.BAD_ROLE in said.stderr)


def test_the_address_is_where_people_reach_it(tmp_path: Path) -> None:
    """Where it listens, unless it has a name."""
    path = _installed(tmp_path, "enabled = true")
    assert "http://127.0.0.1:7445" == command.address(load(path))
