"""The topology of production as processes on one computer: however it ends, nothing is left."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway.demo.cluster.blows import BlowKind
from gateway.demo.cluster.system import wanting
from tests.support.patience import HANGS_AFTER_S
from tests.support.processes import alive, descendants, gone

ROOT = Path(__file__).resolve().parents[2]
GONE_WITHIN_S = 120

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(bool(wanting()), reason="; ".join(wanting())),
    pytest.mark.xdist_group("postgres"),
]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
async def test_it_leaves_no_process_and_no_folder(how: signal.Signals) -> None:
    """Not even when it is killed while machines sell."""
    # Ray's sockets have short names only.
    with tempfile.TemporaryDirectory(prefix="vgt") as place, tempfile.TemporaryFile() as err:
        Path(place).chmod(0o711)  # noqa: ASYNC240 - PostgreSQL is another user
        cluster = subprocess.Popen(  # noqa: ASYNC220 - it does not wait for the program
            [sys.executable, "-m", "gateway", "cluster", "--machines", "4", "--pace", "1"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": place},
            stdin=subprocess.DEVNULL,
            stdout=err,
            stderr=err,
            start_new_session=True,
        )
        family = [cluster.pid]
        try:
            async with asyncio.timeout(2 * HANGS_AFTER_S):
                while not _selling(Path(place)):
                    assert cluster.poll() is None, err.seek(0) or err.read().decode()
                    await asyncio.sleep(0.1)
            family += descendants(cluster.pid)
            assert 20 < len(family)
            cluster.send_signal(how)

            assert (-how if how is signal.SIGKILL else 0) == await asyncio.to_thread(
                cluster.wait, GONE_WITHIN_S
            )
            assert [] == await gone(family, GONE_WITHIN_S)
            assert [] == list(Path(place).iterdir())  # noqa: ASYNC240 - nothing else runs here
        finally:
            for pid in family:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)


def _selling(place: Path) -> bool:
    shelves = place.glob("vg-*/machines/*/shelf.log")
    return any("turn" in shelf.read_text() for shelf in shelves)


async def test_the_books_agree_after_chaos() -> None:
    """Each kind of blow once, over a few machines: each part comes back, and ledger, Alipay's book
    and the machines' shelves tell one story. Nothing is said of how soon.
    """
    with tempfile.TemporaryDirectory(prefix="vgt") as place:
        Path(place).chmod(0o711)  # noqa: ASYNC240 - PostgreSQL is another user
        done = await asyncio.to_thread(
            subprocess.run,
            [
                *(sys.executable, "-m", "gateway", "cluster", "--machines", "12"),
                *("--pace", "1", "--seed", "7", "--chaos", "1"),
            ],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": place},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        for kind in BlowKind:
            assert kind is BlowKind.NODE_CUT or f"\n{kind.value} " in done.stdout
        assert "shelves agree" in done.stdout
        assert [] == list(Path(place).iterdir())  # noqa: ASYNC240 - nothing else runs here
