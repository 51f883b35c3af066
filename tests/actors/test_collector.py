"""A process that serves looks for garbage seldom, but it does. Each test is a program of its own:
the collector is its process's, and this one holds thousands of tests.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from actors import collector

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "import gc; from actors import collector; before = gc.get_threshold();"


def run(program: str) -> str:
    """Return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", f"{BEFORE}\n{program}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_what_is_loaded_is_left_alone() -> None:
    """While it serves; afterwards everything is as before."""
    program = """
with collector.seldom():
    print(gc.get_threshold(), gc.get_freeze_count() > 0)
print(before == gc.get_threshold(), gc.get_freeze_count())
"""
    assert f"{collector.THRESHOLDS} True\nTrue 0" == run(program)


def test_what_was_left_alone_before_stays_so() -> None:
    """Who did so goes on to want it."""
    program = """
gc.freeze()
alone = gc.get_freeze_count()
with collector.seldom():
    pass
print(gc.get_freeze_count() >= alone > 0)
"""
    assert "True" == run(program)


@pytest.mark.parametrize("error", ["ValueError", "KeyboardInterrupt"])
def test_an_error_ends_it_too(error: str) -> None:
    """Whatever the process does afterwards."""
    program = f"""
try:
    with collector.seldom():
        raise {error}
except {error}:
    print(before == gc.get_threshold())
"""
    assert "True" == run(program)


def test_cycles_are_still_found() -> None:
    """A process that makes them does not grow for ever."""
    program = """
class Knot:
    def __init__(self):
        self.me = self

with collector.seldom():
    passes = gc.get_stats()[0]["collections"]
    for _ in range(2 * collector.THRESHOLDS[0]):
        Knot()
    print(gc.get_stats()[0]["collections"] > passes)
    found = sum(isinstance(each, Knot) for each in gc.get_objects())
    print(found < 2 * collector.THRESHOLDS[0])
"""
    assert "True\nTrue" == run(program)
