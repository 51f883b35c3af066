"""Whoever made a folder and was killed leaves none."""

import subprocess
import sys
from pathlib import Path

from gateway.demo.cluster.janitor import PROGRAM, clear
from tests.support.patience import HANGS_AFTER_S


def test_the_folder_goes_when_its_maker_is_gone(tmp_path: Path) -> None:
    """The end of the lifeline is the maker's end."""
    folder = tmp_path / "vg-1"
    folder.mkdir()
    (folder / "file").touch()
    janitor = subprocess.Popen(
        [*PROGRAM, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert janitor.stdout is not None
    janitor.stdout.readline()
    assert folder.exists()
    janitor.communicate(timeout=HANGS_AFTER_S)

    assert 0 == janitor.returncode
    assert not folder.exists()


def test_a_maker_that_ends_in_order_keeps_its_folder(tmp_path: Path) -> None:
    """It ends the janitor, and decides by itself."""
    janitor = subprocess.Popen(
        [*PROGRAM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert janitor.stdout is not None
    janitor.stdout.readline()
    janitor.terminate()
    janitor.communicate(timeout=HANGS_AFTER_S)
    assert tmp_path.exists()


def test_who_stays_is_ended_first(tmp_path: Path) -> None:
    """A process that lives in the folder for too long."""
    folder = tmp_path / "vg-2"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"],
        cwd=folder,
        stdout=subprocess.PIPE,
    ) as lodger:
        assert lodger.stdout is not None
        lodger.stdout.readline()
        clear(folder, patience_s=0.1)
        assert -9 == lodger.wait(HANGS_AFTER_S)
    assert not folder.exists()
