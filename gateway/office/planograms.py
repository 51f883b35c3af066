# ruff: noqa: N802, D102, ARG002 - the names, contracts and arguments of planogram_service.proto
"""PlanogramService: planograms of many machines, and who has not converged."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import planogram_views as views
from gateway.office.application_calls import ApplicationCalls, Applied, application_id
from gateway.office.errors import in_words
from gateway.office.fields import OfficeFields
from gateway.office.place_fields import PlaceFields
from gateway.office.template_calls import TemplateCalls
from gateway.office.v1 import planogram_pb2, planogram_service_pb2_grpc
from gateway.office.v1 import planogram_service_pb2 as wire
from storage.fleet import positions
from storage.office.convergence import Convergence
from storage.office.imports import Imports, ImportView, LineState
from storage.office.templates import Templates, TemplateView

TEMPLATES_SHOWN_MAX = 50
"""A page of templates, with 128 columns each, fits a client's 4 MiB."""


class PlanogramService(planogram_service_pb2_grpc.PlanogramServiceServicer):
    """One method for each call."""

    def __init__(
        self,
        parts: Parts,
        convergence: Convergence,
        templates: Templates,
        applications: Imports,
        calls: ApplicationCalls,
    ) -> None:
        self.parts = parts
        self._convergence = convergence
        self._templates = templates
        self._applications = applications
        self._calls = calls
        self._template_calls = TemplateCalls(templates=templates, clock=parts.acts.clock)

    @answered
    async def ListConvergence(
        self, request: wire.ListConvergenceRequest, context: Context
    ) -> wire.ListConvergenceResponse:
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        converged = request.converged if request.HasField("converged") else None
        asked = fields.done_page(request, "convergence", selector, converged)
        with in_words():
            found, position = await self._convergence.page(
                selector,
                self.parts.acts.clock.now_ms(),
                converged=converged,
                position=asked.position,
                limit=asked.limit,
            )
        return wire.ListConvergenceResponse(
            machines=map(views.convergence, found),
            next_page_token=pages.next_token(asked, position),
        )

    @answered
    async def CreatePlanogramTemplate(
        self, request: wire.CreatePlanogramTemplateRequest, context: Context
    ) -> wire.CreatePlanogramTemplateResponse:
        def answer(view: TemplateView) -> wire.CreatePlanogramTemplateResponse:
            return wire.CreatePlanogramTemplateResponse(template=views.template(view))

        return await self.parts.change(
            request,
            context,
            self._template_calls.create,
            answer,
            wire.CreatePlanogramTemplateResponse,
        )

    @answered
    async def UpdatePlanogramTemplate(
        self, request: wire.UpdatePlanogramTemplateRequest, context: Context
    ) -> wire.UpdatePlanogramTemplateResponse:
        def answer(view: TemplateView) -> wire.UpdatePlanogramTemplateResponse:
            return wire.UpdatePlanogramTemplateResponse(template=views.template(view))

        return await self.parts.change(
            request,
            context,
            self._template_calls.update,
            answer,
            wire.UpdatePlanogramTemplateResponse,
        )

    @answered
    async def ArchivePlanogramTemplate(
        self, request: wire.ArchivePlanogramTemplateRequest, context: Context
    ) -> wire.ArchivePlanogramTemplateResponse:
        def answer(view: TemplateView) -> wire.ArchivePlanogramTemplateResponse:
            return wire.ArchivePlanogramTemplateResponse(template=views.template(view))

        return await self.parts.change(
            request,
            context,
            self._template_calls.archive,
            answer,
            wire.ArchivePlanogramTemplateResponse,
        )

    @answered
    async def RestorePlanogramTemplate(
        self, request: wire.RestorePlanogramTemplateRequest, context: Context
    ) -> wire.RestorePlanogramTemplateResponse:
        def answer(view: TemplateView) -> wire.RestorePlanogramTemplateResponse:
            return wire.RestorePlanogramTemplateResponse(template=views.template(view))

        return await self.parts.change(
            request,
            context,
            self._template_calls.restore,
            answer,
            wire.RestorePlanogramTemplateResponse,
        )

    @answered
    async def GetPlanogramTemplate(
        self, request: wire.GetPlanogramTemplateRequest, context: Context
    ) -> wire.GetPlanogramTemplateResponse:
        OfficeFields().product(request.template, field="template").done()
        with in_words():
            view = await self._templates.get(request.template)
        return wire.GetPlanogramTemplateResponse(template=views.template(view))

    @answered
    async def ListPlanogramTemplates(
        self, request: wire.ListPlanogramTemplatesRequest, context: Context
    ) -> wire.ListPlanogramTemplatesResponse:
        shown = request.show_archived
        asked = OfficeFields().done_page(
            request, "planogram templates", shown, most=TEMPLATES_SHOWN_MAX
        )
        rows = await self._templates.page(archived=shown, after=asked.position, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: row.template)
        return wire.ListPlanogramTemplatesResponse(
            templates=map(views.template, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ApplyPlanogram(
        self, request: wire.ApplyPlanogramRequest, context: Context
    ) -> wire.ApplyPlanogramResponse:
        def answer(done: Applied) -> wire.ApplyPlanogramResponse:
            return views.applied(done)

        return await self.parts.change(
            request, context, self._calls.begin, answer, wire.ApplyPlanogramResponse
        )

    @answered
    async def GetPlanogramApplication(
        self, request: wire.GetPlanogramApplicationRequest, context: Context
    ) -> wire.GetPlanogramApplicationResponse:
        application_id(PlaceFields(), request.application_id).done()
        with in_words():
            view = await self._applications.get(request.application_id)
        return wire.GetPlanogramApplicationResponse(application=views.application(view))

    @answered
    async def ListPlanogramApplications(
        self, request: wire.ListPlanogramApplicationsRequest, context: Context
    ) -> wire.ListPlanogramApplicationsResponse:
        asked = PlaceFields().done_page(request, "planogram applications")
        rows = await self._applications.page(position=asked.position, limit=asked.rows)
        page = pages.page(
            rows, asked, lambda row: positions.position(row.created_at_ms, row.import_id)
        )
        return wire.ListPlanogramApplicationsResponse(
            applications=map(views.application, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListApplicationLines(
        self, request: wire.ListApplicationLinesRequest, context: Context
    ) -> wire.ListApplicationLinesResponse:
        fields = application_id(PlaceFields(), request.application_id)
        word = fields.word("state", planogram_pb2.ApplicationLineState, request.state)
        state = LineState(word or LineState.FAILED)
        asked = fields.done_page(request, "application lines", request.application_id, state)
        with in_words():
            await self._applications.get(request.application_id)
        rows = await self._applications.lines(
            request.application_id, state, after=pages.number(asked), limit=asked.rows
        )
        page = pages.page(rows, asked, lambda row: str(row.line))
        return wire.ListApplicationLinesResponse(
            lines=map(views.line, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def StopPlanogramApplication(
        self, request: wire.StopPlanogramApplicationRequest, context: Context
    ) -> wire.StopPlanogramApplicationResponse:
        def answer(view: ImportView) -> wire.StopPlanogramApplicationResponse:
            return wire.StopPlanogramApplicationResponse(application=views.application(view))

        return await self.parts.change(
            request, context, self._calls.stop, answer, wire.StopPlanogramApplicationResponse
        )
