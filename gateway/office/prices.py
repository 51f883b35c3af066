# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# price_service.proto
"""PriceService: price lists and what products cost in them, from when on."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import price_csv, price_file_views, views
from gateway.office.errors import in_words
from gateway.office.fields import OfficeFields
from gateway.office.price_calls import PriceCalls
from gateway.office.v1 import price_service_pb2 as wire
from gateway.office.v1 import price_service_pb2_grpc
from storage.office.price_files import PriceFiles
from storage.office.prices import PriceListView, Prices, PriceView


class PriceService(price_service_pb2_grpc.PriceServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, prices: Prices, files: PriceFiles) -> None:
        self.parts = parts
        self._prices = prices
        self._files = files
        self._calls = PriceCalls(prices=prices, files=files, clock=parts.acts.clock)

    @answered
    async def CreatePriceList(
        self, request: wire.CreatePriceListRequest, context: Context
    ) -> wire.CreatePriceListResponse:
        def answer(view: PriceListView) -> wire.CreatePriceListResponse:
            return wire.CreatePriceListResponse(price_list=views.price_list(view))

        return await self.parts.change(
            request, context, self._calls.create, answer, wire.CreatePriceListResponse
        )

    @answered
    async def GetPriceList(
        self, request: wire.GetPriceListRequest, context: Context
    ) -> wire.GetPriceListResponse:
        OfficeFields().product(request.price_list, field="price_list").done()
        with in_words():
            view = await self._prices.get(request.price_list)
        return wire.GetPriceListResponse(price_list=views.price_list(view))

    @answered
    async def ListPriceLists(
        self, request: wire.ListPriceListsRequest, context: Context
    ) -> wire.ListPriceListsResponse:
        shown = request.show_archived
        asked = OfficeFields().done_page(request, "price lists", shown)
        rows = await self._prices.page(archived=shown, after=asked.position, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: row.price_list)
        return wire.ListPriceListsResponse(
            price_lists=map(views.price_list, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ArchivePriceList(
        self, request: wire.ArchivePriceListRequest, context: Context
    ) -> wire.ArchivePriceListResponse:
        def answer(view: PriceListView) -> wire.ArchivePriceListResponse:
            return wire.ArchivePriceListResponse(price_list=views.price_list(view))

        return await self.parts.change(
            request, context, self._calls.archive, answer, wire.ArchivePriceListResponse
        )

    @answered
    async def RestorePriceList(
        self, request: wire.RestorePriceListRequest, context: Context
    ) -> wire.RestorePriceListResponse:
        def answer(view: PriceListView) -> wire.RestorePriceListResponse:
            return wire.RestorePriceListResponse(price_list=views.price_list(view))

        return await self.parts.change(
            request, context, self._calls.restore, answer, wire.RestorePriceListResponse
        )

    @answered
    async def SetPrices(
        self, request: wire.SetPricesRequest, context: Context
    ) -> wire.SetPricesResponse:
        def answer(done: tuple[PriceListView, list[PriceView]]) -> wire.SetPricesResponse:
            price_list, prices = done
            return wire.SetPricesResponse(
                price_list=views.price_list(price_list), prices=map(views.price, prices)
            )

        return await self.parts.change(
            request, context, self._calls.set_prices, answer, wire.SetPricesResponse
        )

    @answered
    async def GetPrice(
        self, request: wire.GetPriceRequest, context: Context
    ) -> wire.GetPriceResponse:
        fields = OfficeFields().product(request.price_list, field="price_list")
        fields.product(request.product).currency(request.currency)
        at_ms = self.parts.acts.clock.now_ms()
        if request.HasField("at"):
            at_ms = fields.time_ms("at", request.at)
        fields.done()
        with in_words():
            view = await self._prices.price(
                request.price_list, request.product, request.currency, at_ms
            )
        return wire.GetPriceResponse(price=views.price(view))

    @answered
    async def ListPrices(
        self, request: wire.ListPricesRequest, context: Context
    ) -> wire.ListPricesResponse:
        fields = OfficeFields().product(request.price_list, field="price_list")
        if request.product:
            fields.product(request.product)
        at_ms = fields.time_ms("at", request.at) if request.HasField("at") else None
        filters = (request.price_list, request.product, at_ms)
        asked = fields.done_page(request, "prices", *filters)
        with in_words():
            rows = await self._prices.prices(
                request.price_list,
                product=request.product,
                at_ms=at_ms,
                position=asked.position,
                limit=asked.rows,
            )
        page = pages.page(rows, asked, lambda row: row.place)
        return wire.ListPricesResponse(
            prices=map(views.price, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ImportPrices(
        self, request: wire.ImportPricesRequest, context: Context
    ) -> wire.ImportPricesResponse:
        return await self.parts.change(
            request,
            context,
            self._calls.import_file,
            price_file_views.imported,
            wire.ImportPricesResponse,
        )

    @answered
    async def ExportPrices(
        self, request: wire.ExportPricesRequest, context: Context
    ) -> wire.ExportPricesResponse:
        OfficeFields().product(request.price_list, field="price_list").done()
        asked = pages.asked(
            request.page_size or price_csv.LINES_MAX,
            request.page_token,
            "exported prices",
            request.price_list,
            most=price_csv.LINES_MAX,
        )
        with in_words():
            rows = await self._files.page(
                request.price_list,
                now_ms=self.parts.acts.clock.now_ms(),
                position=asked.position,
                limit=asked.rows,
            )
        content, count = price_csv.written(rows[: asked.limit])
        page = pages.page(rows, asked.shorter(count), lambda row: row.place)
        return wire.ExportPricesResponse(csv=content, next_page_token=page.next_page_token)
