"""A machine's key and certificate survive a kill at any point."""

import json
import os
from pathlib import Path

import pytest
from cryptography import x509

from gateway.simulator.credentials import (
    IDENTITY,
    REQUEST,
    Credentials,
    CredentialStore,
    SigningRequest,
)


class Killed(BaseException):
    """The process is gone."""


def answer(request: SigningRequest, name: str = "c1") -> Credentials:
    return Credentials(
        private_key=request.private_key, chain=name, renew_at_ms=1, expires_at_ms=2, gateway="g"
    )


def store(folder: Path) -> CredentialStore:
    return CredentialStore(folder, "VM-1")


def test_a_request_stays_the_same_until_it_was_answered(tmp_path: Path) -> None:
    """Through any number of power cuts; then the next one has another key."""
    first = store(tmp_path).request()
    assert first == store(tmp_path).request()
    read = x509.load_pem_x509_csr(first.csr.encode())
    assert "CN=VM-1" == read.subject.rfc4514_string()
    store(tmp_path).take(answer(first))
    assert answer(first) == store(tmp_path).present()
    assert first.private_key != store(tmp_path).request().private_key


def test_files_are_for_the_machine_alone(tmp_path: Path) -> None:
    """And no key is in what is logged."""
    one = store(tmp_path)
    request = one.request()
    assert 0o600 == (tmp_path / REQUEST).stat().st_mode & 0o777
    one.take(answer(request))
    assert 0o600 == (tmp_path / IDENTITY).stat().st_mode & 0o777
    assert not (tmp_path / REQUEST).exists()
    assert "PRIVATE" not in repr((request, one.present()))


@pytest.mark.parametrize("at", range(8))
def test_a_kill_at_any_step_loses_neither_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """What the machine has is either as before, with a request that is the same as before, or the
    answer to it.
    """
    old = store(tmp_path)
    old.take(answer(old.request(), "old"))
    asked = store(tmp_path).request()
    steps = iter(range(100))

    def killed_at(real: object, *arguments: object, **more: object) -> object:
        if next(steps) == at:
            raise Killed
        return real(*arguments, **more)  # type: ignore[operator]

    for owner, name in (
        (os, "open"),
        (os, "fsync"),
        (json, "dump"),
        (Path, "replace"),
        (Path, "unlink"),
    ):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, _real=real, **m: killed_at(_real, *a, **m))
    died = False
    try:
        store(tmp_path).take(answer(asked, "new"))
    except Killed:
        died = True
    monkeypatch.undo()
    assert died
    present = store(tmp_path).present()
    assert present is not None
    if present.chain == "old":
        assert asked == store(tmp_path).request()
    else:
        assert answer(asked, "new") == present
        assert asked.private_key != store(tmp_path).request().private_key
    # Whatever was left is no obstacle.
    store(tmp_path).take(answer(store(tmp_path).request(), "newer"))
    assert "newer" == getattr(store(tmp_path).present(), "chain", "")
