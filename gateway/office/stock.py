# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# stock_service.proto
"""StockService: what shall be in the columns, what is low, and what is to be brought."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import stock_calls, stock_views
from gateway.office.errors import in_words
from gateway.office.place_fields import PlaceFields
from gateway.office.stock_calls import StockCalls
from gateway.office.v1 import stock_service_pb2 as wire
from gateway.office.v1 import stock_service_pb2_grpc
from storage.office.pars import Pars, ParsView
from storage.office.selectors import Selectors
from storage.office.shrinkage import Shrinkage
from storage.office.stock_lists import StockLists
from storage.office.supply import HOUR_MS

MACHINES_MAX = 50


class StockService(stock_service_pb2_grpc.StockServiceServicer):
    """One method for each call."""

    def __init__(
        self,
        parts: Parts,
        pars: Pars,
        lists: StockLists,
        selectors: Selectors,
        shrinkage: Shrinkage,
    ) -> None:
        self.parts = parts
        self._pars = pars
        self._lists = lists
        self._selectors = selectors
        self._shrinkage = shrinkage
        self._clock = parts.acts.clock
        self._calls = StockCalls(pars=pars, clock=parts.acts.clock)

    @answered
    async def SetPars(self, request: wire.SetParsRequest, context: Context) -> wire.SetParsResponse:
        def answer(view: ParsView) -> wire.SetParsResponse:
            return wire.SetParsResponse(pars=map(stock_views.par, view.pars), etag=view.etag)

        return await self.parts.change(
            request, context, self._calls.set_pars, answer, wire.SetParsResponse
        )

    @answered
    async def GetPars(self, request: wire.GetParsRequest, context: Context) -> wire.GetParsResponse:
        PlaceFields().machine_id(request.machine_id).done()
        with in_words():
            view = await self._pars.get(request.machine_id)
        return wire.GetParsResponse(pars=map(stock_views.par, view.pars), etag=view.etag)

    @answered
    async def ListLowStock(
        self, request: wire.ListLowStockRequest, context: Context
    ) -> wire.ListLowStockResponse:
        now_ms = self._clock.now_ms()
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        below = stock_calls.percent(fields, request.below_percent)
        within = stock_calls.hours(fields, "within_hours", request.within_hours)
        since_ms = stock_calls.since_ms(fields, request.sales_days, now_ms)
        filters = (selector, below, within, request.sales_days)
        asked = fields.done_page(request, "low stock", *filters, most=MACHINES_MAX)
        with in_words():
            held = await self._selectors.page(
                selector, now_ms, position=asked.position, limit=asked.limit
            )
        lines = await self._lists.lines(held.machine_ids, since_ms=since_ms, now_ms=now_ms)
        return wire.ListLowStockResponse(
            lines=[stock_views.line(line) for line in lines if line.is_low(below, within)],
            next_page_token=pages.next_token(asked, held.position),
        )

    @answered
    async def ListShrinkage(
        self, request: wire.ListShrinkageRequest, context: Context
    ) -> wire.ListShrinkageResponse:
        now_ms = self._clock.now_ms()
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        since_ms = stock_calls.since_ms(fields, request.days, now_ms, field="days")
        asked = fields.done_page(request, "shrinkage", selector, request.days, most=MACHINES_MAX)
        with in_words():
            held = await self._selectors.page(
                selector, now_ms, position=asked.position, limit=asked.limit
            )
        lines = await self._shrinkage.lines(held.machine_ids, since_ms=since_ms)
        return wire.ListShrinkageResponse(
            lines=map(stock_views.shrinkage, lines),
            next_page_token=pages.next_token(asked, held.position),
        )

    @answered
    async def GetPickList(
        self, request: wire.GetPickListRequest, context: Context
    ) -> wire.GetPickListResponse:
        now_ms = self._clock.now_ms()
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        ahead = stock_calls.hours(fields, "arrives_in_hours", request.arrives_in_hours)
        since_ms = stock_calls.since_ms(fields, request.sales_days, now_ms)
        fields.done()
        with in_words():
            picked = await self._lists.picked(
                selector, since_ms=since_ms, now_ms=now_ms, ahead_ms=ahead * HOUR_MS
            )
        return wire.GetPickListResponse(
            totals=stock_views.totals(picked.lines),
            lines=map(stock_views.line, picked.lines),
            machines=picked.machines,
        )
