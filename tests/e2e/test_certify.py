"""docs/certify.md works as printed: the examiner and a machine as processes, a program as hands.

Only the port is changed, so that tests can run beside each other.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo import stage
from tests.e2e.typed import BLOCK, ROOT, environment

PAGE = (ROOT / "docs" / "certify.md").read_text()
SHELL = "/bin/bash"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@contextlib.contextmanager
def terminal(block: str, folder: Path, surroundings: dict[str, str]) -> Iterator[None]:
    """What somebody types in a terminal of its own, until the end."""
    with (folder / "machine.txt").open("wb") as shown:
        process = subprocess.Popen(
            [SHELL, "-c", block],
            cwd=folder,
            env=surroundings,
            stdout=shown,
            stderr=shown,
            start_new_session=True,
        )
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def test_a_program_works_a_machine_that_is_examined(tmp_path: Path) -> None:
    """The page's hands, machine and examiner: what they can show passes, the rest is not tried."""
    port = str(stage.free_ports().machines)
    _, _, hands, machine, examiner = (
        block.replace("127.0.0.1:7443", f"127.0.0.1:{port}") for block in BLOCK.findall(PAGE)
    )
    surroundings = {**environment(tmp_path / "tools", {}), "PYTHONPATH": str(ROOT)}
    subprocess.run([SHELL, "-c", hands], cwd=tmp_path, env=surroundings, check=True)

    with terminal(f"{machine.rstrip()} --screen-port 0", tmp_path, surroundings):
        call = examiner.rstrip() + f" --listen 127.0.0.1:{port}"
        done = subprocess.run(
            [SHELL, "-c", call], cwd=tmp_path, env=surroundings, capture_output=True, text=True
        )

    assert 3 == done.returncode, done.stdout + done.stderr
    told = json.loads((tmp_path / "certify.json").read_text())
    assert {
        "pay-first": "PASS",
        "resend": "PASS",
        "journal-result": "PASS",
        "journal-lost": "NOT_TRIED",
        "numbers": "PASS",
    } == {rule["name"]: rule["outcome"] for rule in told["rules"]}
    shown = [line for line in PAGE.splitlines() if line.startswith(("pass ", "not tried "))]
    assert [line for line in done.stdout.splitlines() if line.startswith("not tried ")] == [
        line for line in shown if line.startswith("not tried ")
    ]
