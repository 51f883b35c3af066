"""Calls that are under way: bounded, and one of a kind."""

import asyncio

import pytest

from actors.host.calls import Calls
from actors.machine.effects import CreateCode, SendRefund
from actors.machine.events import Event
from actors.machine.ids import Currency, MachineId, RefundId, TradeId
from actors.ports import Place
from tests.support.stage import Provider

pytestmark = pytest.mark.virtual_time

VM = MachineId("VM-1")
PLACE = Place(machine_id=VM, store_name="s", country_code="HK", address="a", notify_url="n")
HKD = Currency("HKD")


def refund(number: int) -> SendRefund:
    """The machine's ``number``-th refund."""
    return SendRefund(
        refund_id=RefundId(f"t-{number}R1"),
        trade_id=TradeId(f"t-{number}"),
        partner_trans_id="o",
        amount_minor=1,
        currency=HKD,
    )


async def test_a_call_under_way_is_not_made_again_and_may_be_made_later() -> None:
    """Ordered twice, made once, answered once; after its answer the same order is a new one."""
    provider, answered = Provider(), list[tuple[MachineId, Event]]()
    calls = Calls(provider, in_flight_max=4, answered=lambda *answer: answered.append(answer))
    provider.gate = asyncio.Event()
    calls.start(VM, refund(1), PLACE, HKD)
    calls.start(VM, refund(1), PLACE, HKD)
    calls.start(VM, CreateCode(), PLACE, HKD)
    await asyncio.sleep(1)
    assert (2, 2, 2) == (len(provider.calls), len(calls), calls.of(VM))
    provider.gate.set()
    await asyncio.sleep(1)
    assert (2, 0, 0) == (len(answered), len(calls), calls.of(VM))
    calls.start(VM, refund(1), PLACE, HKD)
    await asyncio.sleep(1)

    assert 3 == len(provider.calls)


async def test_no_more_than_allowed_are_in_flight() -> None:
    """The others wait, and are made in their order."""
    provider, answered = Provider(), list[tuple[MachineId, Event]]()
    calls = Calls(provider, in_flight_max=2, answered=lambda *answer: answered.append(answer))
    provider.gate = asyncio.Event()
    for number in range(5):
        calls.start(VM, refund(number), PLACE, HKD)
    await asyncio.sleep(1)
    assert 2 == len(provider.calls)
    provider.gate.set()
    await asyncio.sleep(1)

    assert [call for _, call in provider.calls] == [refund(number) for number in range(5)]
    assert 5 == len(answered)


async def test_closing_abandons_what_is_under_way() -> None:
    """Nobody is told: the state owes it."""
    provider, answered = Provider(), list[tuple[MachineId, Event]]()
    calls = Calls(provider, in_flight_max=1, answered=lambda *answer: answered.append(answer))
    provider.gate = asyncio.Event()
    calls.start(VM, refund(1), PLACE, HKD)
    calls.start(VM, refund(2), PLACE, HKD)
    await asyncio.sleep(1)
    await calls.close()
    provider.gate.set()
    await asyncio.sleep(1)

    assert (1, []) == (len(provider.calls), answered)


async def test_a_call_that_is_dropped_before_it_began_may_be_made_later() -> None:
    """Of a machine that comes back to this host, say; nothing of it is left, whenever it left."""
    provider, answered = Provider(), list[tuple[MachineId, Event]]()
    calls = Calls(provider, in_flight_max=4, answered=lambda *answer: answered.append(answer))
    calls.start(VM, refund(1), PLACE, HKD)
    calls.drop(VM)
    await asyncio.sleep(1)
    assert ([], 0, 0) == (provider.calls, len(calls), calls.of(VM))
    calls.start(VM, refund(1), PLACE, HKD)
    await asyncio.sleep(1)
    assert 1 == len(provider.calls) == len(answered)
