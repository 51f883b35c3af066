"""The changing calls of VisitService: each request is checked whole, then done by the visits."""

from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office.errors import deed_of, in_words
from gateway.office.goods_calls import goods_lines
from gateway.office.goods_fields import GoodsFields
from gateway.office.v1 import visit_service_pb2 as wire
from storage.office.visit_rows import VisitView
from storage.office.visits import VisitAccount, Visits


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    visits: Visits
    clock: Clock

    async def open(self, request: wire.OpenVisitRequest, act: Act) -> VisitView:
        """OpenVisit."""
        fields = GoodsFields()
        fields.visit_name(request.visit)
        fields.place("van", request.van)
        fields.machine_id(request.machine_id).done()
        deed = deed_of(act, "OpenVisit", self.clock)
        with in_words():
            return await self.visits.open(request.visit, request.machine_id, request.van, deed)

    async def close(self, request: wire.CloseVisitRequest, act: Act) -> VisitAccount:
        """CloseVisit."""
        returned, lost = goods_lines(request.returned), goods_lines(request.lost)
        fields = GoodsFields()
        fields.visit_name(request.visit)
        fields.lines(returned, "returned", least=0)
        fields.lines(lost, "lost", least=0)
        fields.etag(request.etag).reason(request.reason, needed=bool(lost)).done()
        deed = deed_of(act, "CloseVisit", self.clock)
        with in_words():
            return await self.visits.close(
                request.visit, returned, lost, deed, etag=request.etag, reason=request.reason
            )
