"""Descriptors: the limit that counts, and each door's share of it."""

import subprocess
import sys

import pytest

from gateway.process.descriptors import shared_out


@pytest.mark.parametrize("limit", [64, 256, 1_024, 4_096, 20_000, 1_048_576])
def test_the_doors_leave_room(limit: int) -> None:
    """All doors full leave a quarter, or 256, for the process itself, and each door has some."""
    shares = shared_out(limit, machines_wanted=40_000, pages=True)
    held = (shares.http, shares.health, shares.admin, shares.console, shares.machines)
    assert min(256, limit // 4) <= limit - sum(held)
    assert 1 <= min(held)


def test_the_moneys_door_comes_first() -> None:
    """However few there are, a quarter is for notifications; machines take the rest, as many as
    they may be.
    """
    assert (256, 384) == (
        (few := shared_out(1_024, machines_wanted=40_000)).http,
        few.machines,
    )
    assert (1_024, 40_000) == (
        (many := shared_out(1_048_576, machines_wanted=40_000)).http,
        many.machines,
    )


def test_the_limit_is_raised() -> None:
    """A process that was started with few takes as many as it is allowed."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512));"
        "from gateway.process.descriptors import raise_limit;"
        "print(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "512 (512, 512)\n" == done.stdout
