# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# session_service.proto
"""SessionService: what customers did, and a person's word on it. Lists are answered from SQL
alone.
"""

from gateway.fleet import filters, pages, views
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.errors import not_found
from gateway.fleet.money_calls import MoneyCalls
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import session_pb2, session_service_pb2_grpc
from gateway.fleet.v1 import session_service_pb2 as wire
from storage.fleet.views import SessionView, VendView


class SessionService(session_service_pb2_grpc.SessionServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._calls = MoneyCalls(acts=parts.acts)

    @answered
    async def ListSessions(
        self, request: wire.ListSessionsRequest, context: Context
    ) -> wire.ListSessionsResponse:
        fields = Fields()
        status = fields.word("status", session_pb2.SessionStatus, request.status)
        wanted = filters.records(
            fields, request, at="started_at", statuses=(status,) if status else ()
        )
        asked = fields.done_page(request, "sessions", wanted)
        rows = await self.parts.queries.sessions(wanted, position=asked.position, limit=asked.rows)
        await self.parts.check_found(rows, wanted)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListSessionsResponse(
            sessions=map(views.session, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def GetSession(
        self, request: wire.GetSessionRequest, context: Context
    ) -> wire.GetSessionResponse:
        view = await self._session(request.session_id)
        return wire.GetSessionResponse(session=views.session(view))

    @answered
    async def GetSessionTimeline(
        self, request: wire.GetSessionTimelineRequest, context: Context
    ) -> wire.GetSessionTimelineResponse:
        view = await self._session(request.session_id)
        entries = await self.parts.queries.timeline(request.session_id)
        return wire.GetSessionTimelineResponse(
            session=views.session(view), entries=map(views.timeline_entry, entries)
        )

    async def _session(self, session_id: str) -> SessionView:
        Fields().some_id("session_id", session_id).done()
        view = await self.parts.queries.session(session_id)
        if view is None:
            raise not_found("session", session_id)
        return view

    @answered
    async def ListVends(
        self, request: wire.ListVendsRequest, context: Context
    ) -> wire.ListVendsResponse:
        fields = Fields()
        statuses = fields.words("statuses", session_pb2.VendStatus, request.statuses)
        wanted = filters.records(fields, request, at="requested_at", statuses=statuses)
        asked = fields.done_page(request, "vends", wanted)
        rows = await self.parts.queries.vends(wanted, position=asked.position, limit=asked.rows)
        await self.parts.check_found(rows, wanted)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListVendsResponse(
            vends=map(views.vend, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def GetVend(self, request: wire.GetVendRequest, context: Context) -> wire.GetVendResponse:
        Fields().some_id("vend_id", request.vend_id).done()
        return wire.GetVendResponse(vend=views.vend(await self.parts.acts.vend(request.vend_id)))

    @answered
    async def SettleVend(
        self, request: wire.SettleVendRequest, context: Context
    ) -> wire.SettleVendResponse:
        def answer(view: VendView) -> wire.SettleVendResponse:
            return wire.SettleVendResponse(vend=views.vend(view))

        return await self.parts.change(
            request, context, self._calls.settle_vend, answer, wire.SettleVendResponse
        )

    @answered
    async def RefundVend(
        self, request: wire.RefundVendRequest, context: Context
    ) -> wire.RefundVendResponse:
        def answer(done: tuple[VendView, list[str]]) -> wire.RefundVendResponse:
            vend, refund_ids = done
            return wire.RefundVendResponse(vend=views.vend(vend), refund_ids=refund_ids)

        return await self.parts.change(
            request, context, self._calls.refund_vend, answer, wire.RefundVendResponse
        )
