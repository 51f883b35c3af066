# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# trade_service.proto
"""TradeService: payments and who made them, refunds and the sums of the ledger. Lists are answered
from SQL alone.
"""

from gateway.fleet import filters, pages, views
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.errors import not_found
from gateway.fleet.money_calls import MoneyCalls
from gateway.fleet.payer_calls import PayerCalls
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import trade_pb2, trade_service_pb2_grpc
from gateway.fleet.v1 import trade_service_pb2 as wire
from storage.fleet.erasures import ErasureView
from storage.fleet.halted_money import OPEN_REFUNDS
from storage.fleet.views import RefundView


class TradeService(trade_service_pb2_grpc.TradeServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._calls = MoneyCalls(acts=parts.acts)
        self._payers = PayerCalls(acts=parts.acts)

    @answered
    async def ListTrades(
        self, request: wire.ListTradesRequest, context: Context
    ) -> wire.ListTradesResponse:
        fields = Fields()
        status = fields.word("status", trade_pb2.TradeStatus, request.status)
        wanted = filters.records(
            fields, request, at="received_at", statuses=(status,) if status else ()
        )
        asked = fields.done_page(request, "trades", wanted)
        rows = await self.parts.queries.trades(wanted, position=asked.position, limit=asked.rows)
        await self.parts.check_found(rows, wanted)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListTradesResponse(
            trades=map(views.trade, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def GetTrade(
        self, request: wire.GetTradeRequest, context: Context
    ) -> wire.GetTradeResponse:
        Fields().some_id("trade_id", request.trade_id).done()
        view = await self.parts.queries.trade(request.trade_id)
        if view is None:
            raise not_found("trade", request.trade_id)
        return wire.GetTradeResponse(trade=views.trade(view))

    @answered
    async def ListRefunds(
        self, request: wire.ListRefundsRequest, context: Context
    ) -> wire.ListRefundsResponse:
        fields = Fields()
        statuses = fields.words("statuses", trade_pb2.RefundStatus, request.statuses)
        if request.open:
            # What is over and open at once is nothing, which is said and not shown.
            statuses = tuple(one for one in statuses or OPEN_REFUNDS if one in OPEN_REFUNDS)
            if not statuses:
                fields.wrong("open", "none of the statuses is open: leave one of the two out")
        wanted = filters.records(fields, request, at="due_at", statuses=statuses)
        asked = fields.done_page(request, "refunds", wanted)
        rows = await self.parts.queries.refunds(wanted, position=asked.position, limit=asked.rows)
        await self.parts.check_found(rows, wanted)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListRefundsResponse(
            refunds=map(views.refund, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def GetRefund(
        self, request: wire.GetRefundRequest, context: Context
    ) -> wire.GetRefundResponse:
        Fields().some_id("refund_id", request.refund_id).done()
        view = await self.parts.acts.refund(request.refund_id)
        return wire.GetRefundResponse(refund=views.refund(view))

    @answered
    async def RetryRefund(
        self, request: wire.RetryRefundRequest, context: Context
    ) -> wire.RetryRefundResponse:
        def answer(view: RefundView) -> wire.RetryRefundResponse:
            return wire.RetryRefundResponse(refund=views.refund(view))

        return await self.parts.change(
            request, context, self._calls.retry_refund, answer, wire.RetryRefundResponse
        )

    @answered
    async def QueryRefund(
        self, request: wire.QueryRefundRequest, context: Context
    ) -> wire.QueryRefundResponse:
        def answer(view: RefundView) -> wire.QueryRefundResponse:
            return wire.QueryRefundResponse(refund=views.refund(view))

        return await self.parts.change(
            request, context, self._calls.query_refund, answer, wire.QueryRefundResponse
        )

    @answered
    async def WriteOffRefund(
        self, request: wire.WriteOffRefundRequest, context: Context
    ) -> wire.WriteOffRefundResponse:
        def answer(view: RefundView) -> wire.WriteOffRefundResponse:
            return wire.WriteOffRefundResponse(refund=views.refund(view))

        return await self.parts.change(
            request, context, self._calls.write_off_refund, answer, wire.WriteOffRefundResponse
        )

    @answered
    async def ErasePayer(
        self, request: wire.ErasePayerRequest, context: Context
    ) -> wire.ErasePayerResponse:
        def answer(view: ErasureView) -> wire.ErasePayerResponse:
            return wire.ErasePayerResponse(erased=view.erased)

        return await self.parts.change(
            request, context, self._payers.erase_payer, answer, wire.ErasePayerResponse
        )

    @answered
    async def GetBalances(
        self, request: wire.GetBalancesRequest, context: Context
    ) -> wire.GetBalancesResponse:
        Fields().machine_id(request.machine_id, needed=False).done()
        if request.machine_id:
            await self.parts.acts.machine(request.machine_id)
            balances = await self.parts.queries.balances(request.machine_id)
        else:
            balances = await self.parts.queries.fleet_balances()
        return wire.GetBalancesResponse(balances=map(views.balance, balances))

    @answered
    async def ListReconciliations(
        self, request: wire.ListReconciliationsRequest, context: Context
    ) -> wire.ListReconciliationsResponse:
        asked = Fields().done_page(request, "reconciliations")
        rows = await self.parts.queries.reconciliations(
            before=pages.number(asked), limit=asked.rows
        )
        page = pages.page(rows, asked, lambda row: str(row.position))
        return wire.ListReconciliationsResponse(
            reconciliations=map(views.reconciliation, page.rows),
            next_page_token=page.next_page_token,
        )
