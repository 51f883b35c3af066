"""From the payment to the machine."""

from pathlib import Path

import pytest

from gateway.bench.load import Load, LoadFailed
from gateway.bench.measurements import notification as module
from gateway.bench.measurements.notification import notification
from gateway.bench.site import BenchSite
from tests.gateway.bench.pretend_gateway import PretendGateway, pretend_gateway


class Site(BenchSite):
    """Where a payment is heard of at once, or never."""

    def __init__(self, folder: Path, gateway: PretendGateway, *, delivers: bool = True) -> None:
        super().__init__(folder, payment_wait_ms=25_000)
        self.paid: list[str] = []
        self._gateway = gateway
        self._delivers = delivers

    async def pay(self, machine_id: str) -> None:
        self.paid.append(machine_id)
        if self._delivers:
            await self._gateway.begin_session(machine_id)


async def test_each_payment_is_timed_by_itself(tmp_path: Path) -> None:
    """One after the other, in the order of the machines."""
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["a", "b", "c"]) as load:
        await load.connect(load.machines)
        site = Site(tmp_path, gateway)

        times = await notification(site, load, load.machines)

        assert ["a", "b", "c"] == site.paid
        assert 3 == len(times)
        assert all(time > 0 for time in times)
        assert {} == load.ears.hooks


async def test_a_payment_that_nobody_hears_of_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the machine's name, after a bounded wait."""
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.05)
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["a"]) as load:
        await load.connect(load.machines)
        with pytest.raises(LoadFailed, match="a did not hear of its payment"):
            await notification(Site(tmp_path, gateway, delivers=False), load, load.machines)
