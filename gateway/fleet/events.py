# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# event_service.proto
"""EventService: what happened, live and from the books."""

from gateway.fleet import filters, pages, views, watch
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.caller import person_of
from gateway.fleet.errors import CallRefused
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import event_service_pb2 as wire
from gateway.fleet.v1 import event_service_pb2_grpc
from gateway.rpc import statuses


class EventService(event_service_pb2_grpc.EventServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._watches = watch.Watches()

    @answered
    async def ListEvents(
        self, request: wire.ListEventsRequest, context: Context
    ) -> wire.ListEventsResponse:
        fields = Fields()
        wanted = filters.records(fields, request)
        if not request.machine_id:
            fields.wrong(
                "machine_id", "must be a machine's id: the journal is read machine by machine"
            )
        asked = fields.done_page(request, "events", wanted)
        rows = await self.parts.queries.events(
            request.machine_id, wanted, position=asked.position, limit=asked.rows
        )
        await self.parts.check_found(rows, wanted)
        page = pages.page(rows, asked, lambda row: str(row.version))
        return wire.ListEventsResponse(
            events=map(views.event, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def WatchEvents(self, request: wire.WatchEventsRequest, context: Context) -> None:  # type: ignore[override]
        # grpc.aio takes a coroutine that writes as well as a generator; this way a slow reader
        # holds the watch up, and nothing else
        Fields().machine_id(request.machine_id, needed=False).done()
        await self.parts.check_known(request.machine_id)
        with self._watches.one_more(person_of(context)):
            position = await watch.start_position(
                self.parts.queries, request.after_token, self.parts.stopping
            )
            async for event in watch.events(
                self.parts.queries,
                position,
                machine_id=request.machine_id,
                stopping=self.parts.stopping,
                watches=self._watches,
            ):
                await context.write(wire.WatchEventsResponse(event=views.event(event)))
        raise CallRefused(statuses.DRAINING)

    @answered
    async def ListAuditRecords(
        self, request: wire.ListAuditRecordsRequest, context: Context
    ) -> wire.ListAuditRecordsResponse:
        fields = Fields()
        wanted = filters.records(fields, request)
        asked = fields.done_page(request, "audit_records", wanted)
        rows = await self.parts.queries.audit_records(
            wanted, position=asked.position, limit=asked.rows
        )
        await self.parts.check_found(rows, wanted)
        page = pages.page(rows, asked, lambda row: str(row.position))
        return wire.ListAuditRecordsResponse(
            records=map(views.audit_record, page.rows), next_page_token=page.next_page_token
        )
