"""A store that can be read and saves nothing, as on a full disk: nothing piles up, nothing is asked
twice, no machine is halted.

In scope: the host's loop over an hour of it. The same with SQLite's own errors is in
``tests/gateway/alipay/test_full_disk.py``.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from actors.machine.effects import SendRefund, ShowQr, Welcome
from actors.machine.events import RefundSucceeded, SessionCompleted, VendRequested
from actors.machine.ids import MachineId, RequestId, SessionId
from actors.machine.incident import FaultReported
from actors.machine.state import Configuration
from tests.support.stage import Stage, answers

pytestmark = pytest.mark.virtual_time

HOUR_S = 3_600
MINUTES_S = 900
"""What an hour does to what is tried each second, a quarter of it does."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A machine that is connected, with a customer who has paid 10.00; its gateway listens. The
    lines of an hour about a store that saves nothing are not written out.
    """
    with capture_logs():
        async for made in _prepared():
            yield made


async def _prepared() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(0.1)
    await stage.gateway.give(stage.gateway.paid("t-1"))
    listening = asyncio.create_task(stage.gateway.keep_listening())
    yield stage
    listening.cancel()
    await stage.host.stop()


def request(number: int) -> VendRequested:
    """A customer chose."""
    return VendRequested(
        request_id=RequestId(f"r-{number}"), column="A1", price_minor=500, planogram_version=1
    )


async def test_an_hour_without_room_piles_nothing_up(stage: Stage) -> None:
    """However often it is tried: the letters that came wait, each once, and then each is done
    once.
    """
    stage.store.full = True
    welcomes = len(
        [command for command in stage.gateway.commands() if isinstance(command, Welcome)]
    )
    await stage.gateway.give(stage.gateway.frame(FaultReported(code="EB")))
    await asyncio.sleep(60)
    letters, attempts = stage.host.stats()["letters"], stage.store.attempts
    await asyncio.sleep(HOUR_S)

    assert stage.store.attempts > attempts + 1_000
    assert letters == stage.host.stats()["letters"]
    assert 0 == stage.host.stats()["halted"]
    stage.store.full = False
    await asyncio.sleep(15)
    assert 1 == stage.store.state("VM-1").link.last_seq
    assert welcomes + 1 == len(
        [command for command in stage.gateway.commands() if isinstance(command, Welcome)]
    )
    await stage.gateway.give(stage.gateway.frame(request(2)))
    assert isinstance(
        stage.gateway.commands()[-1], ShowQr
    )  # the customer of then has got the money back


async def test_a_change_of_the_registry_waits_once(stage: Stage) -> None:
    """What an administrator changed is found at each load, and is one letter all the same."""
    stage.store.full = True
    row = stage.store.rows[MachineId("VM-1")]
    row.configuration = type(row.configuration)(
        configuration=Configuration(revision=2, enabled=False, planogram_version=1),
        columns=row.configuration.columns,
    )
    await asyncio.sleep(MINUTES_S)
    assert stage.host.stats()["letters"] < 6
    stage.store.full = False
    await asyncio.sleep(15)
    assert 2 == stage.store.state("VM-1").configuration.revision
    assert 0 == stage.host.stats()["letters"]


async def test_an_answer_that_cannot_be_saved_is_not_asked_for_again(stage: Stage) -> None:
    """Alipay did the refund: while that cannot be written down, it is not asked for over and
    over.
    """
    gate = stage.provider.gate = asyncio.Event()
    await stage.gateway.give(stage.gateway.frame(SessionCompleted(session_id=SessionId("VM-1-s1"))))
    await asyncio.sleep(1)
    (asked,) = stage.provider.of(SendRefund)
    stage.store.full = True
    gate.set()
    await asyncio.sleep(MINUTES_S)

    assert [asked] == stage.provider.of(SendRefund)
    assert stage.host.stats()["letters"] < 6
    stage.store.full = False
    await asyncio.sleep(15)
    assert () == stage.store.state("VM-1").refunds
    assert 1 == len(
        [event for event in stage.store.events("VM-1") if isinstance(event, RefundSucceeded)]
    )
    assert [asked] == stage.provider.of(SendRefund)


async def test_a_machine_that_has_not_been_heard_is_heard_afterwards(stage: Stage) -> None:
    """A gateway that repeats its frames for minutes finds room for them all the time."""
    stage.store.full = True
    await stage.gateway.give(stage.gateway.frame(FaultReported(code="EB"), seq=1))
    await asyncio.sleep(MINUTES_S)
    messages = await stage.gateway.give(
        stage.gateway.frame(FaultReported(code="EC"), seq=2),
        stage.gateway.hello("VM-1", stream="other"),
    )

    assert {} == answers(messages)
    assert 0 == stage.host.stats()["overloads"]
