"""Whoever sets it up for the first time reads how far it is."""

import io
import subprocess
import sys
import tomllib
from pathlib import Path

from deploy import install

ROOT = Path(__file__).resolve().parents[2]
SAID = (
    "Requirement already satisfied: pip in ./lib (from -r x) (26.0)\n",
    "Collecting grpcio==1.80.0 (from -r x)\n",
    "  Downloading grpcio-1.80.0.whl (6.0 MB)\n",
    "Installing collected packages: grpcio, ray, segno\n",
    "Successfully installed grpcio-1.80.0\n",
)


class Terminal(io.StringIO):
    """A terminal that keeps what it was told."""

    def isatty(self) -> bool:
        return True


def test_pips_lines_are_told_as_steps() -> None:
    """Each package that is found counts, and so do those that are unpacked; while nothing is said,
    the same goes on.
    """
    assert [
        "fetching 1 of at most 57: pip",
        "fetching 2 of at most 57: grpcio",
        "unpacking 3 packages, the longest part",
        "unpacking 3 packages, the longest part",
    ] == list(install.steps(iter((*SAID[:4], "", *SAID[4:])), 57))


def test_a_terminal_has_one_line_that_is_renewed() -> None:
    """Each step takes the place of the one before it; at the end stands how long it took."""
    out = Terminal()
    install.tell("installing", iter(["one", "two"]), out)
    first, *rest = out.getvalue().split("\r\x1b[K")

    assert "installing\n" == first
    assert ["one", "two"] == [text.partition(", ")[2] for text in rest[:2]]
    assert rest[2].endswith(" s in all\n")


def test_a_file_has_a_line_at_the_beginning_and_at_the_end() -> None:
    """And no control characters."""
    out = io.StringIO()
    install.tell("installing", iter(["one", "two"]), out)

    assert "installing ..." == out.getvalue().splitlines()[0]
    assert out.getvalue().splitlines()[-1].endswith(" s in all")
    assert "\x1b" not in out.getvalue()


def test_what_fails_says_why(tmp_path: Path) -> None:
    """The status is pip's, and so are the words."""
    pins = tmp_path / "pins.txt"
    pins.write_text("no package at all\n")
    done = subprocess.run(
        [sys.executable, "deploy/install.py", "installing", str(pins)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert 0 != done.returncode
    assert "no package at all" in done.stderr
    assert done.stdout.startswith("installing ...")


def test_what_builds_the_wheel_is_pinned_wherever_it_is_built() -> None:
    """Another version could make other bytes of the same commit, or be somebody else's."""
    built_with = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    lock = (ROOT / "deploy" / "locks" / "build.txt").read_text()
    pins = [line.partition(" ")[0] for line in lock.splitlines() if not line.startswith(" ")]
    assert set(built_with) < set(pins)
    assert all("==" in pin for pin in pins)
    assert len(pins) <= lock.count("--hash=sha256:")
    steps = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    installs = [step for step in steps if "pip install" in step and "--no-index" not in step]
    assert 2 == len(installs)
    assert all("--require-hashes -r deploy/locks/" in step for step in installs)
