# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# work_item_service.proto
"""WorkItemService: what waits for a person, and how people ended it."""

from gateway.fleet import filters, pages, views
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.money_calls import MoneyCalls
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import work_item_pb2, work_item_service_pb2_grpc
from gateway.fleet.v1 import work_item_service_pb2 as wire
from storage.fleet.views import ClosingView


class WorkItemService(work_item_service_pb2_grpc.WorkItemServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._calls = MoneyCalls(acts=parts.acts)

    @answered
    async def ListWorkItems(
        self, request: wire.ListWorkItemsRequest, context: Context
    ) -> wire.ListWorkItemsResponse:
        fields = Fields().machine_id(request.machine_id, needed=False)
        kinds = fields.words("kinds", work_item_pb2.WorkItemKind, request.kinds)
        asked = fields.done_page(request, "work_items", request.machine_id, kinds)
        now_ms = self.parts.acts.clock.now_ms()
        rows = await self.parts.queries.work_items(
            machine_id=request.machine_id,
            kinds=kinds,
            after=asked.position,
            limit=asked.rows,
            now_ms=now_ms,
        )
        if not rows:
            await self.parts.check_known(request.machine_id)
        page = pages.page(rows, asked, lambda row: row.position)
        items = [views.work_item(row, now_ms) for row in page.rows]
        return wire.ListWorkItemsResponse(work_items=items, next_page_token=page.next_page_token)

    @answered
    async def CloseWorkItem(
        self, request: wire.CloseWorkItemRequest, context: Context
    ) -> wire.CloseWorkItemResponse:
        def answer(view: ClosingView) -> wire.CloseWorkItemResponse:
            return wire.CloseWorkItemResponse(
                closing=views.closing(view), already_closed=view.again
            )

        return await self.parts.change(
            request, context, self._calls.close_work_item, answer, wire.CloseWorkItemResponse
        )

    @answered
    async def ListWorkItemClosings(
        self, request: wire.ListWorkItemClosingsRequest, context: Context
    ) -> wire.ListWorkItemClosingsResponse:
        fields = Fields()
        kinds = fields.words("kinds", work_item_pb2.WorkItemKind, request.kinds)
        wanted = filters.records(fields, request, statuses=kinds)
        asked = fields.done_page(request, "closings", wanted)
        rows = await self.parts.queries.closings(wanted, position=asked.position, limit=asked.rows)
        await self.parts.check_found(rows, wanted)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListWorkItemClosingsResponse(
            closings=map(views.closing, page.rows), next_page_token=page.next_page_token
        )
