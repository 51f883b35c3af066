"""The bench, as a person runs it, with five machines for a second."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.patience import HANGS_AFTER_S
from tests.support.processes import alive, descendants

ROOT = Path(__file__).resolve().parents[2]
BENCH = [sys.executable, "-m", "gateway", "bench", "--quick", "--setting", "no-ray"]
FEW = ["--machines", "5", "--connected", "15", "--seconds", "1", "--rounds", "1"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


def test_every_measurement_has_its_figure(tmp_path: Path) -> None:
    """Status 0, a table, and files; no folder and no process is left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [*BENCH, *FEW, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
    )

    assert 0 == done.returncode, done.stderr.decode()
    written = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [] == written["failures"]
    assert {"no-ray", "echo"} == set(written["figures"])
    found = written["figures"]["no-ray"]
    for name in (
        "vends a second",
        "CPU a vend",
        "registrations a second",
        "cold start to first vend",
        "storm until the last Welcome",
        "payment to BeginSession, p50",
        "approval, half load, p99",
        "approval, fleet's load, p50",
    ):
        assert found[name]["value"] > 0, name
    assert written["ratios"]["vends/s, no-ray : echo"]["value"] > 0
    assert b"vends a second" in done.stdout
    assert [] == list(scratch.glob("vendgate-bench-*"))


def test_an_interrupted_bench_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C ends all its processes in order and removes its folder."""
    bench = subprocess.Popen(
        [*BENCH, *FEW],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert bench.stderr is not None
    lines = iter(bench.stderr.readline, "")
    assert any("registering" in line for line in lines)
    started = descendants(bench.pid)
    assert len(started) >= 3

    bench.send_signal(signal.SIGINT)
    status = bench.wait(HANGS_AFTER_S)
    bench.stderr.close()

    assert 130 == status
    until = time.monotonic() + HANGS_AFTER_S
    while any(alive(pid) for pid in started) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in started)
    assert [] == list(tmp_path.glob("vendgate-bench-*"))
