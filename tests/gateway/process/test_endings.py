"""How commands end."""

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from actors.ports import StoreError
from gateway.process.endings import sentences
from gateway.process.refusals import SettingsRefused
from tests.support.patience import HANGS_AFTER_S

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (SettingsRefused(("one", "two")), 2, "one\ntwo\n"),
        (StoreError("no database"), 3, "no database\n"),
        (FileNotFoundError(2, "No such file", "x"), 3, "x cannot be used (No such file).\n"),
        (
            OSError(28, "No space left on device"),
            3,
            "What it writes has no room (No space left on device): make some, then do it again.\n",
        ),
        (KeyboardInterrupt(), 130, "Ended by SIGINT before it was done: {}.\n"),
    ],
)
def test_what_a_person_can_mend_is_a_sentence(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings end with 2, whatever the command; all else with the status that it names."""
    with pytest.raises(typer.Exit) as ended, sentences(trouble=3):
        raise error
    said = said.format("what it had begun can be done again")
    assert (status, said) == (ended.value.exit_code, capsys.readouterr().err)


def test_a_defect_shows_where_it_is() -> None:
    """It is no sentence for a person."""
    with pytest.raises(ZeroDivisionError), sentences():
        raise ZeroDivisionError


SLEEPS, WAITS = "time.sleep(90)", "asyncio.run(asyncio.sleep(90))"
IGNORES = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
ENDED = (
    ("SIGTERM", SLEEPS, ""),
    ("SIGINT", WAITS, ""),
    ("SIGHUP", WAITS, IGNORES),
    ("SIGQUIT", SLEEPS, IGNORES),
)
"""Each signal, each work and each surrounding; every one with every other in ``make soak``."""
THE_REST = (
    case
    for case in itertools.product(
        ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"), (SLEEPS, WAITS), ("", IGNORES)
    )
    if case not in ENDED and (case[0], case[2]) != ("SIGINT", IGNORES)
)


@pytest.mark.parametrize(
    ("name", "works", "ignores"),
    [*ENDED, *(pytest.param(*case, marks=pytest.mark.slow) for case in THE_REST)],
)
def test_a_signal_ends_a_command_with_a_sentence(name: str, works: str, ignores: str) -> None:
    """Whatever it is doing, also where Ctrl-C is ignored, as in the background."""
    # Whoever runs the tests may ignore it, and the child would with them.
    ignores = ignores or "signal.signal(signal.SIGINT, signal.default_int_handler)"
    ended = _ran(
        "import asyncio, signal, sys, threading, time, typer\n"
        "from gateway.process.endings import sentences\n"
        f"{ignores}\n"
        "me = threading.main_thread().ident\n"
        "try:\n"
        "    with sentences():\n"
        f"        threading.Timer(0.2, signal.pthread_kill, (me, signal.{name})).start()\n"
        f"        {works}\n"
        "except typer.Exit as ended:\n"
        "    sys.exit(ended.exit_code)\n"
    )
    said = f"Ended by {name} before it was done: what it had begun can be done again.\n"
    assert (128 + signal.Signals[name], "", said) == (ended.returncode, ended.stdout, ended.stderr)


def test_a_second_signal_ends_it_at_once() -> None:
    """It may hang in what cannot be ended in order."""
    ended = _ran(
        "import signal\n"
        "from gateway.process.endings import sentences\n"
        "with sentences():\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "    finally:\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "        print('still here')\n"
    )
    assert (-signal.SIGTERM, "", "") == (ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    ("ends", "lines"),
    [
        ("", 100_000),
        ("raise typer.Exit(0)", 1),
        pytest.param("", 1, marks=pytest.mark.slow),
        pytest.param("raise typer.Exit(0)", 100_000, marks=pytest.mark.slow),
    ],
)
def test_whoever_closes_the_pipe_has_read_enough(ends: str, lines: int) -> None:
    """Neither a sentence nor a success: what was not read may have been a finding."""
    ended = _ran(
        "import os, sys, typer\n"
        "from gateway.process.endings import sentences\n"
        "reads, writes = os.pipe()\n"
        "os.close(reads)\n"
        "os.dup2(writes, 1)\n"
        "try:\n"
        "    with sentences():\n"
        f"        for _ in range({lines}):\n"
        "            print('a line')\n"
        f"        {ends}\n"
        "except typer.Exit as ended:\n"
        "    sys.exit(ended.exit_code)\n"
    )
    assert (128 + signal.SIGPIPE, "") == (ended.returncode, ended.stderr)


def test_another_broken_pipe_is_told_of() -> None:
    """Standard output is still read."""
    with pytest.raises(typer.Exit) as ended, sentences(trouble=3):
        raise BrokenPipeError(32, "Broken pipe")
    assert 3 == ended.value.exit_code


def _ran(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_AFTER_S,
    )
