"""A process that is held by a pipe ends when the other end is gone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.patience import HANGS_AFTER_S
from tests.support.processes import gone

HELD = """
import signal, sys, time
from gateway.process import lifeline
{setting}
lifeline.hold()
print("held", flush=True)
while True:
    signal.pause()
"""
STUBBORN = """
lifeline.HURRY_AFTER_S = lifeline.KILL_AFTER_S = 0.05
signal.signal(signal.SIGTERM, lambda *_: None)
"""
KILLED_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def program(*command: str) -> Iterator["subprocess.Popen[str]"]:
    """A process in a group of its own whose standard input and output are ours."""
    words = [sys.executable, "-c", *command]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("setting", "status"), [("", -signal.SIGTERM), (STUBBORN, -signal.SIGKILL)]
)
def test_the_end_of_the_pipe_ends_the_process(setting: str, status: int) -> None:
    """First with SIGTERM, so that it can stop in order; a process that does not is killed. Bytes in
    the pipe mean nothing.
    """
    with program(HELD.format(setting=setting)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert "held\n" == process.stdout.readline()
        process.stdin.write("a line\n")
        process.stdin.flush()
        assert process.poll() is None
        process.stdin.close()

        assert status == process.wait(HANGS_AFTER_S)


async def test_kill_9_of_the_parent_ends_the_child() -> None:
    """Nobody has to say anything: the kernel closes a dead program's files."""
    with program(KILLED_PARENT, HELD.format(setting="")) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert "held\n" == process.stdout.readline()
        process.kill()
        process.wait()
        left = await gone([child], HANGS_AFTER_S)
        if left:
            os.kill(child, signal.SIGKILL)

        assert [] == left
