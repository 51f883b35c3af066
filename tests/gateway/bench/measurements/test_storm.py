"""All machines come at once."""

import os
import time

import pytest

from gateway.bench.load import Load
from gateway.bench.measurements import storm as module
from gateway.bench.measurements.storm import storm
from gateway.bench.site import RunningGateway, Setting
from tests.gateway.bench.pretend_gateway import pretend_gateway


@pytest.mark.slow
async def test_a_storm_tells_who_came_and_what_rest_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory by process, and in processor time of all of them."""
    monkeypatch.setattr(module, "_SETTLE_S", 0.0)
    names = [f"m{number}" for number in range(8)]
    async with pretend_gateway() as gateway, Load.of(gateway.address, names) as load:
        running = RunningGateway(
            setting=Setting(name="no-ray", ray=False),
            machines=gateway.address,
            admin="",
            began_s=time.perf_counter(),
            ready_s=0.0,
            gateway_pid=os.getpid(),
            host_pids=(),
        )
        gateway.turn_away = 1

        came, rest = await storm(load, running, rest_s=0.1)

        assert (8, 1) == (came.machines, came.refused)
        assert came.seconds > 0
        assert {"gateway"} == set(rest.kib_a_machine)
        assert rest.cores >= 0
