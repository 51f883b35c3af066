"""Many machines at one gateway: storms, closed loops, and customers who come at a rate."""

import os

import pytest

from gateway.bench import load as load_module
from gateway.bench.load import Load, LoadFailed
from gateway.bench.machine import LoadMachine
from tests.gateway.bench.pretend_gateway import pretend_gateway
from tests.support.patience import until

NAMES = [f"m{number}" for number in range(5)]
PIDS = {"gateway": [os.getpid()]}


async def test_a_storm_counts_who_was_turned_away() -> None:
    """The others are welcome."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, NAMES) as load:
        gateway.turn_away = 2

        came = await load.connect(load.machines)

        assert (5, 2) == (came.machines, came.refused)
        assert 3 == sum(machine.idle for machine in load.machines)
        assert {"ended with a status": 2} == load.tally.ended


async def test_a_closed_loop_sells_and_comes_to_rest() -> None:
    """What was sold is timed, and no vend is open afterwards."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, NAMES) as load:
        await load.connect(load.machines)

        span = await load.saturate(load.machines, warm_s=0.05, seconds=0.3, pids=PIDS)

        assert span.vends > 0
        assert span.vends == pytest.approx(span.vends_a_second * span.seconds)
        assert {"gateway", "client"} == set(span.cpu_us)
        assert all(machine.idle for machine in load.machines)
        wishes = [frame for frame in gateway.heard if frame.WhichOneof("payload") == "vend_request"]
        results = [f for f in gateway.heard if f.WhichOneof("payload") == "vend_success"]
        assert len(wishes) == len(results)


async def test_a_machine_that_is_refused_asks_again() -> None:
    """A refusal is counted and does not end the loop."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, NAMES[:1]) as load:
        await load.connect(load.machines)
        gateway.deny = 1

        span = await load.saturate(load.machines, warm_s=0.0, seconds=1.0, pids=PIDS)

        assert 1 == span.denied
        assert span.vends > 0


async def test_customers_come_at_their_rate() -> None:
    """However quick the answers are: no more vends than customers."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, NAMES) as load:
        await load.connect(load.machines)

        span = await load.steady(
            load.machines, rate=50.0, warm_s=0.0, seconds=1.0, pids=PIDS, seed=3
        )

        assert 20 < span.vends < 90


async def test_nothing_sold_is_no_figure() -> None:
    """A gateway that never approves has no rate of zero: the run says what went wrong."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, NAMES) as load:
        await load.connect(load.machines)
        gateway.approve = False

        with pytest.raises(LoadFailed, match="nothing was sold"):
            await load.saturate(load.machines, warm_s=0.0, seconds=0.1, pids=PIDS)


async def test_more_customers_than_machines_is_no_figure() -> None:
    """Their times would be those of a queue that grows for ever."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, NAMES[:1]) as load:
        await load.connect(load.machines)
        gateway.approve, gateway.wait_ms = False, 300

        with pytest.raises(LoadFailed, match="too many"):
            await load.steady(load.machines, rate=500.0, warm_s=0.2, seconds=0.5, pids=PIDS)


async def test_a_gateway_that_is_not_there_is_told() -> None:
    """As a sentence, like all that keeps a figure from being one."""
    async with pretend_gateway() as gateway:
        address = gateway.address
    async with Load.of(address, NAMES) as load:
        with pytest.raises(LoadFailed, match="cannot connect"):
            await load.connect(load.machines)


async def test_machines_beat_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that came together are no crowd at each interval: who is due is taken in turn."""
    beats: list[str] = []
    monkeypatch.setattr(load_module, "_BEAT_EVERY_S", 0.05)
    monkeypatch.setattr(LoadMachine, "beat", lambda machine: beats.append(machine.machine_id))
    async with pretend_gateway() as gateway, Load.of(gateway.address, NAMES) as load:
        await load.connect(load.machines)

        await until(lambda: len(beats) >= 2 * len(NAMES))

    assert set(NAMES) == set(beats[: len(NAMES)])
    assert beats[: len(NAMES)] == beats[len(NAMES) : 2 * len(NAMES)]
