"""A host is killed while machines ask."""

import asyncio
import signal
import sys

import pytest

from gateway.bench.load import Load, LoadFailed
from gateway.bench.measurements import recovery as module
from gateway.bench.measurements.recovery import recovery
from tests.gateway.bench.pretend_gateway import pretend_gateway


async def test_the_first_and_the_last_answer_are_timed() -> None:
    """Who is to be killed is dead then, and no vend is open."""
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "input()"), stdin=asyncio.subprocess.PIPE
    )
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["a", "b"]) as load:
        await load.connect(load.machines)

        found = await recovery(load, load.machines, kill=[victim.pid])

        assert 0 < found.first_s <= found.last_s
        assert -signal.SIGKILL == await victim.wait()
        assert all(machine.idle for machine in load.machines)


async def test_machines_without_an_answer_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery that does not come has no time."""
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.1)
    async with pretend_gateway() as gateway, Load.of(gateway.address, ["a", "b"]) as load:
        await load.connect(load.machines)
        gateway.deny = 1

        with pytest.raises(LoadFailed, match="1 of 2 machines had no answer"):
            await recovery(load, load.machines)
