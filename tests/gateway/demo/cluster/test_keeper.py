"""A program that knows no lifeline ends with whoever started it, and with it all that is its."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.demo.cluster.keeper import PROGRAM, arguments
from gateway.demo.cluster.plan import free_ports
from tests.support.patience import HANGS_AFTER_S, until
from tests.support.processes import alive, descendants, gone

SERVER = """
import socket, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


@contextmanager
def kept(
    *, forget: Path | None = None, stop: signal.Signals = signal.SIGTERM
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A keeper, and the process that it keeps."""
    (port,) = free_ports(1)
    keeper = subprocess.Popen(
        [
            *PROGRAM,
            *arguments(
                [sys.executable, "-c", SERVER, str(port)],
                ready=f"127.0.0.1:{port}",
                forget=forget,
                stop=stop,
            ),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert keeper.stdout is not None
        yield keeper, json.loads(keeper.stdout.readline())["pid"]
    finally:
        keeper.kill()
        keeper.wait()
        for pipe in (keeper.stdin, keeper.stdout):
            assert pipe is not None
            pipe.close()


async def family(pid: int) -> list[int]:
    """The kept process and the one that it has started."""
    await until(lambda: len(descendants(pid)) == 1)
    return [pid, *descendants(pid)]


@pytest.mark.parametrize("how", ["asked", "alone", "killed"])
async def test_all_end_together(how: str) -> None:
    """When the keeper is asked to, when whoever started it is gone, and when the program itself
    dies: then its status is not 0.
    """
    with kept() as (keeper, pid):
        those = await family(pid)
        match how:
            case "asked":
                keeper.terminate()
            case "alone":
                assert keeper.stdin is not None
                keeper.stdin.close()
            case _:
                os.kill(pid, signal.SIGKILL)

        assert [] == await gone(those, HANGS_AFTER_S)
        assert (9 if how == "killed" else 0) == keeper.wait(HANGS_AFTER_S)


async def test_the_program_is_asked_in_its_own_way(tmp_path: Path) -> None:
    """PostgreSQL ends its connections on SIGINT only; and a file is removed before."""
    old = tmp_path / "old"
    old.touch()
    with kept(forget=old, stop=signal.SIGINT) as (keeper, pid):
        assert not old.exists()
        assert alive(pid)
        keeper.terminate()
        assert 0 == keeper.wait(HANGS_AFTER_S)


def test_a_program_that_does_not_start_has_its_own_status() -> None:
    """And nobody is told that it is ready."""
    with subprocess.Popen(
        [*PROGRAM, *arguments([sys.executable, "-c", "exit(7)"], ready="127.0.0.1:1")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as keeper:
        assert 7 == keeper.wait(HANGS_AFTER_S)
        assert keeper.stdout is not None
        assert b"" == keeper.stdout.read()
