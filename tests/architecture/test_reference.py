"""The pages that are made are what their sources say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("script", ["reference.py", "errors.py"])
def test_the_reference_is_up_to_date(script: str) -> None:
    """Whoever changes a proto or a refusal makes its page again, and need not think of it: this
    fails.
    """
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / script, "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (0, "") == (done.returncode, done.stderr)
