# ruff: noqa: N802, D102, ARG002 - the names, contracts and arguments of audit_data_service.proto
"""AuditDataService: what machines counted, out of the books and out of the machines."""

import importlib.metadata

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import audit_data_views as views
from gateway.office.audit_data_calls import AuditDataCalls, readout_id
from gateway.office.errors import in_words
from gateway.office.evadts.writing import write
from gateway.office.fields import OfficeFields
from gateway.office.v1 import audit_data_service_pb2 as wire
from gateway.office.v1 import audit_data_service_pb2_grpc
from storage.office.audit_data import AuditData, AuditReset
from storage.office.readout_rows import ReadoutView
from storage.office.readouts import Readouts

_VERSION = importlib.metadata.version("vendgate")


class AuditDataService(audit_data_service_pb2_grpc.AuditDataServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, audit: AuditData, readouts: Readouts) -> None:
        self.parts = parts
        self._audit = audit
        self._readouts = readouts
        self._calls = AuditDataCalls(audit=audit, readouts=readouts, clock=parts.acts.clock)

    @answered
    async def ExportMachineAudit(
        self, request: wire.ExportMachineAuditRequest, context: Context
    ) -> wire.ExportMachineAuditResponse:
        OfficeFields().machine_id(request.machine_id).done()
        now_ms = self.parts.acts.clock.now_ms()
        with in_words():
            audit = await self._audit.read(request.machine_id)
        return wire.ExportMachineAuditResponse(
            eva_dts=write(audit, now_ms=now_ms, version=_VERSION),
            file_name=f"{request.machine_id}-{now_ms}.eva",
        )

    @answered
    async def ResetMachineAudit(
        self, request: wire.ResetMachineAuditRequest, context: Context
    ) -> wire.ResetMachineAuditResponse:
        def answer(view: AuditReset) -> wire.ResetMachineAuditResponse:
            return wire.ResetMachineAuditResponse(reset=views.reset(view))

        return await self.parts.change(
            request, context, self._calls.reset, answer, wire.ResetMachineAuditResponse
        )

    @answered
    async def ImportReadout(
        self, request: wire.ImportReadoutRequest, context: Context
    ) -> wire.ImportReadoutResponse:
        def answer(kept: list[ReadoutView]) -> wire.ImportReadoutResponse:
            return wire.ImportReadoutResponse(readouts=map(views.imported, kept))

        return await self.parts.change(
            request, context, self._calls.bring, answer, wire.ImportReadoutResponse
        )

    @answered
    async def ListReadouts(
        self, request: wire.ListReadoutsRequest, context: Context
    ) -> wire.ListReadoutsResponse:
        fields = OfficeFields().machine_id(request.machine_id, needed=False)
        asked = fields.done_page(request, "readouts", request.machine_id)
        rows = await self._readouts.page(
            request.machine_id, after=views.after(asked.position), limit=asked.rows
        )
        if not rows:
            await self.parts.check_known(request.machine_id)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListReadoutsResponse(
            readouts=[views.readout(row, listed=True) for row in page.rows],
            next_page_token=page.next_page_token,
        )

    @answered
    async def GetReadout(
        self, request: wire.GetReadoutRequest, context: Context
    ) -> wire.GetReadoutResponse:
        readout_id(OfficeFields(), request.readout_id).done()
        with in_words():
            view = await self._readouts.get(request.readout_id)
        return wire.GetReadoutResponse(
            readout=views.readout(view),
            differences=map(views.difference, view.differences),
            eva_dts=view.content,
        )
