# ruff: noqa: N802, D102 - the names and the contracts are those of poster_service.proto
"""PosterService: what is printed and stuck on machines."""

from gateway.fleet.answering import CALL_MAX_S, Context, Parts, answered
from gateway.fleet.caller import act_of
from gateway.office.poster_calls import PosterCalls
from gateway.office.v1 import poster_service_pb2 as wire
from gateway.office.v1 import poster_service_pb2_grpc


class PosterService(poster_service_pb2_grpc.PosterServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, calls: PosterCalls) -> None:
        self.parts = parts
        self._calls = calls

    @answered
    async def GetPoster(
        self, request: wire.GetPosterRequest, context: Context
    ) -> wire.GetPosterResponse:
        return await self._calls.get(request, act_of(context, longest_s=CALL_MAX_S))

    @answered
    async def ExportPosters(
        self, request: wire.ExportPostersRequest, context: Context
    ) -> wire.ExportPostersResponse:
        return await self._calls.export(request, act_of(context, longest_s=CALL_MAX_S))
