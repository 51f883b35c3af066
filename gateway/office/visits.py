# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# visit_service.proto
"""VisitService: who is at which machine with what, and what became of it."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import goods_views
from gateway.office import visit_views as views
from gateway.office.errors import in_words
from gateway.office.goods_fields import GoodsFields
from gateway.office.v1 import visit_service_pb2 as wire
from gateway.office.v1 import visit_service_pb2_grpc
from gateway.office.visit_calls import VisitCalls
from storage.office.known import Names
from storage.office.visit_rows import VisitView
from storage.office.visits import VisitAccount, Visits, VisitsWanted


class VisitService(visit_service_pb2_grpc.VisitServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, visits: Visits) -> None:
        self.parts = parts
        self._visits = visits
        self._calls = VisitCalls(visits=visits, clock=parts.acts.clock)

    @answered
    async def OpenVisit(
        self, request: wire.OpenVisitRequest, context: Context
    ) -> wire.OpenVisitResponse:
        def answer(view: VisitView) -> wire.OpenVisitResponse:
            return wire.OpenVisitResponse(visit=views.visit(view))

        return await self.parts.change(
            request, context, self._calls.open, answer, wire.OpenVisitResponse
        )

    @answered
    async def CloseVisit(
        self, request: wire.CloseVisitRequest, context: Context
    ) -> wire.CloseVisitResponse:
        def answer(account: VisitAccount) -> wire.CloseVisitResponse:
            return wire.CloseVisitResponse(
                visit=views.visit(account.visit), lines=map(views.line, account.lines)
            )

        return await self.parts.change(
            request, context, self._calls.close, answer, wire.CloseVisitResponse
        )

    @answered
    async def GetVisit(
        self, request: wire.GetVisitRequest, context: Context
    ) -> wire.GetVisitResponse:
        fields = GoodsFields()
        fields.visit_name(request.visit)
        fields.done()
        with in_words():
            account = await self._visits.account(request.visit)
        return wire.GetVisitResponse(
            visit=views.visit(account.visit),
            lines=map(views.line, account.lines),
            left=map(goods_views.balance, account.left),
        )

    @answered
    async def ListVisits(
        self, request: wire.ListVisitsRequest, context: Context
    ) -> wire.ListVisitsResponse:
        fields = GoodsFields().filters(request, "van")
        if sum(map(bool, (request.machine_id, request.van, request.open))) > 1:
            fields.wrong("machine_id", "must stand alone: one of machine_id, van and open")
        wanted = VisitsWanted(machine_id=request.machine_id, van=request.van, open=request.open)
        asked = fields.done_page(request, "visits", wanted)
        rows = await self._visits.page(
            wanted, before=goods_views.position(asked.position), limit=asked.rows
        )
        if not rows:
            names = Names(machine_id=wanted.machine_id, place=wanted.van)
            with in_words():
                await self._visits.check_known(names)
        page = pages.page(rows, asked, lambda row: str(row.id))
        return wire.ListVisitsResponse(
            visits=map(views.visit, page.rows), next_page_token=page.next_page_token
        )
