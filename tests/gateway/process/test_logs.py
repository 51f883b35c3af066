"""Logging for a process: one kind of line, whoever writes it, and nothing that must not be
written.
"""

import io
import json
import logging
import os
import stat
import sys
from pathlib import Path

import pytest
import structlog

from gateway.process import logs


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_are_json_whoever_writes_them() -> None:
    """Our loggers and the standard library's end in the same shape, with level, time and names."""
    stream = io.StringIO()
    logs.set_up(level="info", line_format="json", stream=stream)
    structlog.get_logger("gateway.alipay.notify").info(
        "notification saved", machine_id="VM-1", amount_minor=500
    )
    logging.getLogger("somebody").warning("disk %s", "full")
    ours, theirs = _lines(stream)
    assert ("notification saved", "info", "VM-1", 500) == (
        ours["message"],
        ours["level"],
        ours["machine_id"],
        ours["amount_minor"],
    )
    assert ("disk full", "warning", "somebody") == (
        theirs["message"],
        theirs["level"],
        theirs["logger"],
    )
    assert str(ours["timestamp"]).endswith("Z")


def test_the_level_holds_for_all() -> None:
    """Below the level nothing is written; chatty libraries are held back one more."""
    stream = io.StringIO()
    logs.set_up(level="info", line_format="json", stream=stream)
    structlog.get_logger().debug("not this")
    logging.getLogger("alembic.runtime.migration").info("nor this")
    logging.getLogger("alembic").error("but this")
    assert ["but this"] == [line["message"] for line in _lines(stream)]


def test_a_forgotten_secret_is_cut_out() -> None:
    """A caller's mistake does not become a leak."""
    stream = io.StringIO()
    logs.set_up(level="info", line_format="json", stream=stream)
    structlog.get_logger().info("oops", sign="abc", buyer_id="2088", private_key="pem", kept="yes")
    (line,) = _lines(stream)
    assert ("***", "***", "***", "yes") == (
        line["sign"],
        line["buyer_id"],
        line["private_key"],
        line["kept"],
    )


@pytest.mark.parametrize(
    "name", ["buyer_id", "alipay_buyer_login_id", "Buyer_Phone", "payer_id", "payer_salt"]
)
def test_no_field_that_names_a_buyer_is_logged(name: str) -> None:
    """Whatever a notification calls it, nor the number that stands for them."""
    stream = io.StringIO()
    logs.set_up(level="info", line_format="json", stream=stream)
    structlog.get_logger().info("oops", **{name: "2088000000000009"})
    assert "2088000000000009" not in stream.getvalue()


def test_an_exception_is_in_its_line() -> None:
    """A traceback is data in JSON and text on a console, and does not show local values."""
    secret = "hunter2"  # noqa: F841 - must not be shown
    for line_format in ("json", "console"):
        stream = io.StringIO()
        logs.set_up(level="info", line_format=line_format, stream=stream)
        try:
            int("broken")
        except ValueError:
            structlog.get_logger().exception("failed")
        assert "ValueError" in stream.getvalue()
        assert "hunter2" not in stream.getvalue()


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is a script's; standard error is what it is at the time of writing."""
    logs.set_up(level="info", line_format="console")
    structlog.get_logger().info("before")
    old, sys.stderr = sys.stderr, io.StringIO()
    structlog.get_logger().info("elsewhere")
    sys.stderr = old
    told = capsys.readouterr()
    assert "before" in told.err
    assert "elsewhere" not in told.err
    assert "" == told.out


@pytest.mark.parametrize("line_format", ["json", "console"])
def test_no_text_turns_a_line_around_or_tells_a_password(line_format: str) -> None:
    """Of a machine, of a person, of a driver, and in a traceback."""
    stream = io.StringIO()
    logs.set_up(level="info", line_format=line_format, stream=stream)
    log = structlog.get_logger("somebody")
    log.info("stream opened", firmware="1.0\u202e\x1b[2J", url="postgresql://a:geheim@db/v")
    error = OSError("no way to https://me:geheim@host/?password=geheim")
    log.error("it failed", exc_info=error)
    told = stream.getvalue()
    assert not {"\u202e", "\x1b"} & set(told)
    assert "u202e" not in told
    assert "u001b" not in told
    assert "geheim" not in told
    assert "postgresql://a:***@db/v" in told
    assert "https://me:***@host/?password=***" in told


def test_a_host_writes_to_its_file_and_says_who_it_is(tmp_path: Path) -> None:
    """At the end of what others wrote there, for its owner alone, and into a new file once the old
    one was moved away.
    """
    path = tmp_path / "hosts.log"
    for host in ("vendgate-host-0", "vendgate-host-1"):
        logs.set_up(level="info", line_format="json", path=path, host=host)
        structlog.get_logger().info("host serves")
    path.rename(tmp_path / "hosts.log.1")
    logging.getLogger("somebody").warning("disk full")
    first, second = _lines(io.StringIO((tmp_path / "hosts.log.1").read_text()))
    (third,) = _lines(io.StringIO(path.read_text()))
    close_handlers()

    assert ["vendgate-host-0", "vendgate-host-1", "vendgate-host-1"] == [
        line["host"] for line in (first, second, third)
    ]
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_file_that_cannot_be_opened_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All goes to standard error then, and that is said first."""
    logs.set_up(level="info", line_format="json", path=tmp_path / "no" / "hosts.log")
    structlog.get_logger().info("host serves")
    problem, line = _lines(io.StringIO(capsys.readouterr().err))

    assert str(problem["message"]).endswith("No such file or directory")
    assert ("error", "host serves") == (problem["level"], line["message"])


def test_a_path_that_no_file_can_have_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The setting is a text, in which anything may stand."""
    logs.set_up(level="info", line_format="json", path=tmp_path / "hosts\0.log")
    (problem,) = _lines(io.StringIO(capsys.readouterr().err))

    assert str(problem["message"]).endswith("embedded null byte")


def test_a_file_whose_folder_goes_away_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines go to standard error meanwhile, and into the file once there can be one again."""
    path = tmp_path / "logs" / "hosts.log"
    path.parent.mkdir()
    logs.set_up(level="info", line_format="json", path=path)
    path.parent.rename(tmp_path / "moved")
    structlog.get_logger().info("machine loaded")
    structlog.get_logger().info("machine halted")
    path.parent.mkdir()
    structlog.get_logger().info("machine released")
    lines = _lines(io.StringIO(capsys.readouterr().err))
    (line,) = _lines(io.StringIO(path.read_text()))
    close_handlers()

    assert ["machine loaded", "machine halted"] == [one["message"] for one in lines]
    assert "machine released" == line["message"]


def test_a_full_disk_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither who says something, nor who sets up logging anew."""
    logs.set_up(level="info", line_format="json", path=Path("/dev/full"))
    structlog.get_logger().info("host serves")
    logs.set_up(level="info", line_format="json")
    (line,) = _lines(io.StringIO(capsys.readouterr().err))

    assert "host serves" == line["message"]


def test_a_pipe_that_nobody_reads_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Opening it would wait for a reader for ever."""
    os.mkfifo(tmp_path / "hosts.log")
    logs.set_up(level="info", line_format="json", path=tmp_path / "hosts.log")
    structlog.get_logger().info("host serves")
    problem, line = _lines(io.StringIO(capsys.readouterr().err))

    assert str(problem["message"]).endswith("No such device or address")
    assert "host serves" == line["message"]


def close_handlers() -> None:
    """Let go of the files."""
    for handler in logging.getLogger().handlers:
        handler.close()
