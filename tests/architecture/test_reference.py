"""The reference of the calls is what the protos say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_is_up_to_date() -> None:
    """Whoever changes a proto makes docs/api.md again, and need not think of it: this fails."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "reference.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (0, "") == (done.returncode, done.stderr)
