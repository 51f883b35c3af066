# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# command_service.proto
"""CommandService: what people order of machines, and what became of it."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import command_views as views
from gateway.office.command_calls import CommandCalls
from gateway.office.fields import OfficeFields
from gateway.office.v1 import command_pb2, command_service_pb2_grpc
from gateway.office.v1 import command_service_pb2 as wire
from storage.office.commands import Commands, CommandView


class CommandService(command_service_pb2_grpc.CommandServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, calls: CommandCalls, ordered: Commands) -> None:
        self.parts = parts
        self._calls = calls
        self._ordered = ordered

    @answered
    async def OrderCommand(
        self, request: wire.OrderCommandRequest, context: Context
    ) -> wire.OrderCommandResponse:
        def answer(view: CommandView) -> wire.OrderCommandResponse:
            return wire.OrderCommandResponse(command=views.command(view))

        return await self.parts.change(
            request, context, self._calls.order, answer, wire.OrderCommandResponse
        )

    @answered
    async def CancelCommand(
        self, request: wire.CancelCommandRequest, context: Context
    ) -> wire.CancelCommandResponse:
        def answer(view: CommandView) -> wire.CancelCommandResponse:
            return wire.CancelCommandResponse(command=views.command(view))

        return await self.parts.change(
            request, context, self._calls.cancel, answer, wire.CancelCommandResponse
        )

    @answered
    async def GetCommand(
        self, request: wire.GetCommandRequest, context: Context
    ) -> wire.GetCommandResponse:
        OfficeFields().some_id("command_id", request.command_id).done()
        view = await self._calls.named(request.command_id)
        return wire.GetCommandResponse(command=views.command(view))

    @answered
    async def ListCommands(
        self, request: wire.ListCommandsRequest, context: Context
    ) -> wire.ListCommandsResponse:
        fields = OfficeFields().machine_id(request.machine_id, needed=False)
        kind = fields.word("kind", command_pb2.CommandKind, request.kind)
        status = fields.word("status", command_pb2.CommandStatus, request.status)
        if kind and status:
            fields.wrong("status", "must not be given together with kind")
        asked = fields.done_page(request, "commands", request.machine_id, kind, status)
        rows = await self._ordered.page(
            machine_id=request.machine_id,
            kind=kind,
            status=status,
            after=asked.position,
            limit=asked.rows,
        )
        if not rows:
            await self.parts.check_known(request.machine_id)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListCommandsResponse(
            commands=map(views.command, page.rows), next_page_token=page.next_page_token
        )
