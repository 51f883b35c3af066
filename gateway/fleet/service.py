# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# fleet_service.proto
"""The administrators' service: each call checks its request, asks SQL or acts through
``fleet_acts``, and answers with views.

Lists and watches are answered from SQL alone, so they work while every host is away.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import grpc.aio
import structlog

from actors.machine.state import RefundStatus, VendStatus
from actors.ports import StoreError
from gateway.fleet import errors as fleet_errors
from gateway.fleet import pages, watch
from gateway.fleet import views as fleet_views
from gateway.fleet.acts import Act, FleetActs
from gateway.fleet.caller import act_of, named
from gateway.fleet.errors import CallRefused, not_found
from gateway.fleet.requests import Fields, new_machine
from gateway.rpc import statuses
from gateway.rpc.counters import Counters
from gateway.v1 import fleet_service_pb2 as wire
from gateway.v1 import fleet_service_pb2_grpc
from storage.fleet.changes import MachineChange
from storage.fleet.positions import InvalidPosition
from storage.fleet.queries import Queries
from storage.fleet.views import SessionView, WorkItemKind

_log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]
Request = TypeVar("Request")
Response = TypeVar("Response")

_CALL_MAX_S = 30.0
_WATCHES_MAX = 64
_SESSION_STATUSES = ("OPEN", "ENDED")
_TRADE_STATUSES = ("OPEN", "CLOSED")
_VEND_STATUSES = tuple(status.value for status in VendStatus)
_WORK_ITEM_KINDS = tuple(kind.value for kind in WorkItemKind)
_REFUND_STATUSES = ("OPEN", *(status.value for status in RefundStatus))


def _answered(
    method: Callable[["FleetService", Request, Context], Awaitable[Response]],
) -> Callable[["FleetService", Request, Context], Coroutine[Any, Any, Response]]:
    """Turn what a call raises into a status with details, and count it."""

    @functools.wraps(method)
    async def call(self: "FleetService", request: Request, context: Context) -> Response:
        try:
            response = await method(self, request, context)
        except CallRefused as error:
            refusal = error.refusal
        except InvalidPosition:
            refusal = pages.wrong_token().refusal
        except StoreError as error:
            _log.warning(
                "sql does not answer an administrator", call=method.__name__, error=str(error)
            )
            refusal = fleet_errors.SQL_AWAY
        except Exception:  # noqa: BLE001 - whatever it is, the caller gets a status with details and the log the rest
            _log.exception("an administrator's call failed", call=method.__name__)
            refusal = fleet_errors.FAILED
        else:
            self.metrics.admin_calls.labels(method.__name__, "OK").inc()
            return response
        self.metrics.admin_calls.labels(method.__name__, refusal.code.name).inc()
        return await statuses.abort(context, refusal)

    return call


class FleetService(fleet_service_pb2_grpc.FleetServiceServicer):
    """``stopping`` ends the watches, so that a gateway can go away."""

    def __init__(
        self, *, acts: FleetActs, queries: Queries, metrics: Counters, stopping: asyncio.Event
    ) -> None:
        self.metrics = metrics
        self._acts = acts
        self._queries = queries
        self._stopping = stopping
        self._watches = 0

    # --- machines ---

    @_answered
    async def RegisterMachine(
        self, request: wire.RegisterMachineRequest, context: Context
    ) -> wire.RegisterMachineResponse:
        view = await self._acts.register(new_machine(request), _act(context))
        return wire.RegisterMachineResponse(machine=fleet_views.machine(view))

    @_answered
    async def GetMachine(
        self, request: wire.GetMachineRequest, context: Context
    ) -> wire.GetMachineResponse:
        Fields().machine_id(request.machine_id).done()
        return wire.GetMachineResponse(
            machine=fleet_views.machine(await self._acts.machine(request.machine_id))
        )

    @_answered
    async def ListMachines(
        self, request: wire.ListMachinesRequest, context: Context
    ) -> wire.ListMachinesResponse:
        fields = Fields()
        phases = fields.phases(request.phases)
        asked = fields.done_page(request, "machines", *phases)
        rows = await self._queries.machines(after=asked.position, limit=asked.rows, phases=phases)
        page = pages.page(rows, asked, lambda row: row.machine_id)
        return wire.ListMachinesResponse(
            machines=map(fleet_views.machine, page.rows), next_page_token=page.next_page_token
        )

    @_answered
    async def SetMode(self, request: wire.SetModeRequest, context: Context) -> wire.SetModeResponse:
        fields = Fields().machine_id(request.machine_id)
        mode = fields.mode(request.mode, default=None)
        fields.done()
        view = await self._acts.change(
            request.machine_id, MachineChange(mode=mode), _act(context), action="SetMode"
        )
        return wire.SetModeResponse(machine=fleet_views.machine(view))

    @_answered
    async def SetPolicy(
        self, request: wire.SetPolicyRequest, context: Context
    ) -> wire.SetPolicyResponse:
        fields = Fields().machine_id(request.machine_id)
        overrides = fields.overrides(request.policy)
        fields.done()
        view = await self._acts.change(
            request.machine_id,
            MachineChange(overrides=overrides),
            _act(context),
            action="SetPolicy",
        )
        return wire.SetPolicyResponse(machine=fleet_views.machine(view))

    @_answered
    async def SetPlanogram(
        self, request: wire.SetPlanogramRequest, context: Context
    ) -> wire.SetPlanogramResponse:
        fields = Fields().machine_id(request.machine_id)
        columns = fields.columns(request.columns)
        fields.done()
        view = await self._acts.change(
            request.machine_id,
            MachineChange(columns=columns),
            _act(context),
            action="SetPlanogram",
        )
        return wire.SetPlanogramResponse(machine=fleet_views.machine(view))

    @_answered
    async def SetStock(
        self, request: wire.SetStockRequest, context: Context
    ) -> wire.SetStockResponse:
        Fields().machine_id(request.machine_id).stock(request.column, request.stock).done()
        view = await self._acts.count_stock(
            request.machine_id, request.column, request.stock, _act(context)
        )
        return wire.SetStockResponse(machine=fleet_views.machine(view))

    @_answered
    async def EnableMachine(
        self, request: wire.EnableMachineRequest, context: Context
    ) -> wire.EnableMachineResponse:
        Fields().machine_id(request.machine_id).done()
        view = await self._acts.change(
            request.machine_id,
            MachineChange(enabled=True),
            _act(context),
            action="EnableMachine",
            detail="",
        )
        return wire.EnableMachineResponse(machine=fleet_views.machine(view))

    @_answered
    async def DisableMachine(
        self, request: wire.DisableMachineRequest, context: Context
    ) -> wire.DisableMachineResponse:
        Fields().machine_id(request.machine_id).reason(request.reason).done()
        view = await self._acts.change(
            request.machine_id,
            MachineChange(enabled=False),
            _act(context),
            action="DisableMachine",
            detail=request.reason,
        )
        return wire.DisableMachineResponse(machine=fleet_views.machine(view))

    @_answered
    async def ReloadMachine(
        self, request: wire.ReloadMachineRequest, context: Context
    ) -> wire.ReloadMachineResponse:
        Fields().machine_id(request.machine_id).reason(request.reason, needed=True).done()
        view = await self._acts.reload_machine(
            request.machine_id, request.reason, _named_act(context)
        )
        return wire.ReloadMachineResponse(machine=fleet_views.machine(view))

    # --- sessions and vends ---

    @_answered
    async def ListSessions(
        self, request: wire.ListSessionsRequest, context: Context
    ) -> wire.ListSessionsResponse:
        fields = (
            Fields()
            .machine_id(request.machine_id, needed=False)
            .status(request.status, _SESSION_STATUSES)
        )
        asked = fields.done_page(request, "sessions", request.machine_id, request.status)
        rows = await self._queries.sessions(
            machine_id=request.machine_id,
            status=request.status,
            before=asked.position,
            limit=asked.rows,
        )
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListSessionsResponse(
            sessions=map(fleet_views.session, page.rows), next_page_token=page.next_page_token
        )

    @_answered
    async def GetSession(
        self, request: wire.GetSessionRequest, context: Context
    ) -> wire.GetSessionResponse:
        return wire.GetSessionResponse(
            session=fleet_views.session(await self._session(request.session_id))
        )

    @_answered
    async def GetSessionTimeline(
        self, request: wire.GetSessionTimelineRequest, context: Context
    ) -> wire.GetSessionTimelineResponse:
        session = await self._session(request.session_id)
        entries = await self._queries.timeline(request.session_id)
        return wire.GetSessionTimelineResponse(
            session=fleet_views.session(session), entries=map(fleet_views.timeline_entry, entries)
        )

    async def _session(self, session_id: str) -> SessionView:
        Fields().some_id("session_id", session_id).done()
        view = await self._queries.session(session_id)
        if view is None:
            raise not_found("session", session_id)
        return view

    @_answered
    async def ListVends(
        self, request: wire.ListVendsRequest, context: Context
    ) -> wire.ListVendsResponse:
        fields = (
            Fields()
            .machine_id(request.machine_id, needed=False)
            .some_id("session_id", request.session_id, needed=False)
        )
        fields.status(request.status, _VEND_STATUSES)
        asked = fields.done_page(
            request, "vends", request.machine_id, request.session_id, request.status
        )
        rows = await self._queries.vends(
            machine_id=request.machine_id,
            session_id=request.session_id,
            status=request.status,
            before=asked.position,
            limit=asked.rows,
        )
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListVendsResponse(
            vends=map(fleet_views.vend, page.rows), next_page_token=page.next_page_token
        )

    @_answered
    async def GetVend(self, request: wire.GetVendRequest, context: Context) -> wire.GetVendResponse:
        Fields().some_id("vend_id", request.vend_id).done()
        return wire.GetVendResponse(vend=fleet_views.vend(await self._acts.vend(request.vend_id)))

    # --- money ---

    @_answered
    async def ListTrades(
        self, request: wire.ListTradesRequest, context: Context
    ) -> wire.ListTradesResponse:
        fields = (
            Fields()
            .machine_id(request.machine_id, needed=False)
            .some_id("session_id", request.session_id, needed=False)
        )
        fields.status(request.status, _TRADE_STATUSES)
        asked = fields.done_page(
            request, "trades", request.machine_id, request.session_id, request.status
        )
        rows = await self._queries.trades(
            machine_id=request.machine_id,
            session_id=request.session_id,
            status=request.status,
            before=asked.position,
            limit=asked.rows,
        )
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListTradesResponse(
            trades=map(fleet_views.trade, page.rows), next_page_token=page.next_page_token
        )

    @_answered
    async def GetTrade(
        self, request: wire.GetTradeRequest, context: Context
    ) -> wire.GetTradeResponse:
        Fields().some_id("trade_id", request.trade_id).done()
        view = await self._queries.trade(request.trade_id)
        if view is None:
            raise not_found("trade", request.trade_id)
        return wire.GetTradeResponse(trade=fleet_views.trade(view))

    @_answered
    async def ListRefunds(
        self, request: wire.ListRefundsRequest, context: Context
    ) -> wire.ListRefundsResponse:
        fields = (
            Fields()
            .machine_id(request.machine_id, needed=False)
            .some_id("trade_id", request.trade_id, needed=False)
        )
        fields.status(request.status, _REFUND_STATUSES)
        asked = fields.done_page(
            request, "refunds", request.machine_id, request.trade_id, request.status
        )
        rows = await self._queries.refunds(
            machine_id=request.machine_id,
            trade_id=request.trade_id,
            status=request.status,
            before=asked.position,
            limit=asked.rows,
        )
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListRefundsResponse(
            refunds=map(fleet_views.refund, page.rows), next_page_token=page.next_page_token
        )

    @_answered
    async def GetRefund(
        self, request: wire.GetRefundRequest, context: Context
    ) -> wire.GetRefundResponse:
        Fields().some_id("refund_id", request.refund_id).done()
        return wire.GetRefundResponse(
            refund=fleet_views.refund(await self._acts.refund(request.refund_id))
        )

    @_answered
    async def RetryRefund(
        self, request: wire.RetryRefundRequest, context: Context
    ) -> wire.RetryRefundResponse:
        Fields().some_id("refund_id", request.refund_id).reason(request.reason).done()
        view = await self._acts.retry_refund(request.refund_id, request.reason, _act(context))
        return wire.RetryRefundResponse(refund=fleet_views.refund(view))

    @_answered
    async def ListWorkItems(
        self, request: wire.ListWorkItemsRequest, context: Context
    ) -> wire.ListWorkItemsResponse:
        fields = (
            Fields()
            .machine_id(request.machine_id, needed=False)
            .one_of("kind", request.kind, _WORK_ITEM_KINDS)
        )
        asked = fields.done_page(request, "work_items", request.machine_id, request.kind)
        now_ms = self._acts.clock.now_ms()
        rows = await self._queries.work_items(
            machine_id=request.machine_id,
            kind=request.kind,
            after=asked.position,
            limit=asked.rows,
            now_ms=now_ms,
        )
        page = pages.page(rows, asked, lambda row: row.position)
        items = [fleet_views.work_item(row, now_ms) for row in page.rows]
        return wire.ListWorkItemsResponse(work_items=items, next_page_token=page.next_page_token)

    @_answered
    async def CloseWorkItem(
        self, request: wire.CloseWorkItemRequest, context: Context
    ) -> wire.CloseWorkItemResponse:
        Fields().some_id("item_id", request.item_id).reason(request.reason, needed=True).done()
        view = await self._acts.close_work_item(
            request.item_id, request.reason, _named_act(context)
        )
        return wire.CloseWorkItemResponse(
            closing=fleet_views.closing(view), already_closed=view.again
        )

    @_answered
    async def WriteOffRefund(
        self, request: wire.WriteOffRefundRequest, context: Context
    ) -> wire.WriteOffRefundResponse:
        Fields().some_id("refund_id", request.refund_id).reason(request.reason, needed=True).done()
        view = await self._acts.write_off_refund(
            request.refund_id, request.reason, _named_act(context)
        )
        return wire.WriteOffRefundResponse(refund=fleet_views.refund(view))

    @_answered
    async def SettleVend(
        self, request: wire.SettleVendRequest, context: Context
    ) -> wire.SettleVendResponse:
        Fields().some_id("vend_id", request.vend_id).reason(request.reason, needed=True).done()
        view = await self._acts.settle_vend(
            request.vend_id, request.reason, _named_act(context), delivered=request.delivered
        )
        return wire.SettleVendResponse(vend=fleet_views.vend(view))

    @_answered
    async def GetBalances(
        self, request: wire.GetBalancesRequest, context: Context
    ) -> wire.GetBalancesResponse:
        Fields().machine_id(request.machine_id, needed=False).done()
        if request.machine_id:
            await self._acts.machine(request.machine_id)
        balances = await self._queries.balances(machine_id=request.machine_id)
        return wire.GetBalancesResponse(balances=map(fleet_views.balance, balances))

    # --- events ---

    @_answered
    async def WatchEvents(self, request: wire.WatchEventsRequest, context: Context) -> None:  # type: ignore[override]
        # grpc.aio takes a coroutine that writes as well as a generator; this way a slow reader
        # holds the watch up, and nothing else
        Fields().machine_id(request.machine_id, needed=False).done()
        if self._watches >= _WATCHES_MAX:
            raise CallRefused(fleet_errors.TOO_MANY_WATCHES)
        self._watches += 1
        try:
            position = await watch.start_position(self._queries, request.after_token)
            async for event in watch.events(
                self._queries, position, machine_id=request.machine_id, stopping=self._stopping
            ):
                await context.write(wire.WatchEventsResponse(event=fleet_views.event(event)))
        finally:
            self._watches -= 1
        raise CallRefused(statuses.DRAINING)


def _act(context: Context) -> Act:
    return act_of(context, longest_s=_CALL_MAX_S)


def _named_act(context: Context) -> Act:
    return named(_act(context))
