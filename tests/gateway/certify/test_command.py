"""The command line of the examination."""

import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.certify import command, desk
from gateway.certify.examination import Examined, Judged
from gateway.certify.moments import untried
from gateway.certify.rules import RULES, chosen_rules
from gateway.cli import app


def test_the_rules_are_listed() -> None:
    """One line each, with its place in the document."""
    listed = CliRunner().invoke(app, ["certify", "--list"])

    assert 0 == listed.exit_code
    assert "docs/firmware.md#6-dispensing" in listed.output
    assert "valid-for " in listed.output


def test_what_cannot_be_done_is_told() -> None:
    """A rule that is none, and half of a certificate, end with status 2 and a sentence."""
    unknown = CliRunner().invoke(app, ["certify", "--only", "nope"])
    assert 2 == unknown.exit_code
    told = " ".join(unknown.output.split())
    assert all(rule.name in told for rule in RULES)
    cert = str(Path(__file__))
    assert 2 == CliRunner().invoke(app, ["certify", "--cert", cert]).exit_code


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--listen", "7443", "HOST:PORT is wanted"),
        ("--listen", "127.0.0.1:99999", "HOST:PORT is wanted"),
        ("--column", "", "1 to 16 bytes"),
        ("--column", "a-name-of-17-bytes", "1 to 16 bytes"),
        ("--hand", "/no/such/hand", "there is no program /no/such/hand"),
        ("--power-cut", "relay 'off", "cannot be read as a command"),
        ("--report", ".", "the name of a file is wanted"),
        ("--report", f"{__file__}/certify", "cannot be used"),
        ("--price", "99999999999999999999", "price"),
    ],
)
def test_what_cannot_be_used_is_told_before_the_machine_is_asked(
    option: str, value: str, says: str
) -> None:
    """Not after seven minutes."""
    refused = CliRunner().invoke(app, ["certify", option, value])

    assert 2 == refused.exit_code, refused.output
    assert says in refused.output
    assert "listening" not in refused.output


def test_files_that_are_no_certificates_are_told(tmp_path: Path) -> None:
    """And not as an address that is in use."""
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    tls = ["--cert", str(nothing), "--key", str(nothing)]
    refused = CliRunner().invoke(app, ["certify", *tls])

    assert 2 == refused.exit_code
    assert "PEM files" in refused.output


def test_our_machine_passes_over_a_socket(tmp_path: Path) -> None:
    """The examiner, gRPC, the machine, and both files of the report."""
    report = tmp_path / "folder" / "ours"
    rules = ["--only", "strange-code", "--only", "hello", "--only", "numbers"]
    result = CliRunner().invoke(app, ["certify", "--reference", "--report", str(report), *rules])

    assert 0 == result.exit_code, result.output
    assert "VM-0001: 3 pass, 0 fail, 0 not tried" in result.output
    assert "PASS" == json.loads(report.with_name("ours.json").read_text())["outcome"]
    assert "VM-0001" in report.with_name("ours.html").read_text()


def test_a_terminal_is_not_the_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it says of itself, and of what it does not do, moves no cursor."""
    evil = "VM\x1b]0;owned\x07\n\u202epass"
    verdict = untried(f"the machine refused the test vend: {evil}")
    judged = Judged(chosen_rules(["test-vend-once"])[0], verdict, 0, 0)
    examined = Examined(findings=(judged,), moments=(), machine_id=evil, firmware=evil)

    command._say(judged)
    command._write(tmp_path / "certify", examined, dt.datetime(2026, 11, 30, tzinfo=dt.UTC))

    told = capsys.readouterr().out
    assert 2 == told.count("\n")
    assert told.replace("\n", "").isprintable()


def test_a_flood_leaves_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found until then is told; the rest is not tried."""
    monkeypatch.setattr(desk, "MOMENTS_MAX", 30)
    report = tmp_path / "flood"
    rules = [f"--only={name}" for name in ("strange-code", "move", "hello")]
    result = CliRunner().invoke(app, ["certify", "--reference", "--report", str(report), *rules])

    assert 3 == result.exit_code, result.output
    assert "floods the examiner" in result.output
    assert "NOT_TRIED" == json.loads(report.with_name("flood.json").read_text())["outcome"]
