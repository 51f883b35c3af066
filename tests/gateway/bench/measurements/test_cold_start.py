"""From the start of the program to the first goods."""

import os
import time

import pytest

from gateway.bench.load import LoadFailed
from gateway.bench.measurements import cold_start as module
from gateway.bench.measurements.cold_start import cold_start
from gateway.bench.site import RunningGateway, Setting
from tests.gateway.bench.pretend_gateway import pretend_gateway


def started_before(seconds: float, address: str) -> RunningGateway:
    """A gateway whose process began so long ago."""
    return RunningGateway(
        setting=Setting(name="no-ray", ray=False),
        machines=address,
        admin="",
        began_s=time.perf_counter() - seconds,
        ready_s=seconds,
        gateway_pid=os.getpid(),
        host_pids=(),
    )


async def test_the_time_runs_from_the_start_of_the_process() -> None:
    """Not from when it said that it was ready."""
    async with pretend_gateway() as gateway:
        assert await cold_start(started_before(5.0, gateway.address), "m") > 5.0


async def test_a_gateway_that_sells_nothing_has_no_such_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The measurement ends, and says so."""
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.05)
    async with pretend_gateway() as gateway:
        gateway.approve = False
        with pytest.raises(LoadFailed, match="nothing was sold"):
            await cold_start(started_before(0.0, gateway.address), "m")
