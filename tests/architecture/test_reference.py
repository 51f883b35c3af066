"""The pages that are made are what their sources say."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from gateway.fleet.requests import REASON_LENGTH_MAX

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("script", [one.name for one in sorted((ROOT / "docs").glob("*.py"))])
def test_the_reference_is_up_to_date(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes a proto or a refusal makes its page again, and need not think of it: this
    fails.
    """
    path = ROOT / "docs" / script
    monkeypatch.setattr(sys, "argv", [str(path), "--check"])
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        assert end.code in {None, 0}, end.code  # noqa: PT017 - a script may end without one


def test_a_reason_is_as_long_as_the_page_says() -> None:
    """One bound for all reasons of administrators, which is the code's own."""
    asked = re.compile(r"((?: *//[^\n]*\n)+) *string reason = ")
    for package in ("fleet", "office"):
        for proto in sorted((ROOT / "protos" / "gateway" / package / "v1").glob("*_service.proto")):
            for comment in asked.findall(proto.read_text()):
                bounds = set(re.findall(r"[0-9]+", comment))
                assert bounds <= {str(REASON_LENGTH_MAX)}, f"{proto.name}: {comment}"
                assert "bytes" not in comment, f"{proto.name}: {comment}"
