"""A network of the cluster's own, where this user may make one."""

import os
import shutil

import pytest

from gateway.demo.cluster import network


def test_only_root_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only where the programs are."""
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    assert not network.possible()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert not network.possible()


def test_the_program_is_called_again_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same arguments, and it knows where it is."""
    called: list[list[str]] = []
    monkeypatch.delenv(network.OWN, raising=False)
    monkeypatch.setattr(os, "execvp", lambda _program, command: called.append(command))
    assert not network.is_own()
    network.enter(["cluster", "--chaos", "60"])
    assert network.is_own()
    assert ["unshare", "--net"] == called[0][:2]
    assert ["-m", "gateway", "cluster", "--chaos", "60"] == called[0][-5:]
    monkeypatch.delenv(network.OWN)
