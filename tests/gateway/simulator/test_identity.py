"""When the reference machine renews its certificate, on virtual time."""

import asyncio
import errno
from itertools import pairwise
from pathlib import Path
from random import Random

import grpc
import pytest

from gateway.simulator import identity
from gateway.simulator.credentials import Credentials, CredentialStore
from gateway.simulator.identity import Certified, EnrolledAt
from gateway.simulator.line import Ended

DAY_S = 86_400


def certified(folder: Path, *, renew_at_s: int) -> Certified:
    """A machine that was enrolled, and whose clock is years behind."""
    store = CredentialStore(folder, "VM-1")
    store.take(
        Credentials(
            private_key=store.request().private_key,
            chain="c",
            renew_at_ms=renew_at_s * 1_000,
            expires_at_ms=2 * renew_at_s * 1_000,
        )
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    return Certified(
        EnrolledAt(address="127.0.0.1:1"),
        machine_id="VM-1",
        folder=folder,
        gateway="127.0.0.1:2",
        ca=b"",
        rng=Random(1),
        clock=lambda: loop.time() - began,
    )


@pytest.mark.virtual_time
async def test_it_renews_when_the_backend_said_by_the_backends_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before it knows what time it is; what fails is tried again within an hour or so, and
    for ever, though the flash was full.
    """
    at: list[float] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    one = certified(tmp_path, renew_at_s=1_000 * DAY_S)

    async def fails(_: Certified) -> Ended:
        at.append(loop.time() - began)
        if len(at) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return Ended(code=grpc.StatusCode.UNIMPLEMENTED)

    monkeypatch.setattr(Certified, "renew", fails)
    keeping = asyncio.create_task(one.keep())
    await asyncio.sleep(3 * DAY_S)
    assert [] == at
    one.heard_time((1_000 * DAY_S - 7_200) * 1_000)
    await asyncio.sleep(7_200 - 1)
    assert [] == at
    await asyncio.sleep(DAY_S)
    assert 3 * DAY_S + 7_200 == pytest.approx(at[0], abs=1)
    pauses = [later - sooner for sooner, later in pairwise(at)]
    assert 20 < len(pauses) < 60
    assert identity.RETRY_MAX_MS / 1_000 + 1 > max(pauses)
    keeping.cancel()


@pytest.mark.virtual_time
async def test_it_shows_what_it_has_and_the_gateway_that_it_was_told(tmp_path: Path) -> None:
    """On a desk without TLS, nothing."""
    one = certified(tmp_path, renew_at_s=1)
    assert ("127.0.0.1:2", None) == (one.gateway, one.tls())
