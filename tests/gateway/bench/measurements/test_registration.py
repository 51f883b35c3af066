"""How quickly machines are taken into the fleet."""

import os
from collections.abc import Sequence
from pathlib import Path

from gateway.bench.measurements.registration import registration
from gateway.bench.site import BenchSite, RunningGateway, Setting


class Site(BenchSite):
    """Takes everybody in, and says that it took two seconds."""

    registered: Sequence[str] = ()
    waited = False

    async def register(self, running: RunningGateway, machine_ids: Sequence[str]) -> float:
        self.registered = machine_ids
        return 2.0

    async def wait_for_codes(self, running: RunningGateway) -> None:
        assert self.registered
        self.waited = True


async def test_calls_and_codes_are_timed_apart(tmp_path: Path) -> None:
    """A machine that has no code yet cannot be paid, but is in the fleet."""
    site = Site(tmp_path, payment_wait_ms=25_000)
    running = RunningGateway(
        setting=Setting(name="no-ray", ray=False),
        machines="",
        admin="",
        began_s=0.0,
        ready_s=0.0,
        gateway_pid=os.getpid(),
        host_pids=(),
    )

    found = await registration(site, running, ["a", "b"])

    assert (2, 2.0) == (found.machines, found.answered_s)
    assert site.waited
    assert found.with_codes_s >= 0
