"""The command line of the examination."""

import json
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app


def test_the_rules_are_listed() -> None:
    """One line each, with its place in the document."""
    listed = CliRunner().invoke(app, ["certify", "--list"])

    assert 0 == listed.exit_code
    assert "docs/firmware.md#6-dispensing" in listed.output
    assert "valid-for " in listed.output


def test_what_cannot_be_done_is_told() -> None:
    """A rule that is none, and half of a certificate, end with status 2 and a sentence."""
    assert 2 == CliRunner().invoke(app, ["certify", "--only", "nope"]).exit_code
    cert = str(Path(__file__))
    assert 2 == CliRunner().invoke(app, ["certify", "--cert", cert]).exit_code


def test_our_machine_passes_over_a_socket(tmp_path: Path) -> None:
    """The examiner, gRPC, the machine, and both files of the report."""
    report = tmp_path / "folder" / "ours"
    rules = ["--only", "strange-code", "--only", "hello", "--only", "numbers"]
    result = CliRunner().invoke(app, ["certify", "--reference", "--report", str(report), *rules])

    assert 0 == result.exit_code, result.output
    assert "VM-0001: 3 pass, 0 fail, 0 not tried" in result.output
    assert "PASS" == json.loads(report.with_name("ours.json").read_text())["outcome"]
    assert "VM-0001" in report.with_name("ours.html").read_text()
