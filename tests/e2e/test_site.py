"""The documents become one site, by the command that people use."""

import shutil
import subprocess
import sys

import pytest

from tests.e2e.typed import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1_800)]


def test_the_site_is_built_without_a_warning() -> None:
    """Links and anchors lead somewhere, nothing is loaded from outside, and there is a search
    page that knows the pages.
    """
    built = ROOT / "dist" / "docs"
    shutil.rmtree(built, ignore_errors=True)
    done = subprocess.run(
        ["make", "docs", f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "docs/README.html" in (built / "index.html").read_text()
    assert (built / "search.html").is_file()
    assert "docs/howto/complaint" in (built / "searchindex.js").read_text()
