"""What the command lines have in common."""

import argparse
from pathlib import Path

import pytest
import structlog

from gateway.simulator.arguments import log_to_stderr, machine_arguments, token_of


def test_a_folder_is_all_that_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The rest has defaults for a gateway on this computer, without TLS; without a folder nothing
    starts.
    """
    parser = argparse.ArgumentParser()
    machine_arguments(parser)
    told = parser.parse_args(["--state-dir", "here"])

    assert {
        "gateway": "127.0.0.1:7443",
        "state_dir": Path("here"),
        "seed": 1,
        "ca": None,
        "cert": None,
        "key": None,
        "enrol": "",
        "token_file": None,
    } == vars(told)
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "--state-dir" in capsys.readouterr().err


def test_logs_leave_stdout_to_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """A log line goes to stderr, and stdout stays empty."""
    before = structlog.get_config()
    try:
        log_to_stderr()
        structlog.get_logger().info("a machine speaks")
    finally:
        structlog.configure(**before)
    written = capsys.readouterr()

    assert "" == written.out
    assert "a machine speaks" in written.err


def test_a_token_may_be_gone(tmp_path: Path) -> None:
    """A machine that was enrolled needs none; each machine has its own."""
    (tmp_path / "VM-1.token").write_text("ABCD\n")
    path = tmp_path / "{machine_id}.token"
    assert ["ABCD", "", ""] == [
        token_of("VM-1", path),
        token_of("VM-2", path),
        token_of("VM-1", None),
    ]
