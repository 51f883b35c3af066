"""The demo's folder: held while it runs, and removed by the next one if its maker was killed."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway.demo.folder import own_folder


def test_what_a_killed_demo_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never what a living one holds, what was kept or copied as evidence, or what is not ours."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "vg-somebody").mkdir()
    with own_folder() as kept:
        pass
    program = (
        "import os, signal, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from gateway.demo.folder import own_folder\n"
        "with own_folder() as path:\n"
        "    print(path, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with own_folder() as held:
        killed = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        left = Path(killed.stdout.strip())
        assert left.is_dir()
        copied = Path(shutil.copytree(left, tmp_path / "vg-copied"))
        with own_folder() as new:
            there = {held, kept, new, copied, tmp_path / "vg-somebody"}
            assert there == set(tmp_path.iterdir())
