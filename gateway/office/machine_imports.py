# ruff: noqa: N802, D102, ARG002 - the names, contracts and arguments of machine_import_service.proto
"""MachineImportService: many machines at once, from a file and as one."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import import_views as views
from gateway.office import machine_csv
from gateway.office.errors import in_words
from gateway.office.fields import OfficeFields
from gateway.office.import_calls import ImportCalls, Taken, import_id
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import machine_import_pb2, machine_import_service_pb2_grpc
from gateway.office.v1 import machine_import_service_pb2 as wire
from storage.fleet import positions
from storage.office.imports import Imports, ImportView, LineState
from storage.office.profiles import Profiles
from storage.office.selectors import Selectors


class MachineImportService(machine_import_service_pb2_grpc.MachineImportServiceServicer):
    """One method for each call."""

    def __init__(
        self,
        parts: Parts,
        calls: ImportCalls,
        imports: Imports,
        profiles: Profiles,
        selectors: Selectors,
    ) -> None:
        self.parts = parts
        self._calls = calls
        self._imports = imports
        self._profiles = profiles
        self._selectors = selectors

    @answered
    async def ImportMachines(
        self, request: wire.ImportMachinesRequest, context: Context
    ) -> wire.ImportMachinesResponse:
        def answer(taken: Taken) -> wire.ImportMachinesResponse:
            return views.taken(taken)

        return await self.parts.change(
            request, context, self._calls.begin, answer, wire.ImportMachinesResponse
        )

    @answered
    async def GetMachineImport(
        self, request: wire.GetMachineImportRequest, context: Context
    ) -> wire.GetMachineImportResponse:
        import_id(OfficeFields(), request.import_id).done()
        with in_words():
            view = await self._imports.get(request.import_id)
        return wire.GetMachineImportResponse(machine_import=views.machine_import(view))

    @answered
    async def ListMachineImports(
        self, request: wire.ListMachineImportsRequest, context: Context
    ) -> wire.ListMachineImportsResponse:
        fields = OfficeFields()
        state = fields.word("state", machine_import_pb2.MachineImportState, request.state)
        asked = fields.done_page(request, "machine imports", state)
        rows = await self._imports.page(position=asked.position, limit=asked.rows, state=state)
        page = pages.page(
            rows, asked, lambda row: positions.position(row.created_at_ms, row.import_id)
        )
        return wire.ListMachineImportsResponse(
            machine_imports=map(views.machine_import, page.rows),
            next_page_token=page.next_page_token,
        )

    @answered
    async def ListMachineLines(
        self, request: wire.ListMachineLinesRequest, context: Context
    ) -> wire.ListMachineLinesResponse:
        fields = import_id(OfficeFields(), request.import_id)
        word = fields.word("state", machine_import_pb2.MachineLineState, request.state)
        state = LineState(word or LineState.FAILED)
        asked = fields.done_page(request, "lines", request.import_id, state)
        with in_words():
            await self._imports.get(request.import_id)
        rows = await self._imports.lines(
            request.import_id, state, after=pages.number(asked), limit=asked.rows
        )
        page = pages.page(rows, asked, lambda row: str(row.line))
        return wire.ListMachineLinesResponse(
            lines=map(views.line, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def StopMachineImport(
        self, request: wire.StopMachineImportRequest, context: Context
    ) -> wire.StopMachineImportResponse:
        def answer(view: ImportView) -> wire.StopMachineImportResponse:
            return wire.StopMachineImportResponse(machine_import=views.machine_import(view))

        return await self.parts.change(
            request, context, self._calls.stop, answer, wire.StopMachineImportResponse
        )

    @answered
    async def ExportMachines(
        self, request: wire.ExportMachinesRequest, context: Context
    ) -> wire.ExportMachinesResponse:
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        fields.done()
        asked = pages.asked(
            request.page_size or pages.PAGE_SIZE_MAX, request.page_token, "export", selector
        )
        now_ms = self.parts.acts.clock.now_ms()
        with in_words():
            held = await self._selectors.page(
                selector, now_ms, position=asked.position, limit=asked.limit
            )
        profiles = await self._profiles.some(held.machine_ids, now_ms)
        found = await self.parts.queries.some_machines(held.machine_ids, columns=False)
        machines = {view.machine_id: view for view in found}
        pairs = [(machines[one.machine_id], one) for one in profiles if one.machine_id in machines]
        return wire.ExportMachinesResponse(
            csv=machine_csv.written(pairs), next_page_token=pages.next_token(asked, held.position)
        )
