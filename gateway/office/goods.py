# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# goods_service.proto
"""GoodsService: goods on their way from the supplier into the columns, and where they are."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import goods_fields
from gateway.office import goods_views as views
from gateway.office.errors import in_words
from gateway.office.goods_fields import GoodsFields
from gateway.office.reversal_calls import ReversalCalls
from gateway.office.v1 import goods_service_pb2 as wire
from gateway.office.v1 import goods_service_pb2_grpc
from gateway.process.texts import plain
from storage.office.balances import GoodsBalanceView
from storage.office.goods import Goods, GoodsMoveView
from storage.office.known import Names
from storage.office.locks import Locks
from storage.office.lots import Lots
from storage.office.reversals import Reversals


class GoodsService(goods_service_pb2_grpc.GoodsServiceServicer):
    """One method for each call."""

    def __init__(
        self, parts: Parts, goods: Goods, reversals: Reversals, lots: Lots, locks: Locks
    ) -> None:
        self.parts = parts
        self._goods = goods
        self._lots = lots
        acts = parts.acts
        self._calls = ReversalCalls(
            registry=acts.registry,
            queries=acts.queries,
            answers=acts.answers,
            store=acts.store,
            commands=acts.commands,
            clock=acts.clock,
            command_timeout_s=acts.command_timeout_s,
            goods=goods,
            locks=locks,
            reversals=reversals,
        )

    @answered
    async def ReceiveGoods(
        self, request: wire.ReceiveGoodsRequest, context: Context
    ) -> wire.ReceiveGoodsResponse:
        def answer(there: list[GoodsBalanceView]) -> wire.ReceiveGoodsResponse:
            return wire.ReceiveGoodsResponse(balances=map(views.balance, there))

        return await self.parts.change(
            request, context, self._calls.receive, answer, wire.ReceiveGoodsResponse
        )

    @answered
    async def TransferGoods(
        self, request: wire.TransferGoodsRequest, context: Context
    ) -> wire.TransferGoodsResponse:
        def answer(there: list[GoodsBalanceView]) -> wire.TransferGoodsResponse:
            return wire.TransferGoodsResponse(balances=map(views.balance, there))

        return await self.parts.change(
            request, context, self._calls.transfer, answer, wire.TransferGoodsResponse
        )

    @answered
    async def WasteGoods(
        self, request: wire.WasteGoodsRequest, context: Context
    ) -> wire.WasteGoodsResponse:
        def answer(there: list[GoodsBalanceView]) -> wire.WasteGoodsResponse:
            return wire.WasteGoodsResponse(balances=map(views.balance, there))

        return await self.parts.change(
            request, context, self._calls.waste, answer, wire.WasteGoodsResponse
        )

    @answered
    async def LoadColumn(
        self, request: wire.LoadColumnRequest, context: Context
    ) -> wire.LoadColumnResponse:
        def answer(there: GoodsBalanceView) -> wire.LoadColumnResponse:
            return wire.LoadColumnResponse(column=views.balance(there))

        return await self.parts.change(
            request, context, self._calls.load, answer, wire.LoadColumnResponse
        )

    @answered
    async def UnloadColumn(
        self, request: wire.UnloadColumnRequest, context: Context
    ) -> wire.UnloadColumnResponse:
        def answer(there: GoodsBalanceView) -> wire.UnloadColumnResponse:
            return wire.UnloadColumnResponse(column=views.balance(there))

        return await self.parts.change(
            request, context, self._calls.unload, answer, wire.UnloadColumnResponse
        )

    @answered
    async def CountColumn(
        self, request: wire.CountColumnRequest, context: Context
    ) -> wire.CountColumnResponse:
        def answer(done: tuple[GoodsBalanceView, int]) -> wire.CountColumnResponse:
            there, difference = done
            return wire.CountColumnResponse(column=views.balance(there), difference=difference)

        return await self.parts.change(
            request, context, self._calls.count, answer, wire.CountColumnResponse
        )

    @answered
    async def ReverseMove(
        self, request: wire.ReverseMoveRequest, context: Context
    ) -> wire.ReverseMoveResponse:
        def answer(done: tuple[GoodsMoveView, str]) -> wire.ReverseMoveResponse:
            move, place = done
            return wire.ReverseMoveResponse(move=views.move(move), place=plain(place))

        return await self.parts.change(
            request, context, self._calls.reverse, answer, wire.ReverseMoveResponse
        )

    @answered
    async def ListGoodsMoves(
        self, request: wire.ListGoodsMovesRequest, context: Context
    ) -> wire.ListGoodsMovesResponse:
        fields = GoodsFields()
        wanted = goods_fields.moves(fields, request)
        asked = fields.done_page(request, "goods moves", wanted)
        before = views.position(asked.position)
        looked = await self._goods.looked(wanted, before=before)
        rows = await self._goods.moves(
            wanted, before=before, limit=asked.rows, down_to=looked.down_to
        )
        if not (rows or looked.more):
            with in_words():
                await self._goods.check_known(goods_fields.names(wanted))
        page = pages.page(rows, asked, lambda row: str(row.id))
        behind = str(looked.down_to) if looked.more else ""
        return wire.ListGoodsMovesResponse(
            moves=map(views.move, page.rows),
            next_page_token=page.next_page_token or pages.next_token(asked, behind),
        )

    @answered
    async def ListGoodsBalances(
        self, request: wire.ListGoodsBalancesRequest, context: Context
    ) -> wire.ListGoodsBalancesResponse:
        fields = GoodsFields().filters(request, "place", "product")
        if sum(map(bool, (request.place, request.machine_id, request.product))) > 1:
            fields.wrong("place", "must stand alone: one of place, machine_id and product")
        filters = (request.place, request.machine_id, request.product)
        asked = fields.done_page(request, "goods balances", *filters)
        rows = await self._goods.balances(
            place=request.place,
            machine_id=request.machine_id,
            product=request.product,
            after=views.key(asked.position),
            limit=asked.rows,
        )
        if not rows:
            place, machine_id, product = filters
            names = Names(place=place, machine_id=machine_id, product=product)
            with in_words():
                await self._goods.check_known(names)
        page = pages.page(rows, asked, views.position_of)
        return wire.ListGoodsBalancesResponse(
            balances=map(views.balance, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListLots(
        self, request: wire.ListLotsRequest, context: Context
    ) -> wire.ListLotsResponse:
        fields = GoodsFields()
        if not request.expires_until:
            fields.wrong("expires_until", "must be given: a day, as 2026-11-28")
        fields.day("expires_until", request.expires_until)
        asked = fields.done_page(request, "lots", request.expires_until)
        rows = await self._lots.page(
            until=request.expires_until, after=views.key(asked.position), limit=asked.rows
        )
        page = pages.page(rows, asked, views.position_of)
        return wire.ListLotsResponse(
            lots=map(views.lot, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListLotColumns(
        self, request: wire.ListLotColumnsRequest, context: Context
    ) -> wire.ListLotColumnsResponse:
        fields = GoodsFields()
        fields.product(request.product).line("lot", request.lot, least=1, most=64)
        asked = fields.done_page(request, "lot columns", request.product, request.lot)
        rows = await self._lots.columns(
            request.product, request.lot, after=asked.position, limit=asked.rows
        )
        if not rows:
            with in_words():
                await self._goods.check_known(Names(product=request.product, lot=request.lot))
        page = pages.page(rows, asked, lambda row: row.place)
        return wire.ListLotColumnsResponse(
            columns=map(views.lot_column, page.rows), next_page_token=page.next_page_token
        )
