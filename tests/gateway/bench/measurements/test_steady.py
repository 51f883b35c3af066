"""Customers who come at a rate."""

from gateway.bench.load import Load
from gateway.bench.measurements.steady import steady
from tests.gateway.bench.pretend_gateway import pretend_gateway


async def test_each_customer_is_timed_once() -> None:
    """Every vend that ended in the time has its approval, and its result."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["a", "b", "c"]) as load:
        await load.connect(load.machines)
        span = await steady(load, load.machines, rate=40.0, pids={}, warm_s=0.0, seconds=0.8)
        assert span.vends > 0
        assert span.vends == span.results.count
        assert abs(span.approvals.count - span.vends) <= len(load.machines)
