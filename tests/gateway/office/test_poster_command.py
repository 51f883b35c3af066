"""The command stands in the program's help."""

from typer.testing import CliRunner

from gateway import cli


def test_it_says_what_it_does() -> None:
    """In its own words, with its sizes and what its status means."""
    told = CliRunner().invoke(cli.app, ["poster", "--help"], env={"COLUMNS": "200"})
    assert 0 == told.exit_code
    said = " ".join(told.stdout.split())
    assert "Status 0: made, 1: refused" in said
    assert all(size in said for size in ("a4", "a5", "sticker"))


def test_a_size_that_there_is_not_is_refused() -> None:
    """With the ones that there are."""
    line = ["poster", "VM-1", "--out", "a.pdf", "--size", "a3"]
    told = CliRunner().invoke(cli.app, line, env={"COLUMNS": "200"})
    assert 2 == told.exit_code
    assert "sticker" in told.stderr
