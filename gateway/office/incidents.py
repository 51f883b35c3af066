# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# incident_service.proto
"""IncidentService: faults of machines, and how machines are."""

from dataclasses import dataclass

from actors.machine.ids import MachineId
from actors.machine.incident import INCIDENTS_KEPT, IncidentClosed
from gateway.fleet import pages
from gateway.fleet.act import Act, Acts
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.errors import CallRefused, not_found, not_possible
from gateway.office import incident_views as views
from gateway.office import stock_calls
from gateway.office.goods_fields import GoodsFields
from gateway.office.health import health, sales_count_from
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import incident_service_pb2 as wire
from gateway.office.v1 import incident_service_pb2_grpc
from storage.office.incidents import Incidents, IncidentView
from storage.office.locks import Locks

LOCKS_SHOWN_MAX = 500


@dataclass(frozen=True, kw_only=True)
class IncidentCalls(Acts):
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    incidents: Incidents

    async def close(self, request: wire.CloseIncidentRequest, act: Act) -> IncidentView:
        """CloseIncident."""
        fields = GoodsFields()
        fields.some_id("incident_id", request.incident_id)
        fields.reason(request.reason, needed=True).done()
        there = await self._named(request.incident_id)
        event = IncidentClosed(
            incident_id=there.incident_id, reason=request.reason, actor=act.actor
        )
        if there.ended_at_ms is not None:
            if act.resumed and _by(event, there):
                return there
            raise _over(there)
        if act.validate_only:
            return there
        said = f"incident {there.incident_id}, {there.code}: {request.reason}"
        await self._audited(act, "CloseIncident", there.machine_id, said)
        await self._told(MachineId(there.machine_id), event, act, saved=False)
        done = await self._named(request.incident_id)
        if done.ended_at_ms is not None and not _by(event, done):
            raise _over(done)  # somebody else was quicker
        return done

    async def _named(self, incident_id: str) -> IncidentView:
        view = await self.incidents.named(incident_id)
        if view is None:
            raise not_found("incident", incident_id)
        return view


def _by(event: IncidentClosed, view: IncidentView) -> bool:
    return (view.ended_by, view.reason) == (event.actor, event.reason)


def _over(view: IncidentView) -> CallRefused:
    return not_possible(
        "INCIDENT_ENDED",
        f"incident {view.incident_id} is over ({view.ending}): if its machine tells the fault "
        "again, that is another one",
        incident=view.incident_id,
    )


class IncidentService(incident_service_pb2_grpc.IncidentServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, incidents: Incidents, locks: Locks) -> None:
        self.parts = parts
        self._incidents = incidents
        self._locks = locks
        acts = parts.acts
        self._calls = IncidentCalls(
            registry=acts.registry,
            queries=acts.queries,
            answers=acts.answers,
            store=acts.store,
            commands=acts.commands,
            clock=acts.clock,
            command_timeout_s=acts.command_timeout_s,
            incidents=incidents,
        )

    @answered
    async def ListIncidents(
        self, request: wire.ListIncidentsRequest, context: Context
    ) -> wire.ListIncidentsResponse:
        fields = PlaceFields().machine_id(request.machine_id, needed=False)
        asked = fields.done_page(request, "incidents", request.machine_id, request.open)
        rows = await self._incidents.page(
            machine_id=request.machine_id,
            only_open=request.open,
            after=asked.position,
            limit=asked.rows,
        )
        if not rows:
            await self.parts.check_known(request.machine_id)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListIncidentsResponse(
            incidents=map(views.incident, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def CloseIncident(
        self, request: wire.CloseIncidentRequest, context: Context
    ) -> wire.CloseIncidentResponse:
        def answer(view: IncidentView) -> wire.CloseIncidentResponse:
            return wire.CloseIncidentResponse(incident=views.incident(view))

        return await self.parts.change(
            request, context, self._calls.close, answer, wire.CloseIncidentResponse
        )

    @answered
    async def GetMachineHealth(
        self, request: wire.GetMachineHealthRequest, context: Context
    ) -> wire.GetMachineHealthResponse:
        now_ms = self.parts.acts.clock.now_ms()
        fields = PlaceFields().machine_id(request.machine_id)
        since_ms = stock_calls.since_ms(fields, request.sales_days, now_ms)
        fields.done()
        machine = await self.parts.acts.machine(request.machine_id)
        told = await self._incidents.page(
            machine_id=request.machine_id, only_open=True, after="", limit=INCIDENTS_KEPT
        )
        locks = await self._locks.page(
            machine_id=request.machine_id, after=("", "", ""), limit=LOCKS_SHOWN_MAX
        )
        takings = await self._incidents.takings(
            request.machine_id,
            since_ms=sales_count_from(since_ms, machine.registered_at_ms, now_ms),
            now_ms=now_ms,
        )
        disabled_at_ms = (
            None if machine.enabled else await self._incidents.disabled_at_ms(request.machine_id)
        )
        emptied = await self.parts.acts.queries.emptied(
            request.machine_id, [one.column for one in machine.columns if one.stock == 0]
        )
        found = health(
            machine, told, locks, takings, disabled_at_ms=disabled_at_ms, emptied=emptied
        )
        return views.health(found, machine.currency)
