"""Which streams wait until their machine's host may hear of them, over real gRPC."""

from collections.abc import AsyncIterator

import grpc
import pytest

from gateway.rpc.denylist import Denylist
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from tests.support.edge import Edge, MachineCall, running_edge
from tests.support.patience import until


@pytest.fixture
async def denied() -> Denylist:
    """Nobody yet."""
    return Denylist()


@pytest.fixture
async def edge(denied: Denylist) -> AsyncIterator[Edge]:
    """A machine side whose host has one Hello before it, that of m1, and gives no answer yet."""
    limits = EdgeLimits(hellos_at_once=1, hello_wait_s=600.0)
    async with running_edge(limits=limits, denied=denied) as running:
        running.link.open.clear()
        await running.machine().say(hello=wire.Hello(machine_id="m1", boot_id="b1"))
        await until(lambda: running.service.stats().machines == 1)
        yield running


async def waits(edge: Edge, *journal: wire.JournalEntry) -> MachineCall:
    """Return a stream of m2 whose Hello waits for its turn."""
    before, machine = edge.service.stats().hellos_waiting, edge.machine()
    await machine.say(hello=wire.Hello(machine_id="m2", boot_id="b1", journal_tail=journal))
    await until(lambda: edge.service.stats().hellos_waiting == before + 1)
    return machine


async def test_a_hello_that_waited_does_not_take_over_from_a_newer_one(edge: Edge) -> None:
    """The newer one may be in more of a hurry; its host would believe the journal that comes last,
    which is from before the newer one sold.
    """
    older = await waits(edge)
    entry = wire.JournalEntry(vend_id="v1", stage=wire.JOURNAL_STAGE_MOTOR_ON)
    newer = await waits(edge, entry)
    edge.link.open.set()
    assert (await newer.hear()).HasField("welcome")
    assert grpc.StatusCode.ABORTED is (await older.end())[0]
    await until(lambda: edge.service.stats().streams == 2)
    assert not newer.call.done()


async def test_who_is_denied_while_its_hello_waits_is_not_taken_in(
    edge: Edge, denied: Denylist
) -> None:
    """Its stream has no name yet when what is open is closed."""
    machine = await waits(edge)
    denied.set([("MACHINE", "m2", "")])
    edge.service.close_denied()
    edge.link.open.set()
    assert grpc.StatusCode.PERMISSION_DENIED is (await machine.end())[0]
    assert 1 == edge.service.stats().machines
