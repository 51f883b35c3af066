"""What Alipay is told of a machine's place is what the registry holds when it is asked; a machine
that was retired has no place in the fleet, and its late customers get their money.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from actors.link import CloseReason
from actors.machine import values
from actors.machine.code import CodeStatus
from actors.machine.effects import CreateCode, ProviderCall, SendRefund, Welcome
from actors.machine.events import CodeFailed, ConfigurationChanged, Event
from actors.machine.ids import MachineId
from tests.support.stage import Stage, answer_well, answers, closings

pytestmark = pytest.mark.virtual_time
VM_1 = MachineId("VM-1")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A host that has not started; Alipay refuses every code."""
    stage = Stage()
    stage.provider.answer = refusing(final=True)
    yield stage
    await stage.host.stop()


def refusing(*, final: bool) -> Callable[[ProviderCall], Event]:
    """Alipay makes no code, for good or for now."""
    return lambda call: (
        CodeFailed(final=final, detail="ILLEGAL_ARGUMENT")
        if isinstance(call, CreateCode)
        else answer_well(call)
    )


def changed(stage: Stage, **changes: object) -> ConfigurationChanged:
    """Change the registry as an administrator does, the place too; return what its actor is to be
    told.
    """
    row = stage.store.rows[VM_1]
    before = row.configuration.configuration
    row.place = replace(row.place, store_name=f"{row.place.store_name}, mended")
    row.configuration = ConfigurationChanged(
        configuration=values.replace(before, revision=before.revision + 1, **changes)  # type: ignore[arg-type]
    )
    return row.configuration


def asked(stage: Stage) -> list[str]:
    """Return the store names with which Alipay was asked for a code, in order."""
    return [
        place.store_name
        for (_, call), place in zip(stage.provider.calls, stage.provider.places, strict=True)
        if isinstance(call, CreateCode)
    ]


async def test_a_refused_code_is_asked_for_with_the_new_place(stage: Stage) -> None:
    """At once when the administrator's change is told, with the machine in memory all the while."""
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    assert CodeStatus.REFUSED is stage.store.state("VM-1").code.status

    stage.provider.answer = answer_well
    told = await stage.gateway.give(stage.gateway.command(changed(stage)))
    assert {"c-1": ""} == answers(told)
    await asyncio.sleep(1)
    assert ["Store VM-1", "Store VM-1, mended"] == asked(stage)
    assert CodeStatus.ACTIVE is stage.store.state("VM-1").code.status


async def test_a_change_that_nobody_told_is_found_with_its_place(stage: Stage) -> None:
    """The gateway went away between the registry and the host: the sweep finds both."""
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    changed(stage)
    await asyncio.sleep(6)
    assert ["Store VM-1", "Store VM-1, mended"] == asked(stage)


async def test_a_code_that_waits_for_its_next_try_gets_the_new_place(stage: Stage) -> None:
    """Alipay did not answer the first time; the second try is made with what is new."""
    stage.provider.answer = refusing(final=False)
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    await stage.gateway.give(stage.gateway.command(changed(stage)))
    assert ["Store VM-1"] == asked(stage)
    await asyncio.sleep(5)
    assert ["Store VM-1", "Store VM-1, mended"] == asked(stage)


async def test_a_refusal_of_the_old_place_is_no_refusal_of_the_new(stage: Stage) -> None:
    """The change comes while Alipay is being asked with the old place, and that is refused."""
    stage.provider.gate = asyncio.Event()
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    await stage.gateway.give(stage.gateway.command(changed(stage)))
    stage.provider.answer = refusing(final=True)
    stage.provider.gate.set()
    await asyncio.sleep(1)
    assert ["Store VM-1", "Store VM-1, mended"] == asked(stage)
    assert CodeStatus.REFUSED is stage.store.state("VM-1").code.status


async def test_a_retired_machine_is_told_so(stage: Stage) -> None:
    """Its stream ends when it is retired; a Hello afterwards is answered with the reason and no
    Welcome. Its host goes on serving.
    """
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    retirement = changed(stage, enabled=False, retired=True)
    told = await stage.gateway.give(stage.gateway.command(retirement))
    assert [("VM-1-stream", CloseReason.RETIRED)] == closings(told)

    told = await stage.gateway.give(stage.gateway.hello(stream="again"))
    assert [("again", CloseReason.RETIRED)] == closings(told)
    assert 1 == sum(isinstance(one, Welcome) for one in stage.gateway.commands())
    assert not stage.store.state("VM-1").link.online
    assert [] == stage.fatal


async def test_a_late_payment_of_a_retired_machine_goes_back(stage: Stage) -> None:
    """Also one that races with the retirement, and one that comes after a restart."""
    await stage.start("VM-1")
    retirement = changed(stage, enabled=False, retired=True)
    await stage.gateway.give(stage.gateway.paid("t-1", 700), stage.gateway.command(retirement))
    await asyncio.sleep(stage.policy.unavailable_grace_ms / 1_000 + 1)
    await stage.restart()
    await stage.gateway.give(stage.gateway.paid("t-2", 300))
    await asyncio.sleep(stage.policy.unavailable_grace_ms / 1_000 + 1)
    refunds = [call for call in stage.provider.of(SendRefund) if isinstance(call, SendRefund)]
    assert [700, 300] == [refund.amount_minor for refund in refunds]
    state = stage.store.state("VM-1")
    assert ((), (), None) == (state.refunds, state.trades, state.session)
