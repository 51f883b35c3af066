# ruff: noqa: N802, D102, ARG002 - the names, contracts and arguments of planogram_service.proto
"""PlanogramService: planograms of many machines, and who has not converged."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import planogram_views as views
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import planogram_service_pb2 as wire
from gateway.office.v1 import planogram_service_pb2_grpc
from storage.office.convergence import Convergence


class PlanogramService(planogram_service_pb2_grpc.PlanogramServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, convergence: Convergence) -> None:
        self.parts = parts
        self._convergence = convergence

    @answered
    async def ListConvergence(
        self, request: wire.ListConvergenceRequest, context: Context
    ) -> wire.ListConvergenceResponse:
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        converged = request.converged if request.HasField("converged") else None
        asked = fields.done_page(request, "convergence", selector, converged)
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
