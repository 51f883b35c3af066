"""What the cluster needs of a computer."""

import shutil
import sys
from pathlib import Path

import pytest

from gateway.demo import postgres
from gateway.demo.cluster import balancer, system


def test_what_is_missing_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence for each, and none where all is there."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(postgres, "programs", lambda: Path("/bin"))
    monkeypatch.setattr(balancer, "program", lambda: "/haproxy")
    assert [] == system.wanting()
    monkeypatch.setattr(postgres, "programs", lambda: None)
    monkeypatch.setattr(balancer, "program", lambda: None)
    monkeypatch.setattr(sys, "platform", "darwin")
    linux, sql, haproxy = system.wanting()
    assert "Linux" in linux
    assert "apt-get install postgresql" in sql
    assert "apt-get install haproxy" in haproxy
    assert shutil.which("sh")
