"""What all tests of the host share: a host on a stage, and the rule that no machine's life goes
where its table does not lead.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from actors.host import runner
from actors.host.life import IllegalMove, Life, moved
from actors.machine.ids import MachineId
from tests.support.stage import Stage


@pytest.fixture(autouse=True)
def illegal_moves(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Fail a test in which a life made an illegal move, whoever caught the error. A test that makes
    one on purpose takes it out of this list.
    """
    found: list[str] = []

    def watched(machine_id: MachineId, before: Life, after: Life) -> Life:
        try:
            return moved(machine_id, before, after)
        except IllegalMove as error:
            found.append(str(error))
            raise

    monkeypatch.setattr(runner, "moved", watched)
    yield found
    assert [] == found


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Two machines that are connected; a customer of VM-1 has paid 10.00."""
    stage = Stage()
    await stage.start("VM-1", "VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    await asyncio.sleep(0.1)
    await stage.gateway.give(stage.gateway.paid("t-1"))
    yield stage
    await stage.host.stop()


@pytest.fixture
async def quiet_stage() -> AsyncIterator[Stage]:
    """One machine that has not said anything yet."""
    stage = Stage()
    await stage.start("VM-1")
    yield stage
    await stage.host.stop()
