# ruff: noqa: N802, D102, ARG002 - the names, contracts and arguments of experiment_service.proto
"""ExperimentService: what is tried on some machines or payers, and what that changed."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import experiment_views as views
from gateway.office.errors import in_words
from gateway.office.experiment_calls import Created, ExperimentCalls
from gateway.office.experiment_fields import ExperimentFields
from gateway.office.v1 import experiment_service_pb2 as wire
from gateway.office.v1 import experiment_service_pb2_grpc
from storage.experiments.content import Channel
from storage.experiments.experiments import ExperimentView
from storage.experiments.guarding import GuardBooks


class ExperimentService(experiment_service_pb2_grpc.ExperimentServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, calls: ExperimentCalls, guards: GuardBooks) -> None:
        self.parts = parts
        self._calls = calls
        self._guards = guards

    @answered
    async def CreateExperiment(
        self, request: wire.CreateExperimentRequest, context: Context
    ) -> wire.CreateExperimentResponse:
        def answer(made: Created) -> wire.CreateExperimentResponse:
            return wire.CreateExperimentResponse(
                experiment=views.experiment(made.view),
                machines=made.machines,
                left_out=made.left_out,
                payers=made.payers or 0,
            )

        return await self.parts.change(
            request, context, self._calls.create, answer, wire.CreateExperimentResponse
        )

    @answered
    async def StartExperiment(
        self, request: wire.StartExperimentRequest, context: Context
    ) -> wire.StartExperimentResponse:
        def answer(view: ExperimentView) -> wire.StartExperimentResponse:
            return wire.StartExperimentResponse(experiment=views.experiment(view))

        return await self.parts.change(
            request, context, self._calls.start, answer, wire.StartExperimentResponse
        )

    @answered
    async def StopExperiment(
        self, request: wire.StopExperimentRequest, context: Context
    ) -> wire.StopExperimentResponse:
        def answer(view: ExperimentView) -> wire.StopExperimentResponse:
            return wire.StopExperimentResponse(experiment=views.experiment(view))

        return await self.parts.change(
            request, context, self._calls.stop, answer, wire.StopExperimentResponse
        )

    @answered
    async def GetExperiment(
        self, request: wire.GetExperimentRequest, context: Context
    ) -> wire.GetExperimentResponse:
        ExperimentFields().experiment(request.code).done()
        with in_words():
            view = await self._calls.experiments.get(request.code)
        found = {}
        if view.span is not None and view.content.channel is not Channel.OFFER:
            units = await self._calls.experiments.units(request.code)
            found = dict(await self._guards.guardrails(view, units))
        treated, control = await self._guards.payers_drawn(view)
        return wire.GetExperimentResponse(
            experiment=views.experiment(view),
            guardrails=views.guardrails(found),
            treatment_payers=treated,
            control_payers=control,
        )

    @answered
    async def ListExperiments(
        self, request: wire.ListExperimentsRequest, context: Context
    ) -> wire.ListExperimentsResponse:
        asked = ExperimentFields().done_page(request, "experiments")
        rows = await self._calls.experiments.page(after=asked.position, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: row.experiment)
        return wire.ListExperimentsResponse(
            experiments=map(views.experiment, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListExperimentUnits(
        self, request: wire.ListExperimentUnitsRequest, context: Context
    ) -> wire.ListExperimentUnitsResponse:
        asked = (
            ExperimentFields()
            .experiment(request.code)
            .done_page(request, "experiment units", request.code)
        )
        experiments = self._calls.experiments
        with in_words():
            view = await experiments.get(request.code)
        rows = await experiments.units(request.code, after=asked.position, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: row.machine_id)
        days = await experiments.acknowledged_days(
            request.code, [row.machine_id for row in page.rows]
        )
        excluded = {} if view.result is None else view.result.excluded
        return wire.ListExperimentUnitsResponse(
            units=[views.unit(row, excluded, days) for row in page.rows],
            next_page_token=page.next_page_token,
        )
