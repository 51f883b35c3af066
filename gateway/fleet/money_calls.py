"""The changing calls about money: each request is checked whole, then done by the acts.

Flows in: a request of ``gateway.fleet.v1`` and who asks. Flows out: the refund, vend or closing, or
CallRefused with every problem of the request. An outcome that was forgotten settles nothing.
"""

from dataclasses import dataclass

from gateway.fleet.act import Act
from gateway.fleet.caller import named
from gateway.fleet.money_acts import MoneyActs
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import session_service_pb2, trade_service_pb2, work_item_service_pb2
from storage.fleet.views import ClosingView, RefundView, VendView

_OUTCOMES = {
    session_service_pb2.VEND_OUTCOME_DELIVERED: True,
    session_service_pb2.VEND_OUTCOME_NOT_DELIVERED: False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    acts: MoneyActs

    async def retry_refund(
        self, request: trade_service_pb2.RetryRefundRequest, act: Act
    ) -> RefundView:
        """RetryRefund."""
        Fields().some_id("refund_id", request.refund_id).reason(request.reason).done()
        return await self.acts.retry_refund(request.refund_id, request.reason, act)

    async def query_refund(
        self, request: trade_service_pb2.QueryRefundRequest, act: Act
    ) -> RefundView:
        """QueryRefund."""
        Fields().some_id("refund_id", request.refund_id).reason(request.reason).done()
        return await self.acts.query_refund(request.refund_id, request.reason, act)

    async def write_off_refund(
        self, request: trade_service_pb2.WriteOffRefundRequest, act: Act
    ) -> RefundView:
        """WriteOffRefund."""
        Fields().some_id("refund_id", request.refund_id).reason(request.reason, needed=True).done()
        return await self.acts.write_off_refund(request.refund_id, request.reason, named(act))

    async def settle_vend(
        self, request: session_service_pb2.SettleVendRequest, act: Act
    ) -> VendView:
        """SettleVend."""
        fields = Fields().some_id("vend_id", request.vend_id).reason(request.reason, needed=True)
        delivered = _OUTCOMES.get(request.outcome)
        if delivered is None:
            fields.wrong("outcome", "must be VEND_OUTCOME_DELIVERED or VEND_OUTCOME_NOT_DELIVERED")
        fields.done()
        return await self.acts.settle_vend(
            request.vend_id, request.reason, named(act), delivered=delivered is True
        )

    async def refund_vend(
        self, request: session_service_pb2.RefundVendRequest, act: Act
    ) -> tuple[VendView, list[str]]:
        """RefundVend."""
        Fields().some_id("vend_id", request.vend_id).reason(request.reason, needed=True).done()
        return await self.acts.refund_vend(request.vend_id, request.reason, named(act))

    async def close_work_item(
        self, request: work_item_service_pb2.CloseWorkItemRequest, act: Act
    ) -> ClosingView:
        """CloseWorkItem."""
        Fields().some_id("item_id", request.item_id).reason(request.reason, needed=True).done()
        return await self.acts.close_work_item(request.item_id, request.reason, named(act))
