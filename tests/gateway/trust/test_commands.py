"""The commands ``vendgate ca``."""

from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app


def run(*arguments: str) -> tuple[int, str]:
    """Run the command line; return its status and all that it said."""
    result = CliRunner().invoke(app, ["ca", *arguments])
    return result.exit_code, result.output


def test_from_nothing_to_a_certificate(tmp_path: Path) -> None:
    """Two commands and no openssl; what cannot be is a sentence."""
    ca = str(tmp_path / "ca")
    status, said = run("init", ca, "--domain", "vending.example")
    assert 0 == status
    assert "Take " in said
    assert "root_key.pem away from this computer" in " ".join(said.split())
    status, said = run("issue", ca, "machine", "VM-1", "--out", str(tmp_path))
    assert (0, [str(tmp_path / "VM-1.pem"), str(tmp_path / "VM-1_key.pem")]) == (
        status,
        said.split("\n")[:2],
    )
    status, said = run("issue", ca, "machine", "VM-1", "--out", str(tmp_path))
    assert 1 == status
    assert "VM-1.pem is there already, and is not overwritten" in said
