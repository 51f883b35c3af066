"""Strangers at every door of a real gateway, and how much an honest machine and a payment notice of
it.

The short one is in the suite: it says that all is still served, and nothing about time. The long
ones (``make abuse``) measure, quiet first and then under the abuse, in the same run: nobody honest
waits half a second longer, and the disk holds what the allowances say.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.e2e.honest import (
    HOSTILE,
    ROUND_BYTES,
    SHARE,
    Beside,
    hardly_notices,
    honest,
    let_loose,
    served_beside,
)
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3_600)]


def strangers(kind: str, port: int, count: int) -> Beside:
    """So many of one kind at a port."""

    def beside(seconds: float) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        arguments = (kind, "--port", port, "--count", count, "--seconds", seconds)
        return let_loose("tests.support.strangers", *arguments, "--machine", HOSTILE)

    return beside


def doors(system: System) -> dict[str, tuple[int, int, int]]:
    """Each kind of stranger: the port, how many in earnest, how many in short."""
    ports = system.ports
    return {
        "silent": (ports.http, 1_100, 300),
        "heads": (ports.http, 300, 100),
        "http2": (ports.machines, 3_000, 200),
        "hellos": (ports.machines, 10_000, 300),
        "hostile": (ports.machines, 1, 1),
    }


async def test_everybody_is_served_beside_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With strangers at each door at once a machine's frames are saved, payments reach its screen,
    the money goes back, and an operator gets an answer; then the books are clean.
    """
    monkeypatch.setenv("VENDGATE_LIMITS__JOURNAL_BYTES_PER_DAY", str(SHARE))
    async with System(tmp_path, ray=False, machines=0, seed=1) as system, honest(system) as one:
        kinds = doors(system).items()
        await served_beside(one, [strangers(kind, port, few) for kind, (port, _, few) in kinds])


@pytest.mark.abuse
@pytest.mark.parametrize("kind", ["silent", "heads", "http2", "hellos", "hostile"])
async def test_honest_ones_hardly_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nine of ten frames, payments and looks of an operator take at most half a second longer than
    before, and the disk grows by what honest business and one machine's share are worth.
    """
    monkeypatch.setenv("VENDGATE_LIMITS__JOURNAL_BYTES_PER_DAY", str(SHARE))
    async with System(tmp_path, ray=False, machines=0, seed=1) as system, honest(system) as one:
        port, many, _ = doors(system)[kind]
        beside = strangers(kind, port, many)
        await hardly_notices(one, tmp_path, kind, beside, lambda n: 4 * SHARE + n * ROUND_BYTES)
        await system.at_rest()
