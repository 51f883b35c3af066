"""The commands ``vendgate hosts`` as people type them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway import cli
from gateway.books import holders
from gateway.process import settings
from gateway.process.configs import storage_config
from tests.alipay_client.wire import Pair
from tests.support import installed, upgraded


@pytest.fixture
def config(tmp_path: Path, pair: Pair) -> str:
    """A configuration with a database that never served."""
    path = installed.write(tmp_path, installed.good(tmp_path, pair))
    upgraded.make(storage_config(settings.load(path)).url, partition_count=4)
    return path


def run(*arguments: str) -> Result:
    """Run one."""
    return CliRunner().invoke(cli.app, ["hosts", *arguments])


def test_the_list_is_a_line_or_an_object(config: str) -> None:
    """For people and for scripts."""
    told = run("list", "--config", config)
    assert (0, "the layout has no hosts; nobody holds machines\n") == (told.exit_code, told.stdout)
    assert (
        '{"hosts": null, "version": 0, "holders": []}\n'
        == run("list", "--json", "--config", config).stdout
    )


@pytest.mark.parametrize(
    "words", [["list"], ["layout", "2", "--by", "ann"], ["takeover", "here", "--reason", "moved"]]
)
def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, pair: Pair, words: list[str]
) -> None:
    """A mistyped path leaves no empty file behind, and is named."""
    path = installed.write(tmp_path, installed.good(tmp_path, pair))
    before = sorted(tmp_path.iterdir())
    told = run(*words, "--config", path)
    assert (1, before) == (told.exit_code, sorted(tmp_path.iterdir()))
    assert told.stderr.startswith(f"There is no database {tmp_path / 'vendgate.db'}: ")


def test_a_layout_is_a_number_of_hosts(config: str) -> None:
    """What to set then is said."""
    told = run("layout", "2", "--by", "ann", "--config", config)
    assert "the layout has 2 hosts, version 1: set ray.hosts = 2\n" == told.stdout
    assert 0 != run("layout", "0", "--config", config).exit_code


def test_without_a_cluster_nothing_is_scaled(config: str) -> None:
    """A sentence, and nothing in the database."""
    refused = CliRunner().invoke(cli.app, ["scale", "--hosts", "2", "--config", config])
    assert 1 == refused.exit_code
    assert "such hosts live and die with their gateway" in refused.stderr


def test_a_takeover_needs_a_reason(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends who serves, so somebody must be able to read why; who it is that holds the machines
    already is told so.
    """
    monkeypatch.setattr(holders, "BEAT_S", 0)  # nobody beats
    assert 2 == run("takeover", "here", "--config", config).exit_code
    told = run("takeover", "here", "--reason", "moved", "--config", config)
    assert told.stdout.startswith("taken from nobody; for 60 s only here may claim")
    again = run("takeover", "here", "--reason", "moved", "--config", config)
    assert (1, "here holds the machines already: nothing was taken over.\n") == (
        again.exit_code,
        again.stderr,
    )
    other = run("takeover", "there", "--reason", "a wrong name", "--config", config)
    assert other.stdout.startswith("taken from a takeover for here; for 60 s only there may claim")


@pytest.mark.parametrize("by", ["", " "])
@pytest.mark.parametrize(
    "words", [("hosts", "takeover", "here", "--reason", "moved"), ("hosts", "layout", "2")]
)
def test_an_empty_name_is_nobodys(config: str, words: tuple[str, ...], by: str) -> None:
    """The audit log would name whoever is logged in, whom a script did not mean."""
    told = CliRunner().invoke(cli.app, [*words, "--by", by, "--config", config])
    assert (2, True) == (told.exit_code, "It is empty: name who wants it" in told.stderr)
    assert "nobody holds machines\n" in run("list", "--config", config).stdout


@pytest.mark.parametrize(("home", "reason"), [("", "moved"), (" ", "moved"), ("here", "")])
def test_an_empty_word_takes_nothing_over(config: str, home: str, reason: str) -> None:
    """As of a script whose variable was not set: nobody but a home without a name could serve."""
    assert 2 == run("takeover", home, "--reason", reason, "--config", config).exit_code
    assert "nobody holds machines\n" in run("list", "--config", config).stdout
