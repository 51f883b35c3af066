"""The demo, as a visitor runs it: one command, real processes, and both books agree at the end."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "gateway", "demo"]
NOBODY = "http://127.0.0.1:9"
ASKED_FOR = {
    "vends_succeeded",
    "vends_failed",
    "vends_denied",
    "topups",
    "refunds",
    "money_in",
    "money_sold",
    "money_refunded",
    "money_held",
    "ledger_balanced",
    "books_agree",
    "audit_clean",
    "duration_s",
}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


def processes_naming(folder: Path) -> list[str]:
    """Command lines of living processes that name the demo's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and entry.parent.name != str(os.getpid()):
            found.append(words)
    return found


def test_the_books_agree_after_so_many_sales(tmp_path: Path) -> None:
    """Status 0 and one JSON object whose money adds up; no process is left. Each machine comes from
    its box with a token and without a certificate. A proxy that the environment names is not asked,
    and the folder may have any name.
    """
    folder = tmp_path / "a demo 😀"
    done = subprocess.run(
        [
            *DEMO,
            "--sales",
            "20",
            "--seed",
            "7",
            "--json",
            "--no-ray",
            "--keep",
            str(folder),
        ],
        cwd=ROOT,
        env={**os.environ, "http_proxy": NOBODY, "https_proxy": NOBODY, "all_proxy": NOBODY},
        capture_output=True,
    )

    assert 0 == done.returncode, done.stderr.decode()
    report = json.loads(done.stdout)
    assert set(report) >= ASKED_FOR
    assert report["books_agree"]
    assert report["ledger_balanced"]
    assert report["audit_clean"]
    assert report["vends_succeeded"] >= 20
    assert report["refunds"] > 0
    # What the children say about their business is in their logs; the line that says "ready" is
    # alone, so that no reader is needed.
    for name in ("alipay", "gateway", "machines"):
        assert 1 == len((folder / f"{name}.out").read_text().splitlines())
    with closing(sqlite3.connect(folder / "vendgate.db")) as books:
        asked = "SELECT count(*) FROM audit WHERE action = 'MachineEnrolled'"
        assert 12 == books.execute(asked).fetchone()[0]
        asked = "SELECT count(*) FROM machine_certificates WHERE used_at_ms IS NOT NULL"
        assert 12 == books.execute(asked).fetchone()[0]
    for identity in (folder / "machines").glob("*/identity.json"):
        assert 0o600 == identity.stat().st_mode & 0o777
    assert "customer left" in (folder / "machines.log").read_text()
    assert (
        report["money_in"]
        == report["money_sold"]
        + report["money_refunded"]
        + report["refunds_written_off"]
        - report["goods_written_off"]
    )
    assert [] == processes_naming(folder)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_it_goes_on_selling(tmp_path: Path) -> None:
    """A demo that is left alone sells three times as much as the children's words would once fill a
    pipe.
    """
    command = [*DEMO, "--sales", "1500", "--json", "--no-ray", "--keep", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=1_500)

    assert 0 == done.returncode, done.stderr.decode()
    assert json.loads(done.stdout)["books_agree"]
    assert [] == processes_naming(tmp_path)


@pytest.mark.slow
@pytest.mark.ray
async def test_the_books_agree_although_the_ray_host_is_killed_in_the_middle(
    tmp_path: Path,
) -> None:
    """Somebody kills the host's process from outside; the demo goes on and its books agree."""
    demo = await asyncio.create_subprocess_exec(
        *DEMO,
        *("--sales", "20", "--seed", "7", "--json", "--keep", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert demo.stderr is not None
    told = json.loads(await demo.stderr.readline())
    journal = tmp_path / "machines"
    while not list(journal.glob("*/shelf.log")):  # machines are there: business has begun
        await asyncio.sleep(0.2)
    (host,) = told["host_pids"]
    os.kill(host, signal.SIGKILL)
    stdout, stderr = await demo.communicate()

    assert 0 == demo.returncode, stderr.decode()
    assert json.loads(stdout)["books_agree"]


def test_ctrl_c_ends_it_cleanly_within_seconds(tmp_path: Path) -> None:
    """SIGINT in the middle of business: status 0, and no process is left."""
    command = [*DEMO, "--json", "--no-ray", "--keep", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        assert demo.stderr is not None
        demo.stderr.readline()
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=120)

    assert demo.returncode in {0, 130}
    assert [] == processes_naming(tmp_path)
