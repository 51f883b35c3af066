"""The commands of the books stand in the program's help."""

from typer.testing import CliRunner

from gateway import cli


def test_each_command_says_what_it_does() -> None:
    """In its own words, with what its status means."""
    for command in ("audit", "backup"):
        told = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "200"})
        assert 0 == told.exit_code
        assert "Status 0: clean" in " ".join(told.stdout.split())
