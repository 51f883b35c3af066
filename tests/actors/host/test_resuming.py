"""After a time in which nothing could be saved or decided a machine is heard before its vends'
deadlines count: SQL away, a COMMIT that hangs, a host that starts, a process that stood still.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import pytest

from actors.machine.code import CodeStatus
from actors.machine.effects import ChangeCodeStatus
from actors.machine.events import (
    Resumed,
    VendSucceeded,
)
from actors.machine.ids import MachineId, VendId
from actors.machine.incident import FaultReported
from actors.machine.policy import Policy
from actors.machine.state import VendStatus
from actors.machine.values import replace
from actors.ports import Change, Ownership
from tests.support.stage import Stage, request
from tests.support.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.virtual_time

POLICY = Policy()
OUTAGE_S = 13 * 60.0
DELIVERED = VendSucceeded(vend_id=VendId("VM-1-v1"))


async def approved() -> Stage:
    """VM-1 was paid 10.00 for and has an approval of 5.00."""
    stage = Stage()
    await stage.start("VM-1", "VM-2")
    await stage.gateway.give(stage.gateway.hello(), stage.gateway.paid("t-1"))
    await stage.gateway.give(stage.gateway.frame(request()))
    assert stage.store.state("VM-1").session is not None
    return stage


def settled(stage: Stage) -> list[tuple[VendStatus, str]]:
    """How the vends of VM-1 ended."""
    return [(vend.status, vend.reason) for vend in stage.store.state("VM-1").settled_vends]


async def keeps_connected(stage: Stage, s: float) -> None:
    """Time passes, and the gateway is there all the while."""
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await asyncio.sleep(s)
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening


async def test_a_result_in_the_mailbox_of_an_outage_sells() -> None:
    """SQL is away for 13 minutes, and VendSuccess came right after it went."""
    stage = await approved()
    stage.store.away = True
    given = asyncio.create_task(stage.gateway.give(stage.gateway.frame(DELIVERED)))
    await keeps_connected(stage, OUTAGE_S)
    stage.store.away = False
    await keeps_connected(stage, 30)
    await given

    assert [(VendStatus.SUCCEEDED, "")] == settled(stage)
    await stage.host.stop()


async def test_a_result_after_an_outage_sells() -> None:
    """The machine could say nothing for 13 minutes, and reports a minute after all works again."""
    stage = await approved()
    stage.store.away = True
    given = asyncio.create_task(stage.gateway.give(stage.gateway.frame(FaultReported(code="EA"))))
    await keeps_connected(stage, OUTAGE_S)
    stage.store.away = False
    await keeps_connected(stage, 60)
    await given
    await stage.gateway.give(stage.gateway.frame(DELIVERED))

    assert [(VendStatus.SUCCEEDED, "")] == settled(stage)
    await stage.host.stop()


async def test_a_result_after_a_commit_that_hung_sells() -> None:
    """The database neither answered nor refused for 13 minutes."""
    stage = await approved()
    hangs = asyncio.Event()
    commit = stage.store.commit

    async def slow(ownership: Ownership, changes: Sequence[Change]) -> None:
        await hangs.wait()
        await commit(ownership, changes)

    stage.store.commit = slow  # type: ignore[method-assign]
    given = asyncio.create_task(stage.gateway.give(stage.gateway.frame(FaultReported(code="EA"))))
    await keeps_connected(stage, OUTAGE_S)
    hangs.set()
    await keeps_connected(stage, 60)
    await given
    await stage.gateway.give(stage.gateway.frame(DELIVERED))

    assert [(VendStatus.SUCCEEDED, "")] == settled(stage)
    await stage.host.stop()


def an_hour_later(stage: Stage) -> None:
    """The clock of the new host is an hour ahead of the old one's, or an hour has passed."""
    stage.clock.jump_ms += 3_600_000


def fifteen_minutes_later(stage: Stage) -> None:
    """The same by 15 minutes."""
    stage.clock.jump_ms += 15 * 60_000


@pytest.mark.parametrize("happens", [an_hour_later, fifteen_minutes_later])
async def test_a_host_that_starts_hears_machines_first(happens: Callable[[Stage], None]) -> None:
    """What was due long ago when it took over is not acted on before machines could speak."""
    stage = await approved()
    happens(stage)
    await stage.restart()
    await stage.gateway.give(stage.gateway.hello())
    await keeps_connected(stage, 60)
    await stage.gateway.give(stage.gateway.frame(DELIVERED))

    assert [(VendStatus.SUCCEEDED, "")] == settled(stage)
    await stage.host.stop()


async def test_a_wait_of_a_clock_ahead_ends_in_time() -> None:
    """The old host's clock was an hour ahead; 25 seconds are over after 25 seconds."""
    stage = Stage()
    stage.clock.jump_ms = 3_600_000
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)  # for the code
    await stage.gateway.give(stage.gateway.frame(request()))
    stage.clock.jump_ms = 0
    await stage.restart()
    await stage.gateway.give(stage.gateway.hello())
    await keeps_connected(stage, POLICY.payment_wait_ms / 1_000 + 1)

    assert [(VendStatus.DENIED, "PAYMENT_TIMEOUT")] == settled(stage)
    await stage.host.stop()


async def test_a_machine_that_never_comes_back_ends_all_the_same() -> None:
    """The time to report is over, the doubt ends, and the money goes back."""
    stage = await approved()
    an_hour_later(stage)
    await stage.restart()
    await keeps_connected(
        stage, 40 + POLICY.report_wait_ms / 1_000 + POLICY.doubt_window_ms / 1_000
    )

    assert [(VendStatus.VOIDED, "UNSETTLED")] == settled(stage)
    await stage.host.stop()


async def test_a_hiccup_of_the_database_is_no_outage() -> None:
    """Whoever could be slowed down now and then must not hold money for ever."""
    stage = await approved()
    stage.store.away = True
    given = asyncio.create_task(stage.gateway.give(stage.gateway.frame(FaultReported(code="EA"))))
    await keeps_connected(stage, 1)
    stage.store.away = False
    await keeps_connected(stage, 5)
    await given
    an_hour_later(stage)
    await keeps_connected(stage, 5)

    assert [(VendStatus.VOIDED, "UNSETTLED")] == settled(stage)
    assert [] == [event for event in stage.store.events("VM-1") if isinstance(event, Resumed)]
    await stage.host.stop()


async def test_a_result_behind_another_letter_is_waited_for() -> None:
    """The deadline has come, a fault stands before the result in the same mailbox."""
    stage = await approved()
    an_hour_later(stage)
    await stage.gateway.give(
        stage.gateway.frame(FaultReported(code="EA")), stage.gateway.frame(DELIVERED)
    )

    assert [(VendStatus.SUCCEEDED, "")] == settled(stage)
    await stage.host.stop()


async def test_a_process_that_stood_still_hears_machines_first() -> None:
    """It was stopped for 13 minutes and goes on: what came meanwhile has not been read yet."""
    stage = await approved()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await asyncio.sleep(1)
    loop.now_s += OUTAGE_S
    await asyncio.sleep(60)
    await stage.gateway.give(stage.gateway.frame(DELIVERED))

    assert [(VendStatus.SUCCEEDED, "")] == settled(stage)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await stage.host.stop()


def configure(stage: Stage, *, enabled: bool) -> None:
    """An administrator has put VM-1 into service or out of it."""
    row = stage.store.rows[MachineId("VM-1")]
    before = row.configuration.configuration
    after = replace(before, revision=before.revision + 1, enabled=enabled)
    row.configuration = replace(row.configuration, configuration=after)


async def test_the_stop_of_a_host_that_froze_does_not_win_by_being_late() -> None:
    """Its successor restarts the code, and once more later, without anybody's doing."""
    stage = Stage()
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    stage.provider.gate = asyncio.Event()  # Alipay does not hear of the STOP yet
    configure(stage, enabled=False)
    await keeps_connected(stage, 60)
    stage.provider.gate = None
    await stage.restart()
    await keeps_connected(stage, 1)
    configure(stage, enabled=True)
    await keeps_connected(stage, POLICY.code_again_ms[0] / 1_000 + 60)

    made = [call.status for _, call in stage.provider.calls if isinstance(call, ChangeCodeStatus)]
    stop, restart = CodeStatus.STOPPED, CodeStatus.ACTIVE
    assert [stop, stop, restart, restart] == made
