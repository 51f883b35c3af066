"""An attachment's outbox and the receipts of an exchange."""

import asyncio

import pytest

from actors.host.attachment import Attachment, Receipt
from actors.link import CommandDone, Delivery

pytestmark = pytest.mark.virtual_time


def outbox(messages_max: int = 10) -> Attachment:
    """An attachment of one gateway."""
    return Attachment(name="a/1", gateway_id="gw-1", messages_max=messages_max, now_s=0.0)


def message(number: int) -> CommandDone:
    """Something to be told."""
    return CommandDone(command_id=f"c-{number}")


async def test_deliveries_are_numbered_from_one() -> None:
    """An idle answer has number 0 and uses none up."""
    found = outbox()
    assert found.take() == Delivery(number=0, messages=())
    found.put(message(1))
    found.put(message(2))
    assert found.take() == Delivery(number=1, messages=(message(1), message(2)))
    found.put(message(3))
    assert 2 == found.take().number


async def test_a_full_outbox_breaks() -> None:
    """Who waits is woken; nothing more is taken in."""
    found = outbox(messages_max=1)
    waiting = asyncio.create_task(found.wait(60))
    await asyncio.sleep(1)

    assert found.put(message(1))
    assert not found.put(message(2))
    assert found.broken
    await waiting
    assert asyncio.get_running_loop().time() == pytest.approx(1)
    assert not found.put(message(3))


async def test_waiting_ends_with_the_announcement_or_the_time() -> None:
    """What another call took in between is not announced."""
    found = outbox()
    waiting = asyncio.create_task(found.wait(10))
    await asyncio.sleep(1)
    found.put(message(1))
    found.announce()
    found.take()
    await asyncio.sleep(1)
    assert not waiting.done()
    found.put(message(2))
    found.announce()
    await waiting
    assert asyncio.get_running_loop().time() == pytest.approx(2)
    found.take()
    await found.wait(10)
    assert asyncio.get_running_loop().time() == pytest.approx(12)


async def test_a_gateway_is_silent_between_its_calls_only() -> None:
    """A parked call is no silence."""
    found = outbox()
    loop = asyncio.get_running_loop()
    with found.call():
        await asyncio.sleep(100)
        assert 0 == found.silent_for_s(loop.time())
    await asyncio.sleep(5)
    assert found.silent_for_s(loop.time()) == pytest.approx(5)


async def test_a_receipt_waits_for_all_its_messages() -> None:
    """Each is settled once; the last lets the exchange return."""
    receipt = Receipt()
    receipt.expect()
    receipt.expect()
    waiting = asyncio.create_task(receipt.wait(60))
    await asyncio.sleep(1)
    receipt.settle()
    await asyncio.sleep(1)
    assert not waiting.done()
    receipt.settle()
    await waiting
    assert asyncio.get_running_loop().time() == pytest.approx(2)


async def test_a_receipt_without_messages_waits_for_nothing() -> None:
    """The same holds for one that was released before."""
    await Receipt().wait(60)
    released = Receipt()
    released.expect()
    released.release()
    await released.wait(60)
    assert 0 == asyncio.get_running_loop().time()


async def test_a_receipt_gives_up_after_its_time() -> None:
    """What is late comes through listen."""
    receipt = Receipt()
    receipt.expect()
    await receipt.wait(5)
    assert asyncio.get_running_loop().time() == pytest.approx(5)
    receipt.settle()
