"""The bench, as a person runs it, with five machines for a second."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import HANGS_AFTER_S
from tests.support.processes import alive, descendants

ROOT = Path(__file__).resolve().parents[2]
BENCH = [sys.executable, "-m", "gateway", "bench", "--quick", "--setting", "no-ray"]
FEW = ["--machines", "5", "--connected", "15", "--seconds", "1", "--rounds", "1"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


def measured(tmp_path: Path, *more: str) -> dict[str, Any]:
    """Run it; return what it wrote. Status 0, and no folder of it is left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [*BENCH, *FEW, *more, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
    )

    assert 0 == done.returncode, done.stderr.decode()
    assert b"vends a second" in done.stdout
    assert [] == list(scratch.glob("vendgate-bench-*"))
    written: dict[str, Any] = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [] == written["failures"]
    assert {"no-ray", "echo"} == set(written["figures"])
    assert written["ratios"]["vends/s, no-ray : echo"]["value"] > 0
    return written


@pytest.mark.slow
def test_every_measurement_has_its_figure(tmp_path: Path) -> None:
    """None is left out where nothing is asked for."""
    found = measured(tmp_path)["figures"]["no-ray"]

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


@pytest.mark.slow
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
