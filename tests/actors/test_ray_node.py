"""The Ray of a program of its own ends with the program, however that ends and however Ray is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors import ray_node
from tests.support.file_store import FileStore
from tests.support.patience import HANGS_AFTER_S
from tests.support.processes import alive, command_line, descendants

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
    ),
]

PROGRAM = """
import asyncio, sys, time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from actors.ray_host import RayHosts
from actors.ray_node import RaySettings, start_ray, stop_ray
settings = RaySettings(run_dir=Path(sys.argv[1]))
start_ray(settings)
async def main():
    factory = "tests.support.ray_services:open_host_services"
    hosts = await RayHosts.open(settings, factory=factory, factory_argument=sys.argv[2])
    print("pids", *(await hosts.pids()).values(), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    # That of a whole demo by kill -9 is in the suite (tests/e2e/test_endings.py).
    "how",
    [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)],
)
def test_a_program_that_ends_leaves_no_process_behind(tmp_path: Path, how: signal.Signals) -> None:
    """However the driver ends, its Ray ends with it; and nothing but its own words is on its
    output.
    """
    FileStore(tmp_path / "store").write()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "run"), str(tmp_path / "store")],
        stdout=subprocess.PIPE,
        text=True,
        env={**clean, "PYTHONPATH": str(Path.cwd()), "HOME": str(tmp_path)},
    )
    assert program.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("pids"):
        lines.append(program.stdout.readline())
        assert lines[-1], lines
    host = int(lines[-1].split()[1])
    family = descendants(program.pid)
    names = {pid: command_line(pid).replace(b"\0", b" ").decode() for pid in family}
    assert host in family
    program.send_signal(how)
    program.wait(HANGS_AFTER_S)
    program.stdout.close()
    # After kill -9 two agents of Ray's look for their head for up to a minute before they end; all
    # that could act ends at once.
    agents = {pid for pid in family if "Agent" in names[pid]} if how == signal.SIGKILL else set()
    deadline = time.monotonic() + HANGS_AFTER_S
    while (
        left := [names[pid] for pid in family if pid not in agents and alive(pid)]
    ) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert [] == left
    assert not (tmp_path / ".ray").exists()


FREEZER = """
import os, signal, sys, time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from ray._private import worker
from actors import ray_node
from actors.ray_node import RaySettings, start_ray, stop_ray
ray_node._STOP_TIMEOUT_S = 1.0
start_ray(RaySettings(run_dir=Path(sys.argv[1])))
(process,) = worker._global_node.all_processes[sys.argv[2]]
print(f"frozen {process.process.pid}", flush=True)
os.kill(process.process.pid, signal.SIGSTOP)
stop_ray()
print("stopped", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("frozen", ["gcs_server", "raylet"])
def test_a_ray_that_hangs_is_killed(tmp_path: Path, frozen: str) -> None:
    """Ray's own shutdown would wait for ever for a part of it that does not answer.

    Once its GCS is killed, Ray's client in our process may be quicker than we, and end it by itself
    with status 1: then nobody says "stopped", and what was frozen is gone all the same.
    """
    program = subprocess.run(
        [sys.executable, "-c", FREEZER, str(tmp_path / "run"), frozen],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        timeout=HANGS_AFTER_S,
    )
    said = program.stdout.splitlines()
    by_ray = frozen == "gcs_server" and program.returncode == 1
    assert by_ray or (0, "stopped") == (program.returncode, said[-1])
    pid = next(int(line.split()[1]) for line in said if line.startswith("frozen "))
    until = time.monotonic() + HANGS_AFTER_S
    while not _is_gone(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert _is_gone(pid)


def _is_gone(pid: int) -> bool:
    """Whether the process runs no more; its parent, or init, may not have noticed yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in {"Z", "X"}


def test_a_ray_that_does_not_come_up_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Ray raises: of a computer that is too slow it raises a bare Exception."""

    def too_slow(**_: object) -> None:
        raise Exception("the node timed out")  # noqa: TRY002 - it is what Ray raises

    monkeypatch.setattr("ray.init", too_slow)
    with pytest.raises(RuntimeError, match="the node timed out"):
        ray_node.start_ray(ray_node.RaySettings(run_dir=tmp_path, address="127.0.0.1:1"))


def test_a_ray_is_lost_with_what_it_cannot_be_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its GCS and its raylet, by name; not with an agent that ended."""

    def processes(*ended: str) -> list[tuple[str, Any]]:
        names = ("gcs_server", "raylet", "dashboard")
        return [
            (name, SimpleNamespace(poll=lambda name=name: 9 if name in ended else None))
            for name in names
        ]

    for ended, told in (
        ((), ""),
        (("dashboard",), ""),
        (("gcs_server",), "gcs_server"),
        (("raylet", "gcs_server"), "gcs_server, raylet"),
    ):
        monkeypatch.setattr(ray_node, "_processes", lambda ended=ended: processes(*ended))
        assert told == ray_node.lost()
