# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# fleet_service.proto
"""FleetService: the machines of the fleet. Lists are answered from SQL alone, so they work
while every host is away.
"""

from gateway.fleet import filters, pages, views
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.machine_acts import PlanogramSet
from gateway.fleet.machine_calls import MachineCalls
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import fleet_service_pb2 as wire
from gateway.fleet.v1 import fleet_service_pb2_grpc, machine_pb2
from storage.fleet.views import MachineView

FULL_PAGE_MAX = 100
"""A page of whole machines, with 128 columns each, fits a client's 4 MiB."""


class FleetService(fleet_service_pb2_grpc.FleetServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._calls = MachineCalls(acts=parts.acts)

    @answered
    async def RegisterMachine(
        self, request: wire.RegisterMachineRequest, context: Context
    ) -> wire.RegisterMachineResponse:
        def answer(view: MachineView) -> wire.RegisterMachineResponse:
            return wire.RegisterMachineResponse(machine=views.machine(view))

        return await self.parts.change(
            request, context, self._calls.register, answer, wire.RegisterMachineResponse
        )

    @answered
    async def GetMachine(
        self, request: wire.GetMachineRequest, context: Context
    ) -> wire.GetMachineResponse:
        Fields().machine_id(request.machine_id).done()
        view = await self.parts.acts.machine(request.machine_id)
        return wire.GetMachineResponse(machine=views.machine(view))

    @answered
    async def ListMachines(
        self, request: wire.ListMachinesRequest, context: Context
    ) -> wire.ListMachinesResponse:
        fields = Fields()
        wanted = filters.machines(fields, request)
        full = request.view == machine_pb2.MACHINE_VIEW_FULL
        most = FULL_PAGE_MAX if full else pages.PAGE_SIZE_MAX
        asked = fields.done_page(request, "machines", wanted, full, most=most)
        until = await self.parts.queries.last_looked_at(wanted, after=asked.position)
        rows = await self.parts.queries.machines(
            wanted, after=asked.position, until=until, limit=asked.rows, columns=full
        )
        page = pages.page(rows, asked, lambda row: row.machine_id)
        shown = views.machine if full else views.basic_machine
        return wire.ListMachinesResponse(
            machines=map(shown, page.rows),
            next_page_token=page.next_page_token or pages.next_token(asked, until),
        )

    @answered
    async def UpdateMachine(
        self, request: wire.UpdateMachineRequest, context: Context
    ) -> wire.UpdateMachineResponse:
        def answer(view: MachineView) -> wire.UpdateMachineResponse:
            return wire.UpdateMachineResponse(machine=views.machine(view))

        return await self.parts.change(
            request, context, self._calls.update, answer, wire.UpdateMachineResponse
        )

    @answered
    async def SetPlanogram(
        self, request: wire.SetPlanogramRequest, context: Context
    ) -> wire.SetPlanogramResponse:
        def answer(done: PlanogramSet) -> wire.SetPlanogramResponse:
            return wire.SetPlanogramResponse(
                machine=views.machine(done.machine),
                removed=map(views.removed, done.removed),
                warnings=map(views.not_in_catalogue, done.not_in_catalogue),
            )

        return await self.parts.change(
            request, context, self._calls.set_planogram, answer, wire.SetPlanogramResponse
        )

    @answered
    async def SetStock(
        self, request: wire.SetStockRequest, context: Context
    ) -> wire.SetStockResponse:
        def answer(view: MachineView) -> wire.SetStockResponse:
            return wire.SetStockResponse(machine=views.machine(view))

        return await self.parts.change(
            request, context, self._calls.set_stock, answer, wire.SetStockResponse
        )

    @answered
    async def EnableMachine(
        self, request: wire.EnableMachineRequest, context: Context
    ) -> wire.EnableMachineResponse:
        def answer(view: MachineView) -> wire.EnableMachineResponse:
            return wire.EnableMachineResponse(machine=views.machine(view))

        return await self.parts.change(
            request, context, self._calls.enable, answer, wire.EnableMachineResponse
        )

    @answered
    async def DisableMachine(
        self, request: wire.DisableMachineRequest, context: Context
    ) -> wire.DisableMachineResponse:
        def answer(view: MachineView) -> wire.DisableMachineResponse:
            return wire.DisableMachineResponse(machine=views.machine(view))

        return await self.parts.change(
            request, context, self._calls.disable, answer, wire.DisableMachineResponse
        )

    @answered
    async def RetireMachine(
        self, request: wire.RetireMachineRequest, context: Context
    ) -> wire.RetireMachineResponse:
        def answer(view: MachineView) -> wire.RetireMachineResponse:
            left = sum(column.stock for column in view.columns)
            return wire.RetireMachineResponse(machine=views.machine(view), goods_left=left)

        return await self.parts.change(
            request, context, self._calls.retire, answer, wire.RetireMachineResponse
        )

    @answered
    async def RotateCode(
        self, request: wire.RotateCodeRequest, context: Context
    ) -> wire.RotateCodeResponse:
        def answer(view: MachineView) -> wire.RotateCodeResponse:
            return wire.RotateCodeResponse(machine=views.machine(view))

        return await self.parts.change(
            request, context, self._calls.rotate, answer, wire.RotateCodeResponse
        )

    @answered
    async def ReloadMachine(
        self, request: wire.ReloadMachineRequest, context: Context
    ) -> wire.ReloadMachineResponse:
        def answer(view: MachineView) -> wire.ReloadMachineResponse:
            return wire.ReloadMachineResponse(machine=views.machine(view))

        return await self.parts.change(
            request, context, self._calls.reload, answer, wire.ReloadMachineResponse
        )
