"""What becomes of each order to Alipay: the table of outcomes, and what exactly is asked. The
client itself is tested in its own room.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from actors.machine.code import CodeStatus, Says
from actors.machine.effects import (
    ChangeCodeStatus,
    CreateCode,
    DeleteCode,
    ModifyCode,
    ProviderCall,
    QueryRefund,
    SendRefund,
)
from actors.machine.events import (
    CodeCreated,
    CodeDeleted,
    CodeFailed,
    CodeModified,
    CodeStatusChanged,
    Event,
    RefundAccepted,
    RefundNotFound,
    RefundRefused,
    RefundShortOfFunds,
    RefundSucceeded,
    RefundUnknown,
)
from actors.machine.ids import Currency, MachineId, RefundId, TradeId
from actors.performer import Merchant, Performer
from actors.ports import Place
from alipay_client import AlipayClient
from alipay_client.errors import Misused, OutcomeUnknown, Refused, Retry, Untrusted
from alipay_client.messages import CodeAction, CodeAnswer, RefundAnswer, RefundState, Shop

pytestmark = pytest.mark.virtual_time

MERCHANT = Merchant(
    secondary_merchant_id="m_1",
    secondary_merchant_name="Vending Ltd",
    secondary_merchant_industry="5499",
)
PLACE = Place(
    machine_id=MachineId("VM-1"),
    store_name="Lobby",
    country_code="HK",
    address="1 Test Road",
    notify_url="https://pay.example/n/token",
)
REFUND = SendRefund(
    refund_id=RefundId("t-1R1"),
    trade_id=TradeId("t-1"),
    partner_trans_id="out-1",
    amount_minor=500,
    currency=Currency("HKD"),
)
QUERY = QueryRefund(refund_id=RefundId("t-1R1"), partner_trans_id="out-1")
STOP = ChangeCodeStatus(qr_payload="https://qr.alipay.com/x", status=CodeStatus.STOPPED)
RESTART = ChangeCodeStatus(qr_payload="https://qr.alipay.com/x", status=CodeStatus.ACTIVE)


class Client:
    """Stands at the edge: answers or raises what the test says, and keeps what it was asked."""

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome
        self.asked: list[Any] = []

    async def _answer(self, message: object) -> object:
        self.asked.append(message)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        if callable(self.outcome):
            return await self.outcome()
        return self.outcome

    refund = query_refund = create_code = modify_code = modify_code_status = _answer


async def perform(
    call: ProviderCall, outcome: object, *, merchant: Merchant = MERCHANT
) -> tuple[Event, Client]:
    """Perform one call against one outcome."""
    client = Client(outcome)
    performer = Performer(cast("AlipayClient", client), merchant)
    return await performer.perform(call, PLACE, Currency("HKD")), client


def answer(state: RefundState, error: str = "") -> RefundAnswer:
    """Alipay's answer about the refund."""
    return RefundAnswer(state=state, partner_refund_id="t-1R1", error=error)


@pytest.mark.parametrize(
    ("call", "outcome", "expected"),
    [
        (REFUND, answer(RefundState.SUCCEEDED), RefundSucceeded),
        (REFUND, answer(RefundState.ACCEPTED), RefundAccepted),
        (REFUND, answer(RefundState.NOT_FOUND), RefundUnknown),
        (REFUND, answer(RefundState.FAILED), RefundUnknown),
        (
            REFUND,
            Refused("MERCHANT_BALANCE_NOT_ENOUGH", retry=Retry.LATER_SAME_ID),
            RefundShortOfFunds,
        ),
        (REFUND, Refused("TRADE_HAS_CLOSE"), RefundRefused),
        (REFUND, Misused("bad_amount"), RefundRefused),
        (REFUND, OutcomeUnknown("timeout"), RefundUnknown),
        (REFUND, Untrusted("bad_signature"), RefundUnknown),
        (REFUND, ZeroDivisionError("ours"), RefundUnknown),
        (QUERY, answer(RefundState.SUCCEEDED), RefundSucceeded),
        (QUERY, answer(RefundState.ACCEPTED), RefundAccepted),
        (QUERY, answer(RefundState.NOT_FOUND), RefundNotFound),
        (QUERY, answer(RefundState.FAILED, "MERCHANT_BALANCE_NOT_ENOUGH"), RefundShortOfFunds),
        (QUERY, answer(RefundState.FAILED, "TRADE_HAS_CLOSE"), RefundRefused),
        (QUERY, Refused("ILLEGAL_PARTNER_EXTERFACE"), RefundUnknown),
        (QUERY, Misused("bad_id"), RefundUnknown),
        (QUERY, OutcomeUnknown("timeout"), RefundUnknown),
        (CreateCode(), CodeAnswer(qrcode="https://qr.alipay.com/x"), CodeCreated),
        (CreateCode(), Refused("ILLEGAL_SIGN"), CodeFailed),
        (CreateCode(), OutcomeUnknown("timeout"), CodeFailed),
        (STOP, CodeAnswer(qrcode="https://qr.alipay.com/x"), CodeStatusChanged),
        (STOP, ZeroDivisionError("ours"), CodeFailed),
    ],
)
async def test_every_outcome_is_an_event(
    call: ProviderCall, outcome: object, expected: type[Event]
) -> None:
    """Done, refused and unknown stay three different answers, and nothing is raised."""
    event, _ = await perform(call, outcome)

    assert type(event) is expected


@pytest.mark.parametrize(
    ("outcome", "final"), [(Refused("X"), True), (Misused("x"), True), (OutcomeUnknown("x"), False)]
)
async def test_a_code_is_given_up_only_after_a_definite_no(outcome: Exception, final: bool) -> None:
    """Whatever is unknown is tried again."""
    event, _ = await perform(CreateCode(), outcome)

    assert isinstance(event, CodeFailed)
    assert event.final is final


async def test_a_refused_question_refuses_no_refund() -> None:
    """That Alipay does not answer a query says nothing about the money."""
    event, _ = await perform(QUERY, Refused("ILLEGAL_PARTNER_EXTERFACE", "not in the contract"))

    assert event == RefundUnknown(
        refund_id=RefundId("t-1R1"), detail="ILLEGAL_PARTNER_EXTERFACE: not in the contract"
    )


async def test_a_refund_is_asked_for_at_once_under_its_saved_id() -> None:
    """Synchronous, with both of the trade's names and our id."""
    _, client = await perform(REFUND, answer(RefundState.SUCCEEDED))
    asked = client.asked[0]

    assert (
        "t-1R1",
        "out-1",
        "t-1",
    ) == (asked.partner_refund_id, asked.partner_trans_id, asked.alipay_trans_id)
    assert (500, "HKD", True) == (asked.amount_minor, asked.currency, asked.synchronous)


async def test_a_query_that_succeeds_says_so() -> None:
    """The source of the knowledge is kept."""
    event, _ = await perform(QUERY, answer(RefundState.SUCCEEDED))

    assert event == RefundSucceeded(refund_id=RefundId("t-1R1"), source="query")


async def test_a_code_names_the_machine_and_its_own_notify_url() -> None:
    """What comes back in a notification leads to the machine by two ways."""
    event, client = await perform(
        CreateCode(), CodeAnswer(qrcode="https://qr.alipay.com/x", image_url="https://img")
    )
    asked = client.asked[0]

    assert event == CodeCreated(qr_payload="https://qr.alipay.com/x", image_url="https://img")
    assert "https://pay.example/n/token" == asked.notify_url
    assert asked.shop == Shop(
        secondary_merchant_id="m_1",
        secondary_merchant_name="Vending Ltd",
        secondary_merchant_industry="5499",
        store_id="VM-1",
        store_name="Lobby",
        trans_currency="HKD",
        currency="HKD",
        country_code="HK",
        address="1 Test Road",
        passback_parameters={"machine": "VM-1"},
    )


async def test_the_settlement_currency_is_the_merchants_if_they_have_one() -> None:
    """CNY settlement of HKD trades, for example."""
    merchant = Merchant(
        secondary_merchant_id="m",
        secondary_merchant_name="n",
        secondary_merchant_industry="5499",
        settlement_currency="CNY",
    )
    _, client = await perform(CreateCode(), CodeAnswer(qrcode="x"), merchant=merchant)

    assert ("HKD", "CNY") == (client.asked[0].shop.trans_currency, client.asked[0].shop.currency)


@pytest.mark.parametrize(
    ("call", "action"), [(STOP, CodeAction.STOP), (RESTART, CodeAction.RESTART)]
)
async def test_a_code_is_stopped_and_restarted(call: ChangeCodeStatus, action: CodeAction) -> None:
    """It is never deleted: that could not be undone."""
    event, client = await perform(call, CodeAnswer(qrcode="x"))

    assert event == CodeStatusChanged(status=call.status)
    assert client.asked[0].action is action


async def test_a_code_is_modified_to_what_the_registry_has_and_that_is_what_is_confirmed() -> None:
    """All of it is sent again; the store's id is the one that Alipay has it under."""
    says = Says(notify="n", name="s", address="a", store="VM-1_2")
    place = replace(PLACE, says=says)
    client = Client(CodeAnswer(qrcode="https://qr.alipay.com/x"))
    performer = Performer(cast("AlipayClient", client), MERCHANT)
    call = ModifyCode(qr_payload="https://qr.alipay.com/x", store="VM-1_2")
    found = await performer.perform(call, place, Currency("HKD"))
    assert CodeModified(says=says) == found
    (asked,) = client.asked
    assert ("https://qr.alipay.com/x", PLACE.notify_url) == (asked.qrcode, asked.notify_url)
    assert ("VM-1_2", "Lobby", "1 Test Road") == (
        asked.shop.store_id,
        asked.shop.store_name,
        asked.shop.address,
    )

    await performer.perform(CreateCode(store="VM-1_1"), place, Currency("HKD"))
    assert "VM-1_1" == client.asked[-1].shop.store_id


@pytest.mark.parametrize("call", [ModifyCode(qr_payload="x"), DeleteCode(qr_payload="x")])
async def test_a_call_about_what_is_there_is_refused_or_unknown(call: ProviderCall) -> None:
    """No time-out is a no."""
    for outcome, final in ((Refused("ILLEGAL_SIGN"), True), (OutcomeUnknown("timeout"), False)):
        event, _ = await perform(call, outcome)
        assert isinstance(event, CodeFailed)
        assert final is event.final


async def test_a_code_is_deleted_by_its_text() -> None:
    """It can never be restarted."""
    event, client = await perform(DeleteCode(qr_payload="x"), CodeAnswer(qrcode="x"))
    assert CodeDeleted() == event
    (asked,) = client.asked
    assert ("x", CodeAction.DELETE) == (asked.qrcode, asked.action)


async def test_a_status_that_no_code_can_have_is_final() -> None:
    """It is not sent."""
    event, client = await perform(
        ChangeCodeStatus(qr_payload="x", status=CodeStatus.PENDING), CodeAnswer(qrcode="x")
    )

    assert isinstance(event, CodeFailed)
    assert event.final
    assert [] == client.asked


async def test_a_call_that_never_ends_is_unknown_after_a_minute() -> None:
    """A bound on everything, and no time-out is a failure."""
    event, _ = await perform(REFUND, asyncio.Event().wait)

    assert isinstance(event, RefundUnknown)
    assert asyncio.get_running_loop().time() == pytest.approx(60)


async def test_no_more_calls_than_allowed_are_in_flight() -> None:
    """The others wait for room, and their minute has not begun."""
    now = 0
    most = 0

    async def slowly() -> RefundAnswer:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(50)
        now -= 1
        return answer(RefundState.SUCCEEDED)

    slow: Callable[[], object] = slowly
    performer = Performer(cast("AlipayClient", Client(slow)), MERCHANT, in_flight_max=2)
    events = await asyncio.gather(
        *(performer.perform(REFUND, PLACE, Currency("HKD")) for _ in range(6))
    )

    assert 2 == most
    assert [type(event) for event in events] == [RefundSucceeded] * 6


async def test_cancelling_is_not_an_outcome() -> None:
    """A host that stops leaves the call to its successor."""
    performing = asyncio.create_task(perform(REFUND, asyncio.Event().wait))
    await asyncio.sleep(1)
    performing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await performing
