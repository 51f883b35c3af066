"""Makes one call to Alipay and returns what became of it, as an event. It decides nothing.

Refused, unknown and done are three different answers: no time-out and no exception becomes a
refusal or a success. What Alipay refused for want of settlement funds may be tried again under the
same id (docs/alipay.md 5.4).
"""

import asyncio
from dataclasses import dataclass
from typing import assert_never

import structlog

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
from actors.machine.ids import Currency, RefundId
from actors.machine.values import replace
from actors.ports import Place
from alipay_client import messages
from alipay_client.answers import SHORT_OF_FUNDS
from alipay_client.client import AlipayClient
from alipay_client.errors import AlipayError, Misused, Refused, Retry, Unlisted

_ACTIONS = {
    CodeStatus.ACTIVE: messages.CodeAction.RESTART,
    CodeStatus.STOPPED: messages.CodeAction.STOP,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Who sells, as Alipay knows them (biz_data, docs/alipay.md 4.1). ``settlement_currency``
    empty: the machine's own.
    """

    secondary_merchant_id: str
    secondary_merchant_name: str
    secondary_merchant_industry: str
    settlement_currency: str = ""


class Performer:
    """Makes the calls of all machines of a host: at most ``in_flight_max`` at a time, each for at
    most ``call_max_s`` seconds.
    """

    def __init__(
        self,
        alipay: AlipayClient,
        merchant: Merchant,
        *,
        in_flight_max: int = 32,
        call_max_s: float = 60.0,
    ) -> None:
        self._alipay = alipay
        self._merchant = merchant
        self._room = asyncio.Semaphore(in_flight_max)
        self._call_max_s = call_max_s

    async def perform(self, call: ProviderCall, place: Place, currency: Currency) -> Event:
        """Make the call and return what became of it. Raises CancelledError only; then the outcome
        is unknown.
        """
        async with self._room:
            try:
                async with asyncio.timeout(self._call_max_s):
                    return await self._make(call, place, currency)
            except AlipayError as error:
                event = _event_of(call, error)
                log.warning(
                    "alipay said no",
                    machine_id=place.machine_id,
                    order=type(call).__name__,
                    code=error.code,
                    event_=_name(event),
                )
                return event
            except TimeoutError:
                return unknown(call, f"no answer within {self._call_max_s:g} s")
            except Exception as error:
                log.exception(
                    "a call to alipay broke", machine_id=place.machine_id, order=type(call).__name__
                )
                return unknown(call, f"{type(error).__name__} on our side")

    async def _make(self, call: ProviderCall, place: Place, currency: Currency) -> Event:
        match call:
            case SendRefund():
                answer = await self._alipay.refund(
                    messages.Refund(
                        partner_trans_id=call.partner_trans_id,
                        partner_refund_id=call.refund_id,
                        amount_minor=call.amount_minor,
                        currency=call.currency,
                        alipay_trans_id=call.trade_id,
                        synchronous=call.synchronous,
                        notify_url="" if call.synchronous else place.notify_url,
                    )
                )
                return refund_answered(call.refund_id, answer)
            case QueryRefund():
                answer = await self._alipay.query_refund(
                    messages.QueryRefund(
                        partner_trans_id=call.partner_trans_id, partner_refund_id=call.refund_id
                    )
                )
                return query_answered(call.refund_id, answer)
            case CreateCode():
                code = await self._alipay.create_code(
                    messages.CreateCode(
                        shop=self._shop(place, currency, call.store), notify_url=place.notify_url
                    )
                )
                return CodeCreated(qr_payload=code.qrcode, image_url=code.image_url)
            case ModifyCode():
                await self._alipay.modify_code(
                    messages.ModifyCode(
                        qrcode=call.qr_payload,
                        shop=self._shop(place, currency, call.store),
                        notify_url=place.notify_url,
                    )
                )
                return CodeModified(says=replace(place.says or Says(), store=call.store))
            case DeleteCode():
                await self._alipay.modify_code_status(
                    messages.ModifyCodeStatus(
                        qrcode=call.qr_payload, action=messages.CodeAction.DELETE
                    )
                )
                return CodeDeleted()
            case ChangeCodeStatus():
                action = _ACTIONS.get(call.status)
                if action is None:
                    return CodeFailed(final=True, detail=f"no code can be made {call.status}")
                await self._alipay.modify_code_status(
                    messages.ModifyCodeStatus(qrcode=call.qr_payload, action=action)
                )
                return CodeStatusChanged(status=call.status)
            case _:
                assert_never(call)

    def _shop(self, place: Place, currency: Currency, store: str) -> messages.Shop:
        return messages.Shop(
            secondary_merchant_id=self._merchant.secondary_merchant_id,
            secondary_merchant_name=self._merchant.secondary_merchant_name,
            secondary_merchant_industry=self._merchant.secondary_merchant_industry,
            store_id=store or place.machine_id,
            store_name=place.store_name,
            trans_currency=currency,
            currency=self._merchant.settlement_currency or currency,
            country_code=place.country_code,
            address=place.address,
            passback_parameters={"machine": place.machine_id},
        )


def refund_answered(refund_id: RefundId, answer: messages.RefundAnswer) -> Event:
    """Return what Alipay's answer to a refund request means."""
    match answer.state:
        case messages.RefundState.SUCCEEDED:
            return RefundSucceeded(refund_id=refund_id)
        case messages.RefundState.ACCEPTED:
            return RefundAccepted(refund_id=refund_id)
        case messages.RefundState.NOT_FOUND | messages.RefundState.FAILED:
            return RefundUnknown(
                refund_id=refund_id,
                detail=f"a refund was answered {answer.state} {answer.error}".rstrip(),
                ask_first=True,
            )
        case _:
            assert_never(answer.state)


def query_answered(refund_id: RefundId, answer: messages.RefundAnswer) -> Event:
    """Return what Alipay's answer to a refund query means; only a query can refuse or find
    nothing.
    """
    match answer.state:
        case messages.RefundState.SUCCEEDED:
            return RefundSucceeded(refund_id=refund_id, source="query")
        case messages.RefundState.ACCEPTED:
            return RefundAccepted(refund_id=refund_id)
        case messages.RefundState.NOT_FOUND:
            return RefundNotFound(refund_id=refund_id)
        case messages.RefundState.FAILED if answer.error == SHORT_OF_FUNDS:
            return RefundShortOfFunds(refund_id=refund_id, detail=answer.error)
        case messages.RefundState.FAILED:
            return RefundRefused(
                refund_id=refund_id, detail=answer.error or "FAILED", source="query"
            )
        case _:
            assert_never(answer.state)


def _event_of(call: ProviderCall, error: AlipayError) -> Event:
    """Refused and Misused are definite: this call did nothing. Anything else is unknown."""
    detail = str(error)
    match error, call:
        case Refused(retry=Retry.LATER_SAME_ID), SendRefund() | QueryRefund():
            return RefundShortOfFunds(refund_id=call.refund_id, detail=detail)
        case Unlisted(), SendRefund():
            return RefundUnknown(refund_id=call.refund_id, detail=detail, ask_first=True)
        case Refused() | Misused(), SendRefund():
            return RefundRefused(refund_id=call.refund_id, detail=detail)
        case Refused() | Misused(), CreateCode() | ChangeCodeStatus() | ModifyCode() | DeleteCode():
            later = isinstance(error, Refused) and error.retry is Retry.LATER_SAME_ID
            return CodeFailed(final=not later, detail=detail)
        case _:
            return unknown(call, detail)


def unknown(call: ProviderCall, detail: str) -> Event:
    """Return the event of a call whose outcome cannot be known; ``detail`` tells why."""
    match call:
        case SendRefund() | QueryRefund():
            return RefundUnknown(refund_id=call.refund_id, detail=detail)
        case CreateCode() | ChangeCodeStatus() | ModifyCode() | DeleteCode():
            return CodeFailed(final=False, detail=detail)
        case _:
            assert_never(call)


def _name(event: Event) -> str:
    return type(event).__name__
