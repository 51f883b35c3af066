"""How late timers fire."""

import pytest

from gateway.bench.load import Load, LoadFailed
from gateway.bench.measurements import timers as module
from gateway.bench.measurements.timers import timers
from tests.gateway.bench.pretend_gateway import pretend_gateway


async def test_each_timer_has_its_lateness() -> None:
    """Counted from what the machine was told, never early by more than the network."""
    names = [f"m{number}" for number in range(30)]
    async with pretend_gateway() as gateway, Load.of(gateway.address, names) as load:
        await load.connect(load.machines)
        gateway.approve = False

        late = await timers(load, load.machines, wait_ms=gateway.wait_ms)

        assert len(names) == len(late)
        assert all(seconds > -gateway.wait_ms / 1_000 for seconds in late)
        assert {} == load.ears.hooks


async def test_timers_that_never_fire_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no quick ones."""
    monkeypatch.setattr(module, "_AFTER_S", 0.0)
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["m"]) as load:
        await load.connect(load.machines)
        gateway.approve, gateway.wait_ms = False, 60_000

        with pytest.raises(LoadFailed, match="1 of 1 timers did not fire"):
            await timers(load, load.machines, wait_ms=50)
