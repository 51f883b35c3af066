"""Ray Serve is measured where it is installed, and nowhere else."""

import importlib
from types import ModuleType

import pytest

from gateway.bench import serve_baseline


def test_without_it_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what is missing."""

    def absent(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named 'fastapi' for {name}", name="fastapi")

    monkeypatch.setattr(importlib, "import_module", absent)
    assert "Ray Serve was not measured: it cannot be imported here (fastapi)." == (
        serve_baseline.problem()
    )


def test_with_it_there_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is measured."""
    monkeypatch.setattr(importlib, "import_module", ModuleType)
    assert "" == serve_baseline.problem()
