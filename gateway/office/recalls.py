# ruff: noqa: N802, D102, ARG002 - the names, contracts and arguments of recall_service.proto
"""RecallService: what must not be sold any more, and the columns that are locked for it."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import recall_views as views
from gateway.office.errors import in_words
from gateway.office.fields import OfficeFields
from gateway.office.recall_calls import RecallCalls, Recalled, Released, recall_id
from gateway.office.v1 import recall_service_pb2 as wire
from gateway.office.v1 import recall_service_pb2_grpc
from storage.office.locks import Locks
from storage.office.recalls import Recalls, RecallView


class RecallService(recall_service_pb2_grpc.RecallServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, calls: RecallCalls, recalls: Recalls, locks: Locks) -> None:
        self.parts = parts
        self._calls = calls
        self._recalls = recalls
        self._locks = locks

    @answered
    async def RecallLot(
        self, request: wire.RecallLotRequest, context: Context
    ) -> wire.RecallLotResponse:
        def answer(done: Recalled) -> wire.RecallLotResponse:
            return wire.RecallLotResponse(
                recall=views.recall(done.recall),
                columns=map(views.held, done.columns),
                more=done.more,
            )

        return await self.parts.change(
            request, context, self._calls.recall_lot, answer, wire.RecallLotResponse
        )

    @answered
    async def RecallProduct(
        self, request: wire.RecallProductRequest, context: Context
    ) -> wire.RecallProductResponse:
        def answer(done: Recalled) -> wire.RecallProductResponse:
            return wire.RecallProductResponse(
                recall=views.recall(done.recall),
                columns=map(views.held, done.columns),
                more=done.more,
            )

        return await self.parts.change(
            request, context, self._calls.recall_product, answer, wire.RecallProductResponse
        )

    @answered
    async def ReleaseRecall(
        self, request: wire.ReleaseRecallRequest, context: Context
    ) -> wire.ReleaseRecallResponse:
        def answer(done: Released) -> wire.ReleaseRecallResponse:
            return wire.ReleaseRecallResponse(
                recall=views.recall(done.recall),
                columns=map(views.lock, done.columns),
                more=done.more,
            )

        return await self.parts.change(
            request, context, self._calls.release, answer, wire.ReleaseRecallResponse
        )

    @answered
    async def LockExpired(
        self, request: wire.LockExpiredRequest, context: Context
    ) -> wire.LockExpiredResponse:
        def answer(made: list[RecallView]) -> wire.LockExpiredResponse:
            return wire.LockExpiredResponse(recalls=map(views.recall, made))

        return await self.parts.change(
            request, context, self._calls.lock_expired, answer, wire.LockExpiredResponse
        )

    @answered
    async def GetRecall(
        self, request: wire.GetRecallRequest, context: Context
    ) -> wire.GetRecallResponse:
        recall_id(OfficeFields(), request.recall_id).done()
        with in_words():
            view = await self._recalls.get(request.recall_id)
        return wire.GetRecallResponse(recall=views.recall(view))

    @answered
    async def ListRecalls(
        self, request: wire.ListRecallsRequest, context: Context
    ) -> wire.ListRecallsResponse:
        asked = pages.asked(request.page_size, request.page_token, "recalls", request.released)
        rows = await self._recalls.page(
            released=request.released, before=views.recall_key(asked.position), limit=asked.rows
        )
        page = pages.page(rows, asked, views.position_of)
        return wire.ListRecallsResponse(
            recalls=map(views.recall, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListLockedColumns(
        self, request: wire.ListLockedColumnsRequest, context: Context
    ) -> wire.ListLockedColumnsResponse:
        fields = OfficeFields()
        fields.some_id("machine_id", request.machine_id, needed=False)
        if request.recall_id:
            recall_id(fields, request.recall_id)
        if sum(map(bool, (request.recall_id, request.machine_id, request.not_obeyed))) > 1:
            fields.wrong("recall_id", "must stand alone: one of recall_id, machine_id, not_obeyed")
        wanted = (request.recall_id, request.machine_id, request.not_obeyed)
        asked = fields.done_page(request, "locked columns", *wanted)
        if request.recall_id:
            with in_words():
                await self._recalls.known(request.recall_id)
        rows = await self._locks.page(
            recall_id=request.recall_id,
            machine_id=request.machine_id,
            not_obeyed=request.not_obeyed,
            after=views.lock_key(asked.position),
            limit=asked.rows,
        )
        if not rows:
            await self.parts.check_known(request.machine_id)
        page = pages.page(rows, asked, views.position_of)
        return wire.ListLockedColumnsResponse(
            columns=map(views.lock, page.rows), next_page_token=page.next_page_token
        )
