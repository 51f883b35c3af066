"""A scripted gateway on a free port, and machines against it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig, MachineClient
from tests.gateway.simulator.scripted import ScriptedGateway, scripted_gateway


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    """A gateway whose streams the test plays by hand."""
    async with scripted_gateway() as running:
        yield running


@pytest.fixture
def make_client(gateway: ScriptedGateway, tmp_path: Path) -> Callable[..., MachineClient]:
    """Make a machine against the scripted gateway; it comes back within milliseconds."""

    def make(**fields: Any) -> MachineClient:
        config: dict[str, Any] = {
            "gateway": gateway.address,
            "identity": Identity(machine_id="VM-0001"),
            "state_dir": tmp_path,
            "motor_ms": 1,
            "reconnect_initial_ms": 5,
            "reconnect_max_ms": 20,
            "refusal_waits_ms": (5, 5),
        }
        return MachineClient(ClientConfig(**(config | fields)), rng=Random(1))

    return make
