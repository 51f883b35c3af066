"""A flash that does not wait for the disk: power cuts here end no process."""

import os

import pytest


@pytest.fixture(autouse=True)
def _quick_flash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
