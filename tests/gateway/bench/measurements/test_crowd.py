"""Machines that come all at once while others sell."""

import os
import time

import pytest

from gateway.bench.load import Load
from gateway.bench.measurements import crowd as module
from gateway.bench.measurements.crowd import crowd
from gateway.bench.site import RunningGateway, Setting
from tests.gateway.bench.pretend_gateway import pretend_gateway


async def test_a_crowd_tells_who_came_and_what_sellers_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever is turned away is counted, and those who sell go on."""
    monkeypatch.setattr(module, "_LOOK_S", 0.2)
    async with (
        pretend_gateway() as gateway,
        Load.of(gateway.address, [f"s{number}" for number in range(4)]) as sellers,
        Load.of(gateway.address, [f"m{number}" for number in range(8)]) as coming,
    ):
        running = RunningGateway(
            setting=Setting(name="no-ray", ray=False),
            machines=gateway.address,
            admin="",
            began_s=time.perf_counter(),
            ready_s=0.0,
            gateway_pid=os.getpid(),
            host_pids=(),
        )
        measured = await crowd(sellers, coming, running, rate=100.0, seconds=0.2)

        assert (8, 0) == (measured.came.machines, measured.came.refused)
        assert measured.quiet.count > 0
        assert measured.worst.count > 0
        assert measured.mib > 1
