"""Folders of books that are thrown away leave nothing behind."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from alipay_client.simulator.book import Book
from alipay_client.simulator.scratch import scratch

KILLED = """
import os, signal
from alipay_client.simulator.book import Book
book = Book.open(None, now_ms=1)
print(book.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files lie meanwhile."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_it_goes_with_its_book() -> None:
    """At once, and nobody else's goes."""
    one, other = Book.open(None, now_ms=1), Book.open(None, now_ms=1)
    ours, theirs = one.path.parent, other.path.parent
    del one
    assert (False, True) == (ours.exists(), theirs.exists())
    del other
    assert not theirs.exists()


def test_what_a_killed_program_left_goes_with_the_next_one(place: Path) -> None:
    """What is not locked yet, or is another program's, stays."""
    new, strange = place / "pretend-alipay-new", place / "pretend-alipay-link"
    new.mkdir()
    strange.symlink_to(new)
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True)
    assert -signal.SIGKILL == done.returncode
    left = Path(done.stdout.strip()).parent
    assert left.is_dir()
    here = scratch()
    assert {here.path, new, strange} == set(place.iterdir())
    here.remove()
