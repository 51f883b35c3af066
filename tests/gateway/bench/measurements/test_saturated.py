"""As many vends as there can be."""

import os

import pytest

from gateway.bench.load import LoadFailed
from gateway.bench.measurements.saturated import saturated
from tests.gateway.bench.pretend_gateway import pretend_gateway


async def test_machines_come_sell_and_go() -> None:
    """What was sold is counted, with what it cost."""
    async with pretend_gateway() as gateway:
        pids = {"gateway": [os.getpid()]}
        span = await saturated(gateway.address, ["a", "b"], pids=pids, warm_s=0.0, seconds=0.2)

        assert span.vends > 0
        assert {"a", "b"} == set(gateway.streams)


async def test_a_gateway_that_turns_machines_away_is_not_measured() -> None:
    """Fewer machines than were asked for would be another figure."""
    async with pretend_gateway() as gateway:
        gateway.turn_away = 1
        with pytest.raises(LoadFailed, match="1 of 2 machines were not welcomed"):
            await saturated(gateway.address, ["a", "b"], pids={}, warm_s=0.0, seconds=0.2)
